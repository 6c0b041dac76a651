"""Rows of the catalog. One that nothing of the visitor's own concerns looks the same to all: it is made once.

Rows are equal to themselves alone, so that what was drawn of one is found without comparing what it says.
"""

import re
from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quart_enroll.domain.catalog import CourseSections
from quart_enroll.domain.models import Course, Section, Term
from quart_enroll.i18n.language import cached_per_language
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import Choice
from quart_enroll.pages.student_state import Standing

Hours = frozenset[tuple[str, int]]
"""Hours of a week, each as its day and its number: ("M", 9)."""

ROW_BYTES, SECTION_BYTES = 1500, 1400
"""Bytes of a row, and of each of its sections with its buttons."""

A_TIME = re.compile(r"[0-2]\d:[0-5]\d")


@dataclass(frozen=True, eq=False, slots=True)
class Common:
    """A row as it is for a reader whom it doesn't concern. `mark` stands for it in cache keys, where whole rows would
    be too large."""

    found: CourseSections
    choices: Sequence[Choice]
    hours: Hours | None
    mark: object = field(default_factory=object)


@dataclass(frozen=True, slots=True)
class Row:
    """A course with what this visitor can do about its sections; rows of the same `key` look the same."""

    course: Course
    choices: Sequence[Choice]
    key: Hashable


@dataclass(frozen=True, slots=True)
class Concerns:
    """What of a student's own may concern a row: courses, hours, courses taken before, and credits."""

    courses: Set[str]
    hours: Hours | None
    taken: Set[str]
    credits: float

    @classmethod
    def of(cls, mine: Standing) -> "Concerns":
        keys = [one.section.key for one in mine.enrolled] + [place.waiting.key for place in mine.places]
        return cls(
            {key.courseID for key in [*keys, *mine.planned, *mine.alerts]},
            hours_of(one.section for one in mine.enrolled),
            {courseID for courseID, _ in mine.taken or ()},
            sum(one.course.credits for one in mine.enrolled),
        )

    def concern(self, row: Common, term: Term) -> bool:
        """Tell whether the row may look different to this student; where it is not sure, it may."""
        course = row.found.course
        return (
            course.courseID in self.courses
            or self.hours is None
            or row.hours is None
            or not self.hours.isdisjoint(row.hours)
            or not self.taken.isdisjoint(course.prerequisites)
            or not self.taken.isdisjoint(course.corequisites)
            or not self.courses.isdisjoint(course.corequisites)
            or self.credits + course.credits > term.max_credits
        )


def since(term: Term, now: datetime) -> datetime:
    """Return a moment from which until now all can do the same about the term's sections: its last boundary."""
    return max((one for one in term.boundaries if one <= now), default=min(term.boundaries) - timedelta(days=1))


def row_bytes(row: Common) -> int:
    """Estimate the bytes of a row; its sections may belong to an earlier catalog and be held by nothing else."""
    return ROW_BYTES + SECTION_BYTES * len(row.found.sections)


def _size(_: object, row: Common) -> int:
    return row_bytes(row)


@cached_per_language("catalog rows", _size)
def common(term: Term, found: CourseSections, now: datetime, *, signed_in: bool) -> Common:
    """Return the row of who has nothing yet; while a row stays as it is, other catalogs have the same one."""
    nothing = Standing(taken=[] if signed_in else None)
    offered = section_actions.of_course(term, found.course, found.sections, nothing, now)
    return Common(found, offered, hours_of(found.sections))


def rows(term: Term, shown: Iterable[Common], mine: Standing, now: datetime) -> list[Row]:
    """Return the rows as this visitor sees them."""
    concerns = Concerns.of(mine)
    return [_row(term, one, mine, concerns, now) for one in shown]


def _row(term: Term, shown: Common, mine: Standing, concerns: Concerns, now: datetime) -> Row:
    course = shown.found.course
    if not concerns.concern(shown, term):
        return Row(course, shown.choices, shown.mark)
    own = section_actions.of_course(term, course, shown.found.sections, mine, now)
    return Row(course, own, (shown.mark, *(one.look for one in own)))


def hours_of(sections: Iterable[Section]) -> Hours | None:
    """Return all hours in which one of the sections meets, if only for a minute; None where nobody can read when."""
    hours: set[tuple[str, int]] = set()
    for meeting in (meeting for section in sections for meeting in section.meetings):
        if not (A_TIME.fullmatch(meeting.start) and A_TIME.fullmatch(meeting.end) and meeting.start < meeting.end):
            return None
        numbers = range(int(meeting.start[:2]), int(meeting.end[:2]) + 1)
        hours.update((day, number) for day in meeting.days for number in numbers)
    return frozenset(hours)
