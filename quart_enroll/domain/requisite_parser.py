"""Requisites written as text, such as `(MAT 115 or MAT 120) and ENG 101`.

    group  = term (("," | ["," ] ("and" | "or")) term)*      with only "and" or only "or"
    term   = course ["concurrently" | "with" grade ["or better"]] | "(" group ")"
    course = words without commas and parentheses, such as MAT 115

In a list such as `A, B, or C`, the word before the last item applies to the whole list. A group that mixes "and" with
"or" needs parentheses, because readers disagree about which of the two binds more tightly. The word "concurrently"
follows a course that may also be taken in the same term, and "with C or better" follows one that requires this grade.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from quart_enroll.domain import grades
from quart_enroll.domain.requisites import CONCURRENTLY, AllOf, AnyOf, Concurrently, Requisite, WithGrade, group
from quart_enroll.i18n.language import Sentence

MAX_DEPTH = 10
"""How deep parentheses can be nested."""

MAX_COURSE_CHARACTERS = 20

_TOKEN = re.compile(r"[(),]|[^\s(),]+")
_JOINERS = "and", "or"
_BETTER = "better", "higher"


class RequisiteError(ValueError):
    """The text is not a valid requisite; the only argument is a Sentence that names the position."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    position: int
    """The 1-based position of its first character."""

    @property
    def joiner(self) -> str:
        """The token as "and" or "or"; empty for another one."""
        word = self.text.lower()
        return word if word in _JOINERS else ""

    @property
    def is_name(self) -> bool:
        return self.text not in ("", "(", ")", ",") and not self.joiner


class _Parser:
    def __init__(self, text: str, name: Callable[[str, int], str]) -> None:
        self._tokens = deque(_Token(one.group(), one.start() + 1) for one in _TOKEN.finditer(text))
        self._tokens.append(_Token("", len(text) + 1))
        self._name = name

    def _next(self) -> _Token:
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
            if word := self._next().joiner:
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
        if not self._next().is_name:
            return self._parenthesized(depth)
        words = []
        while self._next().is_name:
            words.append(self._tokens.popleft())
        if len(words) > 1 and words[-1].text.lower() == CONCURRENTLY:
            return Concurrently(self._course(words[:-1]))
        if len(words) > 2 and words[-2].text.lower() == "with":
            return WithGrade(self._course(words[:-2]), self._grade(words[-1]))
        return self._course(words)

    def _grade(self, word: _Token) -> str:
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
        if self._next().joiner == "or" and self._tokens[1].text.lower() in _BETTER:
            self._tokens.popleft()
            self._tokens.popleft()
        return grade

    def _course(self, words: Sequence[_Token]) -> str:
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
