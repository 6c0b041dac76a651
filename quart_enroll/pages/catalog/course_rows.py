"""Rows of the catalog. A row that looks the same to many visitors is built once for all of them.

Rows are equal only to themselves, so that caches find one without comparing its contents.
"""

import re
from collections.abc import Hashable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quart_enroll.domain.catalog import CourseSections
from quart_enroll.domain.models import Course, Section, Term
from quart_enroll.i18n.language import cached_per_language
from quart_enroll.pages.catalog import section_actions
from quart_enroll.pages.catalog.section_actions import SectionActions
from quart_enroll.pages.student_state import StudentState

WeekHours = frozenset[tuple[str, int]]
"""Hours of a week, each as its day and its number: ("M", 9)."""

CATALOG_ROW_BYTES, CATALOG_SECTION_BYTES = 1500, 1400
"""Bytes of a row, and of each of its sections with its buttons."""

_CLOCK_TIME = re.compile(r"[0-2]\d:[0-5]\d")


@dataclass(frozen=True, eq=False, slots=True)
class SharedRow:
    """A row as visitors see it if nothing of their own affects it.

    `mark` stands for it in cache keys, where whole rows would be too large.
    """

    found: CourseSections
    choices: Sequence[SectionActions]
    hours: WeekHours | None
    mark: object = field(default_factory=object)


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """A course with what this visitor can do about its sections; rows of the same `key` look the same."""

    course: Course
    choices: Sequence[SectionActions]
    key: Hashable


@dataclass(frozen=True, slots=True)
class PersonalFacts:
    """What can make a row look different to a student: courses, hours, courses taken before, and credits."""

    courses: Set[str]
    hours: WeekHours | None
    taken: Set[str]
    credits: float

    @classmethod
    def of(cls, state: StudentState) -> "PersonalFacts":
        keys = [one.section.key for one in state.enrolled] + [one.entry.key for one in state.waitlisted]
        return cls(
            {key.courseID for key in [*keys, *state.planned, *state.alerts]},
            hours_of(one.section for one in state.enrolled),
            {courseID for courseID, _ in state.taken or ()},
            sum(one.course.credits for one in state.enrolled),
        )

    def may_affect(self, row: SharedRow, term: Term) -> bool:
        """Return whether the row may look different to this student; in doubt, it may."""
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


def last_boundary(term: Term, now: datetime) -> datetime:
    """Return a moment since which nothing has changed in what the term's dates allow."""
    return max((one for one in term.boundaries if one <= now), default=min(term.boundaries) - timedelta(days=1))


def row_bytes(row: SharedRow) -> int:
    """Estimate the bytes of a row, including sections of an earlier catalog that only the row keeps in memory."""
    return CATALOG_ROW_BYTES + CATALOG_SECTION_BYTES * len(row.found.sections)


def _size(_: object, row: SharedRow) -> int:
    return row_bytes(row)


@cached_per_language("catalog rows", _size)
def shared_row(term: Term, found: CourseSections, now: datetime, *, signed_in: bool) -> SharedRow:
    """Return the row for a visitor, or a student, who has nothing yet.

    While its course and sections stay the same, later catalogs use the same row.
    """
    nothing = StudentState(taken=[] if signed_in else None)
    choices = section_actions.for_course(term, found.course, found.sections, nothing, now)
    return SharedRow(found, choices, hours_of(found.sections))


def personal_rows(term: Term, shared: Iterable[SharedRow], state: StudentState, now: datetime) -> list[CatalogRow]:
    """Return the rows as this visitor sees them."""
    personal = PersonalFacts.of(state)
    return [_personal_row(term, one, state, personal, now) for one in shared]


def _personal_row(
    term: Term, shared: SharedRow, state: StudentState, personal: PersonalFacts, now: datetime
) -> CatalogRow:
    course = shared.found.course
    if not personal.may_affect(shared, term):
        return CatalogRow(course, shared.choices, shared.mark)
    choices = section_actions.for_course(term, course, shared.found.sections, state, now)
    return CatalogRow(course, choices, (shared.mark, *(one.appearance for one in choices)))


def hours_of(sections: Iterable[Section]) -> WeekHours | None:
    """Return all hours in which one of the sections meets, if only for a minute; None if a time is unreadable."""
    hours: set[tuple[str, int]] = set()
    for meeting in (meeting for section in sections for meeting in section.meetings):
        if not (
            _CLOCK_TIME.fullmatch(meeting.start) and _CLOCK_TIME.fullmatch(meeting.end) and meeting.start < meeting.end
        ):
            return None
        numbers = range(int(meeting.start[:2]), int(meeting.end[:2]) + 1)
        hours.update((day, number) for day in meeting.days for number in numbers)
    return frozenset(hours)
