"""What visitors can choose in the filters of the catalog: facts that courses and sections share."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from quart_enroll.domain.course_heading import COURSE_NUMBER
from quart_enroll.domain.models import Course, Section

_DIGITS = re.compile(r"\d+")
_ROOM_NUMBER = re.compile(r"[\s,#-]*\S*\d.*")
"""The end of a room's name from its first word with a digit on."""


@dataclass(frozen=True, eq=False, slots=True)
class FilterChoices:
    """The choices that a term offers, each in order; compared by identity."""

    subjects: tuple[str, ...] = ()
    credits: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    buildings: tuple[str, ...] = ()


def find_choices(courses: Iterable[Course], sections: Iterable[Section]) -> FilterChoices:
    """Return what these courses and sections have in common with others."""
    offered = list(courses)
    return FilterChoices(
        tuple(sorted({course.subject for course in offered} - {""})),
        tuple(f"{number:g}" for number in sorted({course.credits for course in offered})),
        tuple(sorted({level_of(course) for course in offered} - {""}, key=int)),
        tuple(sorted({building_of(section) for section in sections} - {""}, key=str.casefold)),
    )


def level_of(course: Course) -> str:
    """Return the hundreds (or thousands) of the course's number: 200 for PHP 202; empty without a number."""
    return _level(course.courseID, course.title)


def building_of(section: Section) -> str:
    """Return the building of the section's room: Carson Hall for Carson Hall 101; empty without a room."""
    return _building(section.room)


@lru_cache(20_000)  # only for courses, never for what a visitor types
def _level(courseID: str, title: str) -> str:
    number = COURSE_NUMBER.fullmatch(courseID) or COURSE_NUMBER.match(title)
    digits = _DIGITS.search(number[0] if number else courseID)
    return digits[0][0] + "0" * (len(digits[0]) - 1) if digits and len(digits[0]) > 2 else ""


@lru_cache(20_000)  # only for rooms of the catalog, never for what a visitor types
def _building(room: str) -> str:
    return _ROOM_NUMBER.sub("", room).strip()
