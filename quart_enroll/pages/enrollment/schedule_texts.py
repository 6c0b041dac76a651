"""The texts of a student's schedule: those of a course are rendered once for all students who see the same.

The week of a student whose meetings don't overlap consists of the meetings' texts; any other week is rendered for the
student.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration, Term
from quart_enroll.domain.week import WeekEntry
from quart_enroll.pages.enrollment import schedule_rows, week_grid, week_texts
from quart_enroll.pages.enrollment.alerts import AlertRow
from quart_enroll.pages.enrollment.schedule_rows import StudentTerm, TermPhase, WaitlistRow
from quart_enroll.pages.enrollment.week_texts import MeetingTexts, PlainWeek
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_shared, render_shared_parts

SCHEDULE_MACROS = "macros/schedule.html"

WEEK_NAME = "week"
"""What the IDs in the week begin with."""


class CourseTexts(NamedTuple):
    """The row of a course, and the texts of its meetings in the week."""

    row: InputFreeText
    meetings: MeetingTexts


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
    plain_week = week_texts.plain_week(WEEK_NAME, entries) if phase.is_running else None
    courses = [
        _course(student, one, entry, schedule_rows.corequisite_warning(student, one, offered), plain_week)
        for one, entry in zip(student.registrations, entries, strict=False)  # the waitlisted sections follow
    ]
    yield _text("term_start", (phase.term, student.is_empty), phase.term, student.is_empty)
    if plain_week:
        meetings = [one.meetings for one in courses]
        meetings += [week_texts.meetings(one, plain_week, phase.term) for one in entries[len(courses) :]]
        yield from week_texts.render(plain_week, phase.term, entries, meetings)
    elif phase.is_running and entries:
        yield from week_texts.render_overlapping(week_grid.build(entries), WEEK_NAME, phase.term)
    if not student.is_empty:
        yield _text("courses_start", has_courses, has_courses)
        yield from (one.row for one in courses)
        total = has_courses, student.credits, phase.term.max_credits
        yield _text("courses_end", total, *total)
    if waiting := schedule_rows.waitlist_rows(student, offered):
        yield from _waitlists(phase, waiting, schedule_rows.overload_warning(student, waiting, offered))
    yield _text("term_end", ())


def _course(
    student: StudentTerm, registration: Registration, entry: WeekEntry, warning: str, plain_week: PlainWeek | None
) -> CourseTexts:
    phase, section, has_waitlist = student.phase, registration.section, registration.section.waiting > 0
    box_key = plain_week and plain_week.box_key
    facts = entry, has_waitlist, warning, box_key, student.drop_hold is None
    key = phase, registration.course, section.section, section.instructor, *facts

    def render_course(macros: Any) -> Iterator[str]:
        row = schedule_rows.schedule_row(student, registration, warning)
        yield macros.course_row(row, phase.term)
        if plain_week:
            yield from week_texts.render_meetings(macros.weeks, entry, plain_week, phase.term)

    row, *parts = render_shared_parts(SCHEDULE_MACROS, key, render_course)
    return CourseTexts(row, MeetingTexts.of(parts))


def _waitlists(phase: TermPhase, rows: Sequence[WaitlistRow], overload_warning: str) -> Iterator[InputFreeText]:
    yield _text("waitlists_start", ())
    for row in rows:
        entry, term = row.position.entry, phase.term
        reasons = str(entry.skipped_because or ""), row.skip_warning, row.odds
        key = entry.key, term, row.status, row.title, row.instead_of, *reasons
        yield _text("waitlist_row", key, row, term)
    yield _text("waitlists_end", overload_warning, overload_warning)


def _text(macro: str, key: Any, *arguments: object) -> InputFreeText:
    return render_shared(SCHEDULE_MACROS, macro, key, *arguments)
