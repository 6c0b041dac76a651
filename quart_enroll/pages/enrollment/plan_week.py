"""The week of a plan: the student's courses and waitlisted sections of the term together with the planned ones."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quart_enroll.domain import week
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.week import Conflict, WeekEntry
from quart_enroll.pages.enrollment import schedule_rows, week_grid
from quart_enroll.pages.enrollment.week_grid import WeekGrid
from quart_enroll.pages.student_state import StudentState
from quart_enroll.services.enrollment.candidates import Offering


class WeekFacts(NamedTuple):
    """The free days, the hours of class, which don't include those of waitlisted sections, and what else is in the week
    besides the planned sections."""

    free_days: str
    hours: float
    others: tuple[WeekEntry, ...]


def entries(wanted: Sequence[Offering], state: StudentState, offered: Catalog) -> list[WeekEntry]:
    """Return the sections of the week, each once: the student's courses, waitlisted sections, and planned ones."""
    waitlisted = [entry for one in state.waitlisted for entry in schedule_rows.waitlisted_entries(one, offered)]
    enrolled = map(schedule_rows.enrolled_entry, state.enrolled)
    return week.with_colors([*enrolled, *waitlisted, *_planned(wanted, state)])


def _planned(wanted: Sequence[Offering], state: StudentState) -> Iterator[WeekEntry]:
    enrolled = {one.courseID for one in state.enrolled}
    for offering in wanted:
        course, section = offering.course, offering.section
        if course.courseID not in enrolled and state.waitlist_position(section.key) is None:
            yield week.entry_of(section, course.title, "planned")


def build(sections: Sequence[WeekEntry]) -> WeekGrid:
    """Return the week of these sections; the rows of the plan name the conflicts of planned sections with courses."""
    return week_grid.build(sections, is_mentioned)


def is_mentioned(conflict: Conflict) -> bool:
    """Return whether the week says that these conflict, because no row does."""
    return {conflict.one.status, conflict.other.status} == {"planned", "waiting"}


def facts(sections: Sequence[WeekEntry]) -> WeekFacts:
    """Return the facts about the week of these sections."""
    classes = [one for one in sections if one.status != "waiting"]
    others = tuple(one for one in sections if one.status != "planned")
    return WeekFacts(week.free_days(sections), round(week.class_minutes(classes) / 60, 1), others)
