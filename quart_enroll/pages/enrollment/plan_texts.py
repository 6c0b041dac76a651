"""The texts of a student's plan, which students who see the same share."""

from collections.abc import Hashable, Iterable
from typing import Any

from quart_enroll.domain.models import Term
from quart_enroll.pages.enrollment import plan_rows
from quart_enroll.pages.enrollment.plan_rows import LostCourse, PlanRow
from quart_enroll.pages.student_state import StudentState
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_shared, render_shared_parts

PLAN_MACROS, SEATS_MACROS = "macros/plan.html", "macros/seats.html"


def render(term: Term, rows: Iterable[PlanRow], lost: Iterable[LostCourse]) -> list[bytes]:
    """Return the text of the rows."""
    texts = [text for row in rows for text in _row(term, row)]
    texts += [render_shared(PLAN_MACROS, "lost_row", one, one) for one in lost]
    return [InputFreeText(b"".join(texts))]


def render_total(term: Term, rows: Iterable[PlanRow], state: StudentState) -> list[bytes]:
    """Return the text of the sum of credits."""
    total = *plan_rows.credits_of(rows, state), term.max_credits

    def render_summary(macros: Any) -> list[str]:
        return [macros.total(plan_rows.summarize_credits(*total))]

    return [*render_shared_parts(PLAN_MACROS, total, render_summary)]


def _row(term: Term, row: PlanRow) -> tuple[InputFreeText, ...]:
    section, choice = row.choice.section, row.choice
    start = section.key, row.course, section.meetings, section.instructor, section.room
    seats = section.status, section.open_seats, section.capacity, section.waiting
    end: Hashable = (
        *(section.key, row.course.title, choice.state, choice.status, row.is_first, row.problems, row.last_refusal),
        *(one.appearance for one in row.alternatives),
    )
    return (
        render_shared(PLAN_MACROS, "row_start", start, row, term),
        render_shared(SEATS_MACROS, "seats_cell", seats, section),
        render_shared(PLAN_MACROS, "row_end", end, row),
    )
