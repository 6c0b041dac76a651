"""The schedule builder: weeks without conflicts from the courses of the plan, each with a button that plans it.

A GET builds, so a link to the page has all the constraints; students who follow it see weeks of their own courses.
"""

import asyncio
from collections.abc import Sequence

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Section
from quart_enroll.domain.schedule_builder import Constraints, CourseOptions, Result, build_weeks
from quart_enroll.forms.schedule_builder import BuilderForm, WeekForm
from quart_enroll.i18n.language import TermName, gettext
from quart_enroll.pages import student_state
from quart_enroll.pages.enrollment import builder_weeks, plan, plan_rows
from quart_enroll.pages.enrollment.builder_weeks import BuilderFacts
from quart_enroll.pages.form_views import flash_refusal, valid_form
from quart_enroll.services.enrollment import schedule_builder as service
from quart_enroll.state import builder_slots, catalog, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.templating import render

PARAMETERS = ("term", *(field.name for field in BuilderForm()))


async def builder() -> bytes:
    user, moment, offered = auth.signed_in(), now(), await catalog()
    snapshot = await student_state.load_snapshot(user.user_id)
    term = plan.choose_term(snapshot, plan.terms_to_plan(offered, moment), moment, request.args.get("term", ""))
    if term is None:
        return render("schedule_builder.html", plan=True, term=None)
    state = await student_state.load(user, term, offered, snapshot)
    found, _ = plan_rows.find(snapshot, term, offered)
    form = BuilderForm(request.args)
    facts = BuilderFacts.of(found, state, offered)
    form.set_choices(facts.keep_choices())
    variables = {"plan": True, "term": term, "form": form, "built": None}
    if facts.planned:
        only = {"only_open": bool(form.open.data), "only_accepted": bool(form.accepted.data)}
        courses = facts.options(form.keep.data or (), **only)
        enrolled = [one.section for one in state.enrolled]
        result = await _build_alone(courses, enrolled, form.constraints())
        variables["mark"] = service.plan_mark(one for one in snapshot.plan if one.key.term == term.term)
        variables["has_alternatives"] = facts.has_alternatives
        variables["built"] = builder_weeks.built(facts, result, form.constraints())
    return render("schedule_builder.html", **variables)


async def _build_alone(
    courses: Sequence[CourseOptions], enrolled: Sequence[Section], constraints: Constraints
) -> Result:
    """Build in a thread, one at a time; the next build begins when this thread has ended, even if its request has."""
    slots = builder_slots()
    await slots.acquire()
    building = asyncio.ensure_future(asyncio.to_thread(build_weeks, courses, enrolled, constraints))
    building.add_done_callback(lambda _: slots.release())
    return await asyncio.shield(building)


@valid_form(WeekForm)
async def use_week(form: WeekForm) -> ResponseReturnValue:
    context, user_id = enrollment_context(), auth.signed_in().user_id
    try:
        term = await service.use_week(
            context, user_id, form.term.data or "", form.chosen_sections(), form.plan.data or "", now()
        )
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))
    await flash(gettext("Your plan for %(term)s now uses this week.", term=TermName(term.term)), "success")
    return redirect(url_for("plan", term=term.term), 303)
