"""The texts of a student's plan, which students who see the same share."""

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import escape

from quart_enroll.domain.models import Term
from quart_enroll.domain.week import WeekEntry
from quart_enroll.i18n.language import format_day_name
from quart_enroll.pages.catalog.course_rows import seats_key
from quart_enroll.pages.enrollment import plan_rows, plan_week, week_texts
from quart_enroll.pages.enrollment.credits import summarize_credits
from quart_enroll.pages.enrollment.plan_rows import LostCourse, PlanChoice, PlanRow
from quart_enroll.pages.student_state import StudentState
from quart_enroll.web.compression import InputFreeText
from quart_enroll.web.templating import render_filled, render_shared, render_shared_parts

PLAN_MACROS, SEATS_MACROS = "macros/plan.html", "macros/seats.html"

WEEK_NAME, WEEK_LEVEL = "plan-week", 2
"""The ID of the week's heading, and its level."""


def render(term: Term, rows: Iterable[PlanRow], lost: Iterable[LostCourse]) -> list[bytes]:
    """Return the text of the rows."""
    texts = [text for row in rows for text in _row(term, row)]
    texts += [render_shared(PLAN_MACROS, "lost_row", one, one) for one in lost]
    return [InputFreeText(b"".join(texts))]


def render_total(term: Term, rows: Iterable[PlanRow], state: StudentState) -> list[bytes]:
    """Return the text of the sum of credits."""
    total = term.max_credits, *plan_rows.credits_of(rows, state)

    def render_summary(macros: Any) -> list[str]:
        return [macros.total(summarize_credits(*total))]

    return [*render_shared_parts(PLAN_MACROS, total, render_summary)]


def render_plans(plans: Iterable[PlanChoice]) -> list[bytes]:
    """Return the text of the list of plans."""
    return [InputFreeText(b"".join(render_shared(PLAN_MACROS, "plan_choice", one, one) for one in plans))]


def render_name_in_use(plans: Iterable[PlanChoice]) -> list[bytes]:
    """Return the name of the plan in use, for an attribute; it is empty until the plan is renamed."""
    return [str(escape(one.name)).encode() for one in plans if one.is_in_use]


def render_week(term: Term, sections: Sequence[WeekEntry], rows: Iterable[PlanRow], state: StudentState) -> list[bytes]:
    """Return the text of the week, and of the facts about it."""
    facts, credits = plan_week.facts(sections), plan_rows.credits_of(rows, state)
    key = "week_facts", facts.free_days, facts.hours, credits, term.max_credits

    def render_facts(macros: Any) -> list[str]:
        free_days = [format_day_name(day) for day in facts.free_days]
        return [macros.week_facts(facts.hours, free_days, summarize_credits(term.max_credits, *credits))]

    week = week_texts.render(WEEK_NAME, term, sections, WEEK_LEVEL, is_mentioned=plan_week.is_mentioned)
    parts = [*week, *render_shared_parts(PLAN_MACROS, key, render_facts)]
    if facts.others:
        others = [(one.title, one.meetings, one.status == "waiting") for one in facts.others]
        names = b"".join(render_shared(PLAN_MACROS, "week_other", one, *one) for one in others)
        parts.append(render_filled(PLAN_MACROS, "week_others", None, [names]))
    return [InputFreeText(b"".join(parts))]


def _row(term: Term, row: PlanRow) -> list[InputFreeText]:
    """Return the texts of a row; the problems of the course are filled in, because few students share them."""
    section, choice, course = row.choice.section, row.choice, row.course
    key = (
        *("row", section.key, course, section.meetings, section.instructor, section.room),
        *(row.is_pending, choice.status if choice.state == "waiting" else "", row.is_first, row.is_last),
        *(row.substitute_text, row.alternatives, tuple((one.section, one.meetings) for one in row.others)),
        *(one.appearance for one in row.seat_buttons),
    )

    def render_row(macros: Any) -> list[str]:
        return [macros.row_start(row, term), macros.row_actions(row), macros.row_end(row)]

    start, actions, end = render_shared_parts(PLAN_MACROS, key, render_row)
    troubles = [render_filled(PLAN_MACROS, "row_troubles", None, found)] if (found := row.troubles) else []
    return [start, render_shared(SEATS_MACROS, "seats_cell", seats_key(section), section), actions, *troubles, end]
