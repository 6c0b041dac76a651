"""The texts of a student's schedule: those of a course are rendered once for all students who see the same.

The week of a student whose meetings don't overlap consists of the meetings' texts; any other week is rendered for the
student.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

from quart_enroll.domain import week
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Meeting, Registration, Term
from quart_enroll.domain.week import Week, WeekEntry
from quart_enroll.i18n.language import DAYS, format_day_name
from quart_enroll.pages.enrollment import schedule_rows, week_grid
from quart_enroll.pages.enrollment.alerts import AlertRow
from quart_enroll.pages.enrollment.schedule_rows import StudentTerm, TermPhase, WaitlistRow
from quart_enroll.pages.enrollment.week_grid import Layout
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_shared, render_shared_parts

SCHEDULE_MACROS = "macros/schedule.html"

WEEK_NAME = "week"
"""What the IDs in the week begin with."""


class TimedBlock(NamedTuple):
    """When a meeting takes place, and its numbers: that of its entry, and its own among those of the entry."""

    day: int
    start: int
    end: int
    entry: int
    number: int


@dataclass(frozen=True, slots=True)
class PlainWeek:
    """A week in which no meetings overlap, from the earliest to the latest."""

    name: str
    layout: Layout
    blocks: Sequence[TimedBlock]

    @property
    def box_key(self) -> Hashable:
        """What a box depends on besides its meeting."""
        return self.name, self.layout.days, self.layout.begins


class CourseTexts(NamedTuple):
    """The row of a course, and the boxes and list items of its meetings."""

    row: InputFreeText
    boxes: Sequence[InputFreeText]
    items: Sequence[InputFreeText]


def render(student_terms: Sequence[StudentTerm], named: Term | None, offered: Catalog) -> list[bytes]:
    """Return the texts of the `named` term, else of the first, and tabs for all of these terms if there are several."""
    if not student_terms:
        return []
    shown = next((one for one in student_terms if one.phase.term == named), student_terms[0])
    tabs = tuple(one.phase.term.term for one in student_terms), shown.phase.term.term
    return [*([_text("term_tabs", tabs, *tabs)] if len(student_terms) > 1 else ()), *_term(shown, offered)]


def render_alerts(rows: Iterable[AlertRow]) -> list[bytes]:
    """Return the texts of the student's alerts."""
    return [_text("alert_row", (one.key, one.title), one) for one in rows]


def _term(student: StudentTerm, offered: Catalog) -> Iterator[bytes]:
    """Yield the term's dates, the week, the courses and the waitlists."""
    phase, has_courses = student.phase, bool(student.registrations)
    entries = schedule_rows.week_entries(student, offered)
    plain_week = _plain_week(WEEK_NAME, entries) if phase.is_running else None
    courses = [
        _course(phase, one, entry, schedule_rows.corequisite_warning(student, one, offered), plain_week)
        for one, entry in zip(student.registrations, entries, strict=False)  # the waitlisted sections follow
    ]
    yield _text("term_start", (phase.term, student.is_empty), phase.term, student.is_empty)
    if plain_week:
        waitlisted = [_waitlisted(phase, entry, plain_week) for entry in entries[len(courses) :]]
        yield from _plain_week_texts(phase, plain_week, entries, [*courses, *waitlisted])
    elif phase.is_running and entries:
        arguments = week_grid.build(entries), WEEK_NAME, phase.term.term, phase.linked_term
        yield from render_shared_parts(SCHEDULE_MACROS, None, lambda macros: [macros.weeks.week(*arguments)])
    if not student.is_empty:
        yield _text("courses_start", has_courses, has_courses)
        yield from (one.row for one in courses)
        total = has_courses, student.credits, phase.term.max_credits
        yield _text("courses_end", total, *total)
    if waiting := schedule_rows.waitlist_rows(student, offered):
        yield from _waitlists(phase, waiting, schedule_rows.overload_warning(student, waiting, offered))
    yield _text("term_end", ())


def _course(
    phase: TermPhase, registration: Registration, entry: WeekEntry, warning: str, plain_week: PlainWeek | None
) -> CourseTexts:
    section, has_waitlist = registration.section, registration.section.waiting > 0
    box_key = plain_week and plain_week.box_key
    key = phase, registration.course, section.section, section.instructor, entry, has_waitlist, warning, box_key

    def render_course(macros: Any) -> Iterator[str]:
        row = schedule_rows.schedule_row(phase, registration, warning)
        yield macros.course_row(row, phase.linked_term)
        if plain_week:
            yield from _meetings(macros, phase, entry, plain_week)

    return _course_texts(render_shared_parts(SCHEDULE_MACROS, key, render_course))


