"""The student's plan for a term: its problems, and one button that enrolls in everything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import appointments, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import AlreadyEnrolled, Refused
from quart_enroll.domain.models import SectionKey, SectionRequest, Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.forms.enrollment import AlternativesForm, EnrollForm, PlanNameForm, PlannedSectionForm, TermForm
from quart_enroll.i18n.language import TermName, gettext, ngettext
from quart_enroll.pages import appointment_banner, hold_banner, student_state
from quart_enroll.pages.catalog.section_actions import section_name
from quart_enroll.pages.enrollment import plan_rows, plan_texts, plan_week
from quart_enroll.pages.enrollment.enrollment import enrolled_message
from quart_enroll.pages.form_views import (
    flash_refusal,
    row_url,
    section_form,
    to_row_or_page,
    valid_form,
)
from quart_enroll.pages.live_url import live_url
from quart_enroll.pages.term_window import closed_window
from quart_enroll.services.enrollment import plan as service
from quart_enroll.services.enrollment import plan_check
from quart_enroll.services.enrollment.enroll_plan import Outcome, enroll_plan
from quart_enroll.state import catalog, change_limiter, database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.jinja_environment import section_mark
from quart_enroll.web.templating import is_overridden, render, render_frame


async def plan() -> bytes:
    return await page(request.args.get("term", ""))


async def page(wanted: str, refused: PlanNameForm | None = None) -> bytes:
    """Return the page of the plan for the wanted term, or the most relevant one.

    It shows the errors of a `refused` form that names a plan.
    """
    user, moment, offered = auth.signed_in(), now(), await catalog()
    choice = terms_to_plan(offered, moment)
    snapshot = await student_state.load_snapshot(user.user_id)
    term = choose_term(snapshot, choice, moment, wanted)
    if term is None:
        return render(
            "plan.html",
            plan=True,
            term=None,
            rows=[],
            lost=[],
            terms=[],
            form=PlanNameForm(),
            **hold_banner.variables(snapshot),
        )
    term = student_state.with_own_limit(snapshot, term)
    state = await student_state.load(user, term, offered, snapshot)
    found, lost = plan_rows.find(snapshot, term, offered)
    checked = plan_check.check(
        found, state.enrolled, state.taken or (), state.attributes, state.permits, moment, offered
    )
    rows = plan_rows.build(term, checked, state, moment, offered)
    sections = plan_week.entries([one.wanted for one in checked], state, offered)
    plans = plan_rows.plans(term, snapshot)
    facts: dict[str, Any] = {
        "plan": True,
        "term": term,
        "terms": tuple(str(one) for one in choice),
        "wanted": sum(row.is_pending for row in rows),
        "window": closed_window(term, moment, snapshot),
        "has_plans": bool(plans),
    }
    if is_overridden("plan.html"):
        banners = hold_banner.variables(snapshot) | appointment_banner.variables(snapshot, [term])
        total, week = plan_rows.credits_summary(term, rows, state), plan_week.build(sections)
        facts |= {"credits_summary": total, "week": week, "plans": plans, **banners}
        return render("plan.html", **facts, rows=rows, lost=lost, form=refused or PlanNameForm())
    window = facts["window"]
    gaps: dict[str, Sequence[bytes]] = {**(window.gaps if window else {}), **hold_banner.gaps(snapshot)}
    if window is None:
        gaps |= appointment_banner.gaps(snapshot, [term])
    if rows or lost:
        gaps["rows"] = plan_texts.render(term, rows, lost)
        gaps["total"] = plan_texts.render_total(term, rows, state)
    if rows:
        gaps["week"] = plan_texts.render_week(term, sections, rows, state)
        gaps["live_url"] = [live_url([term.term], [row.course.courseID for row in rows])]
    if rows or plans:
        gaps["plans"], gaps["in_use"] = plan_texts.render_plans(plans), plan_texts.render_name_in_use(plans)
    key = None if refused else (*facts.values(), *gaps)
    return render_frame("plan.html", key, gaps, lambda: facts | {"form": refused or PlanNameForm()})


@section_form(EnrollForm, refused_to=to_row_or_page("plan"))
async def add(_form: EnrollForm, requested: SectionRequest) -> ResponseReturnValue:
    added = await service.add(enrollment_context(), auth.signed_in().user_id, requested, now())
    where, term = (
        section_name(added.offering.course.title, added.offering.key.section),
        TermName(added.offering.term.term),
    )
    if added.is_new:
        await flash(gettext("Added to your plan for %(term)s: %(where)s.", where=where, term=term), "success")
    else:
        await flash(gettext("Already in your plan for %(term)s: %(where)s.", where=where, term=term), "info")
    return redirect(row_url(requested, url_for("plan", term=added.offering.term.term)), 303)


@section_form(PlannedSectionForm, refused_to=to_row_or_page("plan"))
async def remove(_form: PlannedSectionForm, requested: SectionRequest) -> ResponseReturnValue:
    course, term = await service.remove(database(), auth.signed_in().user_id, requested, now())
    message = gettext("Removed from your plan for %(term)s: %(title)s.", title=course.title, term=TermName(term.term))
    await flash(message, "success")
    return redirect(row_url(requested, url_for("plan", term=term.term)), 303)


@section_form(AlternativesForm, refused_to=to_row_or_page("plan"))
async def set_alternatives(form: AlternativesForm, requested: SectionRequest) -> ResponseReturnValue:
    alternatives = form.alternative.data or []
    user_id = auth.signed_in().user_id
    course, term = await service.set_alternatives(enrollment_context(), user_id, requested, alternatives, now())
    where = section_name(course.title, requested.section)
    await flash(f"{where}: {plan_rows.alternatives_text(alternatives)}", "success")
    mark = section_mark(SectionKey(term.term, course.courseID, requested.section))
    return redirect(url_for("plan", term=term.term, _anchor=f"{mark}-alternatives"), 303)


@section_form(PlannedSectionForm, refused_to=to_row_or_page("plan"))
async def move_up(_form: PlannedSectionForm, requested: SectionRequest) -> ResponseReturnValue:
    return await _move(requested, down=False)


@section_form(PlannedSectionForm, refused_to=to_row_or_page("plan"))
async def move_down(_form: PlannedSectionForm, requested: SectionRequest) -> ResponseReturnValue:
    return await _move(requested, down=True)


async def _move(requested: SectionRequest, *, down: bool) -> ResponseReturnValue:
    moved = await service.move(enrollment_context(), auth.signed_in().user_id, requested, now(), down=down)
    message = gettext(
        "%(title)s is now number %(position)s of %(length)s in your plan.",
        title=moved.course.title,
        position=moved.position,
        length=moved.length,
    )
    await flash(message, "info")
    return redirect(row_url(requested, url_for("plan", term=moved.term.term)), 303)


@valid_form(TermForm)
async def enroll(form: TermForm) -> ResponseReturnValue:
    user_id = auth.signed_in().user_id
    try:
        term, outcomes = await enroll_plan(enrollment_context(), user_id, form.term.data or "", now(), await catalog())
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))
    change_limiter().charge(user_id, len(outcomes))  # each was as much work as a click of its own
    await _flash_outcomes(term, outcomes)
    return redirect(url_for("plan", term=term.term), 303)


async def _flash_outcomes(term: Term, outcomes: Sequence[Outcome]) -> None:
    """Flash the outcome of each course; the plan itself shows why courses were refused."""
    if not outcomes:
        await flash(gettext("Your plan for %(term)s is empty.", term=TermName(term.term)), "info")
    for outcome in outcomes:
        if outcome.enrolled:
            await flash(enrolled_message(outcome.enrolled) + _instead_message(outcome), "success")
        elif isinstance(outcome.refusal, AlreadyEnrolled):
            await flash(outcome.refusal.text, "info")
    refused = [one for one in outcomes if one.refusal and not isinstance(one.refusal, AlreadyEnrolled)]
    if refused:
        left = ngettext(
            "We couldn’t enroll you in %(number)s course; see why below.",
            "We couldn’t enroll you in %(number)s courses; see why below.",
            len(refused),
        )
        await flash(left, "warning")


def _instead_message(outcome: Outcome) -> str:
    if not outcome.instead_of:
        return ""
    return " " + gettext(
        "You got section %(section)s, because section %(planned)s couldn’t be taken.",
        section=outcome.key.section,
        planned=outcome.instead_of.section,
    )


def terms_to_plan(offered: Catalog, moment: datetime) -> list[Term]:
    """Return the terms in which students can still enroll."""
    return [term for term in offered.active_terms(moment) if moment < term.add_deadline]


def choose_term(snapshot: StudentSnapshot, choice: Sequence[Term], moment: datetime, wanted: str) -> Term | None:
    """Return the wanted term; without one the first term with a plan, or else the next to open."""
    if wanted:
        return terms.find(wanted, choice, moment)
    if not choice:
        return None
    has = {one.key.term for one in snapshot.plan}
    planned = [term for term in choice if term.term in has]
    to_open = [
        term
        for term in choice
        if appointments.next_start(term, appointments.in_term(snapshot.appointments, term), moment)
    ]
    return [*planned, *to_open, *choice][0]
