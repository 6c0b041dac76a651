"""Holds: the types, the list, and a student's holds, which registrars place and lift."""

from quart import Response, abort

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.staff.hold_schemas import (
    HoldPage,
    HoldQuery,
    HoldSchema,
    HoldTypeList,
    HoldTypeSchema,
    LiftHoldBody,
    PlaceHoldBody,
)
from quart_enroll.domain.errors import AccountGone
from quart_enroll.services.staff import hold_types
from quart_enroll.services.staff import holds as service
from quart_enroll.state import database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.records import open_record


@responds_with(HoldTypeList)
async def staff_hold_types() -> Response:
    """List the types of holds."""
    return respond(HoldTypeList([HoldTypeSchema.of(one) for one in await hold_types.find_all(database())]))


@responds_with(HoldPage)
@takes_query(HoldQuery)
async def staff_holds(query: HoldQuery) -> Response:
    """List holds, lifted ones included."""
    after = cursors.decode(query.cursor, str) if query.cursor else ""
    try:
        found, mark = await service.find_page(database(), query.wanted, after, query.limit)
    except ValueError:
        cursors.refuse()
    return respond(HoldPage([HoldSchema.of(one) for one in found], cursors.encode(mark) if mark else None))


@responds_with(HoldSchema, problems=(404,))
@takes_body(PlaceHoldBody)
async def place_hold(body: PlaceHoldBody, user_id: int) -> Response:
    """Place a hold on a student.

    The student is notified. A hold that the student already has isn't placed again.
    """
    await open_record(user_id)
    hold, staff_id = body.hold(await hold_types.find(database(), body.type), now()), auth.signed_in().user_id
    try:
        placed = await service.place(enrollment_context(), staff_id, user_id, hold, now())
    except AccountGone:
        abort(404)
    user_cache().invalidate(user_id)
    return respond(HoldSchema.of(await service.find(database(), user_id, placed.hold_id) or abort(404)))


@responds_with(HoldSchema, problems=(404,))
@takes_body(LiftHoldBody)
async def lift_hold(body: LiftHoldBody, user_id: int) -> Response:
    """Lift a student's hold.

    The student is notified, and gets each open seat that they're waiting for. Lifting a lifted hold changes nothing.
    """
    await open_record(user_id)
    db, staff_id = database(), auth.signed_in().user_id
    if await service.find(db, user_id, body.hold_id) is None:
        abort(404)
    await service.lift(enrollment_context(), staff_id, user_id, body.hold_id, body.reason.strip(), now())
    user_cache().invalidate(user_id)
    return respond(HoldSchema.of(await service.find(db, user_id, body.hold_id) or abort(404)))
