"""What pages call a course: its number, its name and its description, derived from what is stored.

In databases of the Flask site, the title is the number, and the name is in the description.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

COURSE_NUMBER = re.compile(r"[^\W\d_]{2,6}[ .-]?\d{3,4}[^\W\d_]?(?!\w)")
"""A course number like PYT 101."""

MAX_NAME_LENGTH = 60
"""In characters; a longer sentence is no name."""

_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")

_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|No|Prof|St|vs)|\.\w)$")
"""A text after which a full stop ends no sentence."""

_SORTED_PARTS = re.compile(r"\d+|\D+")


@dataclass(frozen=True, slots=True)
class CourseHeading:
    """A course's number, its name and the rest of its description; only the number is never empty."""

    number: str
    name: str
    description: str

    def __str__(self) -> str:
        return f"{self.number} · {self.name}" if self.name else self.number

    @property
    def number_key(self) -> tuple[tuple[bool, int, str], ...]:
        """The sort key for the order of numbers, in which CS 99 comes before CS-101."""
        parts = _SORTED_PARTS.findall(self.number.casefold())
        return tuple((not one.isdecimal(), int(one) if one.isdecimal() else 0, one.strip(" .-")) for one in parts)


@lru_cache(20_000)
def course_heading(courseID: str, title: str, description: str) -> CourseHeading:
    """Return the heading of a course with these stored fields.

    A title that is a course number is the number, and a short first sentence of the description the name; if the title
    only begins with a number, the rest is the name. Otherwise, the number is the courseID and the name the title.
    """
    if not (found := COURSE_NUMBER.match(title)):
        return CourseHeading(courseID, title, description)
    number, rest = found[0], title[found.end() :].strip(" :.-–—·")
    if not rest:
        return CourseHeading(title, *_split_name(description))
    if number.isupper():  # unlike "May 2027 Workshop"
        return CourseHeading(number, rest, description)
    return CourseHeading(courseID, title, description)


def _split_name(description: str) -> tuple[str, str]:
    """Return the name at the beginning of the description, and the rest; the name is empty if there is none."""
    text = description.strip()
    ends = (one for one in _SENTENCE_END.finditer(text) if _ends_sentence(text, one))
    end = next(ends, None)
    first, rest = (text[: end.end()], text[end.end() :].strip()) if end else (text, "")
    name = first.strip().removesuffix(".")
    return (name, rest) if len(name) <= MAX_NAME_LENGTH else ("", text)


def _ends_sentence(text: str, end: re.Match[str]) -> bool:
    """Return whether a sentence ends there, and not just an abbreviation."""
    if end[0] == "\n":
        return True
    return not (text[end.end() :].lstrip()[:1].islower() or _ABBREVIATION.search(text[: end.start()]))