def _waitlisted(phase: TermPhase, entry: WeekEntry, plain_week: PlainWeek) -> CourseTexts:
    """Return the texts of a section for which the student is waitlisted; its row is another one."""
    key = phase.linked_term, entry, plain_week.box_key

    def render_meetings(macros: Any) -> Iterator[str]:
        yield ""
        yield from _meetings(macros, phase, entry, plain_week)

    return _course_texts(render_shared_parts(SCHEDULE_MACROS, key, render_meetings))


def _meetings(macros: Any, phase: TermPhase, entry: WeekEntry, plain_week: PlainWeek) -> Iterator[str]:
    blocks = week.week([entry]).blocks
    for one in blocks:
        yield macros.weeks.week_box(week_grid.box(plain_week.layout, one), plain_week.name, phase.linked_term)
    for one in blocks:
        yield macros.weeks.week_item(one, phase.linked_term)


def _course_texts(parts: Sequence[InputFreeText]) -> CourseTexts:
    middle = 1 + len(parts) // 2
    return CourseTexts(parts[0], parts[1:middle], parts[middle:])


def _waitlists(phase: TermPhase, rows: Sequence[WaitlistRow], overload_warning: str) -> Iterator[InputFreeText]:
    yield _text("waitlists_start", ())
    for row in rows:
        entry, linked_term = row.position.entry, phase.linked_term
        reasons = str(entry.skipped_because or ""), row.skip_warning, row.odds
        key = entry.key, linked_term, row.status, row.title, row.instead_of, *reasons
        yield _text("waitlist_row", key, row, linked_term)
    yield _text("waitlists_end", overload_warning, overload_warning)


def _plain_week(name: str, entries: Sequence[WeekEntry]) -> PlainWeek | None:
    """Return the week; None if meetings overlap, or if there is nothing in it."""
    weeks = [_week_of(one.meetings) for one in entries]
    blocks = sorted(
        TimedBlock(DAYS.index(block.day), block.start, block.end, entry, number)
        for entry, one in enumerate(weeks)
        for number, block in enumerate(one.blocks)
    )
    overlaps = any(one.day == next_one.day and one.end > next_one.start for one, next_one in pairwise(blocks))
    return None if overlaps or not weeks else PlainWeek(name, week_grid.joint_layout(weeks), blocks)


@lru_cache(1000)  # the school's own meetings
def _week_of(meetings: tuple[Meeting, ...]) -> Week:
    """Return the week of a section alone."""
    return week.week([WeekEntry("", "", "", meetings)])


def _plain_week_texts(
    phase: TermPhase, plain_week: PlainWeek, entries: Sequence[WeekEntry], courses: Sequence[CourseTexts]
) -> Iterator[InputFreeText]:
    name, layout, blocks = plain_week.name, plain_week.layout, plain_week.blocks
    key = phase.term.term, name, layout, bool(blocks)

    def render_frame(macros: Any) -> Iterator[str]:
        yield macros.weeks.week_start(week_grid.empty(layout), name, phase.term.term, bool(blocks))
        yield macros.weeks.week_list_start()
        yield macros.weeks.week_list_end()
        yield macros.weeks.week_day_end()
        yield from (macros.weeks.week_day_start(format_day_name(day)) for day in DAYS)

    start, list_start, list_end, day_end, *day_starts = render_shared_parts(SCHEDULE_MACROS, key, render_frame)
    yield start
    if blocks:
        yield from (courses[one.entry].boxes[one.number] for one in blocks)
        yield list_start
        for day, group in groupby(blocks, attrgetter("day")):
            yield day_starts[day]
            yield from (courses[one.entry].items[one.number] for one in group)
            yield day_end
        yield list_end
    untimed = tuple(week_grid.name_in_week(one) for one in entries if not one.meetings)
    yield from render_shared_parts(SCHEDULE_MACROS, ("week_end", untimed), lambda one: [one.weeks.week_end(untimed)])


def _text(macro: str, key: Any, *arguments: object) -> InputFreeText:
    return render_shared(SCHEDULE_MACROS, macro, key, *arguments)
