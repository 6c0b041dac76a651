"""Students in the person's scope: the list, their records, and acting for them."""

from msgspec import UNSET
from quart import Response, abort

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.schemas import EventPage, EventSchema, PageQuery, WaitlistPlaces
from quart_enroll.api.v1.staff.section_schemas import SectionKeyQuery
from quart_enroll.api.v1.staff.student_schemas import (
    ActBody,
    ActResult,
    RuleList,
    StudentPage,
    StudentQuery,
    StudentRecord,
    StudentSchema,
)
from quart_enroll.domain import permissions
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.errors import WrongFields
from quart_enroll.domain.roles import Role
from quart_enroll.services.enrollment import history, staff_changes
from quart_enroll.services.enrollment import student as student_facts
from quart_enroll.services.enrollment.staff_changes import StaffAction
from quart_enroll.services.staff import people
from quart_enroll.services.staff import students as service
from quart_enroll.state import database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.records import open_record


@responds_with(StudentPage)
@takes_query(StudentQuery)
async def staff_students(query: StudentQuery) -> Response:
    """List the students whose records you may see.

    By default, students who opted out of the directory are left out.
    """
    after = cursors.decode_user_id(query.cursor)
    wanted = service.in_scope(auth.signed_in(), query.q.split(), order="user_id", with_opted_out=query.opted_out)
    found = await people.find_after(database(), wanted, after, limit=query.limit + 1)
    page = found[: query.limit]
    next_cursor = cursors.encode(page[-1].user_id) if len(found) > query.limit else None
    return respond(StudentPage([StudentSchema.of(one) for one in page], next_cursor))


@responds_with(StudentRecord, problems=(404,))
async def staff_student(user_id: int) -> Response:
    """Get a student's record."""
    student = await open_record(user_id)
    db = database()
    seats = await student_facts.registrations_in(db, user_id, "", now())
    places = WaitlistPlaces.of(
        await student_facts.waitlist_entries(db, user_id), await student_facts.waitlist_positions(db, user_id)
    )
    snapshot = await student_facts.snapshot(user_cache(), user_id)
    return respond(StudentRecord.of(student, seats, places, snapshot.plan))


@responds_with(EventPage, problems=(404,))
@takes_query(PageQuery)
async def staff_student_events(query: PageQuery, user_id: int) -> Response:
    """List a student's enrollment history."""
    mark = cursors.decode(query.cursor, str) if query.cursor else ""
    await open_record(user_id)
    try:
        found, next_mark = await history.page(database(), user_id, mark, query.limit)
    except ValueError:
        cursors.refuse()
    return respond(EventPage([EventSchema.of(one) for one in found], cursors.encode(next_mark) if next_mark else None))


@responds_with(RuleList, problems=(404, 409))
@takes_query(SectionKeyQuery)
async def why(query: SectionKeyQuery, user_id: int) -> Response:
    """Explain whether a student can enroll in a section.

    Returns every rule and how it applies now.
    """
    await open_record(user_id)
    change = staff_changes.StaffChange(StaffAction.ENROLL, query.key)
    return respond(RuleList.of(await staff_changes.find_rules(database(), user_id, change, now())))


@responds_with(ActResult, problems=(404, 409))
@takes_body(ActBody)
async def act(body: ActBody, user_id: int) -> Response:
    """Act for a student.

    The student is told who did it and why. A rule that forbids the change leads to a refusal, unless it is one of
    the `overrides`; `why` lists them. Repeating a change is refused, for example with `already_enrolled`.
    """
    student = await open_record(user_id)
    if not permissions.can_act_for(auth.signed_in(), student):
        abort(404)
    change, overrides = body.change, frozenset(map(Override, body.overrides))
    if change.action is StaffAction.SWAP and body.dropped is UNSET:
        raise WrongFields({"dropped": "Send the number of the course to drop."})
    db = database()
    if body.dry_run:
        await staff_changes.check(db, user_id, change, overrides, now())
    else:
        role = permissions.acting_role(auth.signed_in(), Role.ADVISOR)
        actor = Actor(auth.signed_in().user_id, body.reason.strip(), overrides, role)
        await staff_changes.make(enrollment_context(), actor, user_id, change, now())
    seats = await student_facts.registrations(db, user_id, [body.term])
    entry = await student_facts.waitlist_entry(db, user_id, body.key)
    positions = await student_facts.waitlist_positions(db, user_id)
    return respond(ActResult.of(user_id, body, seats, entry, positions))
