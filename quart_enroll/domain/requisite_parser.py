"""Requisites written as text, such as `(MAT 115 or MAT 120) and ENG 101`.

    group  = term (("," | ["," ] ("and" | "or")) term)*      with only "and" or only "or"
    term   = course ["concurrently" | "with" grade ["or better"]] | "(" group ")"
           | ["at least"] number ["earned"] "credits" | words "standing"
           | words "placement" ["of"] number ["or better"] | "permission"
    course = words without commas and parentheses, such as MAT 115

In a list such as `A, B, or C`, the word before the last item applies to the whole list. A group that mixes "and" with
"or" needs parentheses, because readers disagree about which of the two binds more tightly. The word "concurrently"
follows a course that may also be taken in the same term, and "with C or better" follows one that requires this grade.
Other terms ask for earned credits, a standing, a score in a placement test, or the permission of the instructor, as in
`MAT 115 or 60 credits`, `Junior standing`, `Math placement of 70 or better` and `MAT 115 or permission`.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from quart_enroll.domain import grades
from quart_enroll.domain.requisites import (
    CONCURRENTLY,
    PERMISSION,
    AllOf,
    AnyOf,
    Concurrently,
    MinimumCredits,
    Permission,
    Placement,
    Requisite,
    Standing,
    WithGrade,
    group,
)
from quart_enroll.domain.student_attributes import MAX_EARNED_CREDITS, MAX_VALUE_LENGTH
from quart_enroll.domain.tokens import Token, tokenize
from quart_enroll.i18n.language import Sentence

MAX_DEPTH = 10
"""How deep parentheses can be nested."""

MAX_COURSE_CHARACTERS = 20

_TOKEN = re.compile(r"[(),]|[^\s(),]+")
_JOINERS = "and", "or"
_BETTER = "better", "higher"
_NUMBER = re.compile(r"\d{1,4}(\.\d{1,2})?", re.ASCII)
_CREDITS = re.compile(r"(?:at least )?([\d.]+)(?: earned)?", re.ASCII)
_PERMISSIONS = {
    f"{before}{word}{after}"
    for word in (PERMISSION, "consent")
    for before, after in (("", ""), ("instructor ", ""), ("", " of instructor"), ("", " of the instructor"))
}


class RequisiteError(ValueError):
    """The text is not a valid requisite; the only argument is a Sentence that names the position."""


def _joiner(token: Token) -> str:
    """Return the token as "and" or "or"; empty for another one."""
    word = token.text.lower()
    return word if word in _JOINERS else ""


def _is_name(token: Token) -> bool:
    return token.text not in ("", "(", ")", ",") and not _joiner(token)


class _Parser:
    def __init__(self, text: str, name: Callable[[str, int], str]) -> None:
        self._tokens = tokenize(text, _TOKEN)
        self._name = name

    def _next(self) -> Token:
        return self._tokens[0]

    def parse(self) -> Requisite:
        found = self._group(0)
        if self._next().text == ")":
            raise RequisiteError(
                Sentence(
                    "Character %(position)s: this parenthesis has no matching “(”.", position=self._next().position
                )
            )
        return found

    def _group(self, depth: int) -> Requisite:
        parts, joiner, comma = [self._term(depth)], "", None
        while self._next().text not in ("", ")"):
            separator = self._next()
            comma = self._tokens.popleft() if separator.text == "," else None
            if word := _joiner(self._next()):
                if joiner and word != joiner:
                    raise RequisiteError(
                        Sentence(
                            "Character %(position)s: “and” and “or” can’t be mixed without parentheses. "
                            "For example, write (MAT 115 or MAT 120) and ENG 101.",
                            position=self._next().position,
                        )
                    )
                joiner, comma = word, None
                self._tokens.popleft()
            elif comma is None:
                raise RequisiteError(
                    Sentence("Character %(position)s: write “and” or “or” here.", position=separator.position)
                )
            parts.append(self._term(depth))
        if comma is not None:  # there is only a comma between the last two items
            raise RequisiteError(
                Sentence("Character %(position)s: write “and” or “or” after this comma.", position=comma.position)
            )
        return group(AnyOf if joiner == "or" else AllOf, parts)

    def _term(self, depth: int) -> Requisite:
        if not _is_name(self._next()):
            return self._parenthesized(depth)
        words = []
        while _is_name(self._next()):
            words.append(self._tokens.popleft())
        if len(words) > 1 and words[-1].text.lower() == CONCURRENTLY:
            return Concurrently(self._course(words[:-1]))
        if len(words) > 2 and words[-2].text.lower() == "with":
            return WithGrade(self._course(words[:-2]), self._grade(words[-1]))
        return self._student_term(words) or self._course(words)

    def _student_term(self, words: Sequence[Token]) -> Requisite | None:
        """Return what the words ask of the student besides courses; None if they are a course."""
        lower = [word.text.lower() for word in words]
        if " ".join(lower) in _PERMISSIONS:
            return Permission()
        if lower[-1] in ("credit", "credits") and (rest := _CREDITS.fullmatch(" ".join(lower[:-1]))):
            return MinimumCredits(self._number(rest[1], words[lower.index(rest[1])]))
        if len(words) > 1 and lower[-1] == "standing":
            return Standing(self._value(words[:-1]))
        if "placement" in lower[1:]:
            place = lower.index("placement", 1)
            score = words[place + 1 + (lower[place + 1 : place + 2] == ["of"]) :]
            number = self._number(" ".join(word.text for word in score), score[0] if score else self._next())
            self._skip_or_better()
            return Placement(self._value(words[:place]), number)
        return None

    def _number(self, text: str, word: Token) -> int | float:
        if not _NUMBER.fullmatch(text) or float(text) > MAX_EARNED_CREDITS:
            raise RequisiteError(
                Sentence(
                    "Character %(position)s: enter a number from 0 to %(limit)s here.",
                    position=word.position,
                    limit=MAX_EARNED_CREDITS,
                )
            )
        return float(text) if "." in text else int(text)

    def _value(self, words: Sequence[Token]) -> str:
        if len(value := " ".join(word.text for word in words)) > MAX_VALUE_LENGTH:
            raise RequisiteError(
                Sentence(
                    "Character %(position)s: a value can have at most %(number)s characters.",
                    position=words[0].position,
                    number=MAX_VALUE_LENGTH,
                )
            )
        return value

    def _grade(self, word: Token) -> str:
        """Return the grade, and skip the words "or better" after it."""
        grade = grades.read_minimum(word.text)
        if grade is None:
            letters = ", ".join(reversed(grades.LETTERS))
            raise RequisiteError(
                Sentence(
                    "Character %(position)s: enter one of these grades: %(grades)s.",
                    position=word.position,
                    grades=letters,
                )
            )
        self._skip_or_better()
        return grade

    def _skip_or_better(self) -> None:
        if _joiner(self._next()) == "or" and self._tokens[1].text.lower() in _BETTER:
            self._tokens.popleft()
            self._tokens.popleft()

    def _course(self, words: Sequence[Token]) -> str:
        if len(name := " ".join(word.text for word in words)) > MAX_COURSE_CHARACTERS:
            raise RequisiteError(
                Sentence(
                    "Character %(position)s: a course number can have at most 20 characters.",
                    position=words[0].position,
                )
            )
        return self._name(name, words[0].position)

    def _parenthesized(self, depth: int) -> Requisite:
        if (opening := self._next()).text != "(":
            raise RequisiteError(
                Sentence("Character %(position)s: enter a course number here.", position=opening.position)
            )
        if depth == MAX_DEPTH:
            raise RequisiteError(
                Sentence(
                    "Character %(position)s: the parentheses are nested too deeply here.",
                    position=opening.position,
                )
            )
        self._tokens.popleft()
        found = self._group(depth + 1)
        if self._next().text != ")":
            raise RequisiteError(
                Sentence("Character %(position)s: this parenthesis has no matching “)”.", position=opening.position)
            )
        self._tokens.popleft()
        return found


def parse(text: str, name: Callable[[str, int], str] = lambda name, _: name) -> Requisite | None:
    """Return the requisite; None for an empty text.

    `name` turns a course number and its 1-based position in the text into a courseID. Raises RequisiteError at the
    first character that doesn't fit, and what `name` raises.
    """
    return _Parser(text, name).parse() if text.strip() else None


@lru_cache(maxsize=10_000)
def stored(text: str) -> Requisite | None:
    """Return the requisite of a stored course.

    A text that can't be read must have been stored by another program; no student meets it.
    """
    try:
        return parse(text)
    except RequisiteError:
        return text
