"""Restrictions: which students may enroll, written as text, such as `program: Nursing, Biology; not level: First-year`.

    restriction = part (";" part)*                     all parts must admit the student
    part        = ["not"] attribute ":" value ("," value)*
    attribute   = program | level | standing | cohort | campus
    value       = words without , ; : and quotation marks | '"' any words '"'

A part admits the students with one of its values, or with "not" all others. A student of whom the school hasn't
recorded the attribute has none of the values. Upper and lower case are the same.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from quart_enroll.domain.student_attributes import MAX_VALUE_LENGTH, StudentAttributes
from quart_enroll.domain.tokens import tokenize
from quart_enroll.i18n.language import NameList, Sentence

_TOKEN = re.compile(r'"[^"]*"|[,;:"]|[^\s,;:"]+')
_SEPARATORS = ("", ",", ";", ":", '"')


class RestrictionError(ValueError):
    """The text is not a valid restriction; the only argument is a Sentence that names the position."""


class Attribute(StrEnum):
    """An attribute of students by which a restriction admits them."""

    PROGRAM = "program"
    LEVEL = "level"
    STANDING = "standing"
    COHORT = "cohort"
    CAMPUS = "campus"


_NAMES: Mapping[str, Attribute] = {
    **{str(one): one for one in Attribute},
    **{f"{one}s": one for one in Attribute},
    "campuses": Attribute.CAMPUS,
}
"""The attributes by the words that mean them."""

_VALUES: Mapping[Attribute, Callable[[StudentAttributes], Sequence[str]]] = {
    Attribute.PROGRAM: lambda attributes: attributes.programs,
    Attribute.LEVEL: lambda attributes: (attributes.level,),
    Attribute.STANDING: lambda attributes: (attributes.standing,),
    Attribute.COHORT: lambda attributes: attributes.cohorts,
    Attribute.CAMPUS: lambda attributes: (attributes.campus,),
}

_STUDENTS: Mapping[Attribute, Sentence] = {
    Attribute.PROGRAM: Sentence("students in the program %(values)s"),
    Attribute.LEVEL: Sentence("students at the level %(values)s"),
    Attribute.STANDING: Sentence("students with the standing %(values)s"),
    Attribute.COHORT: Sentence("students in the cohort %(values)s"),
    Attribute.CAMPUS: Sentence("students at the campus %(values)s"),
}


@dataclass(frozen=True, slots=True)
class Restriction:
    """A part of a written restriction, which admits the students with one of the values, or else excludes them."""

    attribute: Attribute
    values: tuple[str, ...]
    excludes: bool = False

    def admits(self, attributes: StudentAttributes) -> bool:
        """Return whether a student with these attributes may enroll."""
        has = {value.casefold() for value in _VALUES[self.attribute](attributes)}
        return has.isdisjoint(value.casefold() for value in self.values) == self.excludes

    @property
    def sentence(self) -> Sentence:
        """What it says, for students."""
        students = Sentence(_STUDENTS[self.attribute].message, values=NameList(self.values, "or"))
        if self.excludes:
            return Sentence("Not open to %(students)s.", students=students)
        return Sentence("Only %(students)s can enroll.", students=students)

    def __str__(self) -> str:
        values = ", ".join(f'"{one}"' if re.search("[,;:]", one) else one for one in self.values)
        return f"{'not ' if self.excludes else ''}{self.attribute}: {values}"


def to_text(restrictions: Iterable[Restriction]) -> str:
    """Return the restriction in its usual spelling."""
    return "; ".join(map(str, restrictions))


def parse(text: str) -> tuple[Restriction, ...]:
    """Return the parts of the restriction, none for an empty text.

    Raises RestrictionError at the first character that doesn't fit.
    """
    return _Parser(text).parse() if text.strip() else ()


@lru_cache(maxsize=10_000)
def stored(text: str) -> tuple[Restriction, ...]:
    """Return the restriction of a stored course or section.

    A text that can't be read must have been stored by another program; it admits no student.
    """
    try:
        return parse(text)
    except RestrictionError:
        return (Restriction(Attribute.PROGRAM, (text,)),)


def sentences(text: str) -> list[Sentence]:
    """Return what a stored restriction says, for students."""
    return [one.sentence for one in stored(text)]


def unmet(text: str, attributes: StudentAttributes) -> list[Restriction]:
    """Return the parts of a stored restriction that don't admit a student with these attributes."""
    return [one for one in stored(text) if not one.admits(attributes)] if text else []


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokenize(text, _TOKEN)

    def parse(self) -> tuple[Restriction, ...]:
        parts = [self._part()]
        while self._skip(";"):
            if self._tokens[0].text:  # there may be a semicolon at the end
                parts.append(self._part())
        if self._tokens[0].text:
            raise RestrictionError(
                Sentence(
                    "Character %(position)s: separate values with commas, and parts with semicolons.",
                    position=self._tokens[0].position,
                )
            )
        return tuple(dict.fromkeys(parts))

    def _part(self) -> Restriction:
        excludes = self._tokens[0].text.lower() == "not"
        if excludes:
            self._tokens.popleft()
        attribute = _NAMES.get(self._tokens[0].text.lower())
        if attribute is None:
            raise RestrictionError(
                Sentence(
                    "Character %(position)s: write %(names)s here, and a colon after it.",
                    position=self._tokens[0].position,
                    names=NameList(tuple(map(str, Attribute)), "or"),
                )
            )
        self._tokens.popleft()
        if not self._skip(":"):
            raise RestrictionError(
                Sentence("Character %(position)s: write a colon here.", position=self._tokens[0].position)
            )
        values = [self._value()]
        while self._skip(","):
            values.append(self._value())
        return Restriction(attribute, tuple(dict.fromkeys(values)), excludes)

    def _value(self) -> str:
        first = self._tokens[0]
        words = []
        if first.text.startswith('"') and first.text != '"':
            words = self._tokens.popleft().text.strip('"').split()
        else:
            while self._tokens[0].text not in _SEPARATORS and not self._tokens[0].text.startswith('"'):
                words.append(self._tokens.popleft().text)
        if not words:
            raise RestrictionError(Sentence("Character %(position)s: enter a value here.", position=first.position))
        value = " ".join(words)
        if len(value) > MAX_VALUE_LENGTH:
            raise RestrictionError(
                Sentence(
                    "Character %(position)s: a value can have at most %(number)s characters.",
                    position=first.position,
                    number=MAX_VALUE_LENGTH,
                )
            )
        return value

    def _skip(self, text: str) -> bool:
        """Skip the text if it comes next, and return whether it did."""
        is_next = self._tokens[0].text == text
        if is_next:
            self._tokens.popleft()
        return is_next
