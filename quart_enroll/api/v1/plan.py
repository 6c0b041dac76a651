"""The student's plan for a term, and enrolling in all of it; every change is safe to repeat."""

from msgspec import UNSET
from quart import Response, url_for

from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.plan_schemas import (
    EnrollPlanBody,
    PlanBody,
    PlanEdit,
    PlannedQuery,
    PlanOutcomes,
    PlanQuery,
    PlanSchema,
    PlanSectionSchema,
)
from quart_enroll.domain.errors import NotPlanned
from quart_enroll.services.enrollment import enroll_plan as enrollment
from quart_enroll.services.enrollment import plan as service
from quart_enroll.services.enrollment import plan_view
from quart_enroll.state import catalog, change_limiter, database, enrollment_context, now
from quart_enroll.web import auth


@responds_with(PlanSchema, problems=(404, 409))
@takes_query(PlanQuery)
async def plan(query: PlanQuery) -> Response:
    """Get your plan for a term.

    Each section comes with its alternatives, any reasons why you can't enroll in it, and why the last attempt failed.
    """
    return await _plan(query.term)


@responds_with(PlanSchema, 200, 201, problems=(404, 409))
@takes_body(PlanBody)
async def add_to_plan(body: PlanBody) -> Response:
    """Plan a section.

    It replaces any other planned section of the course. Returns 201 with the plan, or 200 for a repeated request.
    """
    request = (await catalog()).resolve(body.request())
    added = await service.add(enrollment_context(), _user_id(), request, now())
    return await _plan(added.offering.term.term, 201 if added.is_new else 200)


@responds_with(PlanSchema, problems=(404, 409))
@takes_body(PlanEdit)
async def edit_plan(body: PlanEdit) -> Response:
    """Set a planned course's alternatives, or its position.

    Returns the plan.
    """
    request = (await catalog()).resolve(body.request())
    alternatives = None if body.alternatives is UNSET else body.alternatives
    position = None if body.position is UNSET else body.position
    term = await service.edit(
        enrollment_context(), _user_id(), request, now(), alternatives=alternatives, position=position
    )
    return await _plan(term.term)


@responds_with(PlanSchema, problems=(400, 404, 409))
@takes_query(PlannedQuery)
async def remove_from_plan(query: PlannedQuery) -> Response:
    """Remove a course from your plan.

    Returns the plan, even if the course wasn't in it.
    """
    request = (await catalog()).resolve(query.request())
    try:
        _, term = await service.remove(database(), _user_id(), request, now())
    except NotPlanned:
        return await _plan(query.term)
    return await _plan(term.term)


@responds_with(PlanOutcomes, problems=(404, 409))
@takes_body(EnrollPlanBody)
async def enroll_in_plan(body: EnrollPlanBody) -> Response:
    """Enroll in everything in your plan.

    Sections are tried in the order of the plan. If you can't get one, its alternatives are tried. The sections that you
    get leave the plan; the others stay, with the reason. A repeated request tries again the sections that are left.
    """
    user_id, offered = _user_id(), await catalog()
    term, outcomes = await enrollment.enroll_plan(enrollment_context(), user_id, body.term, now(), offered)
    change_limiter().charge(user_id, len(outcomes))  # each was as much work as a change of its own
    return respond(PlanOutcomes.of(term.term, outcomes))


async def _plan(term_name: str, status: int = 200) -> Response:
    """Return the plan as it is stored."""
    offered = await catalog()
    term, entries = await plan_view.read(database(), _user_id(), term_name, now(), offered)
    content = PlanSchema(term.term, [PlanSectionSchema.of(one, offered) for one in entries])
    return respond(content, status, url_for("v1_plan", term=term.term) if status == 201 else "")


def _user_id() -> int:
    return auth.signed_in().user_id
