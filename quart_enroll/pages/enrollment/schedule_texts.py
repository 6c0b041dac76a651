"""The texts of a student's schedule: those of a course are rendered once for all students who see the same."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration, Term
from quart_enroll.pages.enrollment import schedule_rows, week_texts
from quart_enroll.pages.enrollment.alerts import AlertRow
from quart_enroll.pages.enrollment.credits import summarize_credits
from quart_enroll.pages.enrollment.schedule_rows import StudentTerm, TermPhase, WaitlistRow
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_shared, render_shared_parts

SCHEDULE_MACROS = "macros/schedule.html"

WEEK_NAME = "week"
"""What the IDs in the week begin with."""


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

    def render_frame(macros: Any) -> Iterator[str]:
        yield macros.term_start(phase.term, student.is_empty)
        yield macros.courses_start(has_courses)
        yield macros.courses_end(has_courses, summarize_credits(student.max_credits, student.credits))
        yield macros.term_end()

    key = "term", phase.term, student.is_empty, has_courses, student.credits, student.max_credits
    start, courses_start, courses_end, end = render_shared_parts(SCHEDULE_MACROS, key, render_frame)
    yield start
    if phase.is_running:
        yield from week_texts.render(WEEK_NAME, phase.term, schedule_rows.week_entries(student, offered))
    if not student.is_empty:
        yield courses_start
        yield from (_course(student, one, offered) for one in student.registrations)
        yield courses_end
    if waiting := schedule_rows.waitlist_rows(student, offered):
        yield from _waitlists(phase, waiting, schedule_rows.overload_warning(student, waiting, offered))
    yield end


def _course(student: StudentTerm, registration: Registration, offered: Catalog) -> InputFreeText:
    """Return the row of a course; its button asks first if another student is waiting for the seat."""
    phase, course, section = student.phase, registration.course, registration.section
    warning = schedule_rows.corequisite_warning(student, registration, offered)
    key = (
        *("course_row", phase, course, registration.status, student.drop_hold is None, warning),
        *(section.section, section.meetings, section.instructor, section.room, section.waiting > 0),
    )

    def render_row(macros: Any) -> list[str]:
        return [macros.course_row(schedule_rows.schedule_row(student, registration, warning), phase.term)]

    [row] = render_shared_parts(SCHEDULE_MACROS, key, render_row)
    return row


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
