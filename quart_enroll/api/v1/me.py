"""The student's own data and changes; every change is safe to repeat."""

from collections.abc import Mapping

from msgspec import UNSET
from quart import Response, url_for

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.json_views import respond, responds_with, takes_body, takes_query
from quart_enroll.api.v1.schemas import (
    DropQuery,
    DropResult,
    EnrollBody,
    EnrollmentList,
    EnrollmentQuery,
    EnrollmentSchema,
    EventPage,
    EventSchema,
    LeaveQuery,
    LeaveResult,
    PageQuery,
    SwapBody,
    UserSchema,
    WaitlistBody,
    WaitlistPlaces,
    WaitlistPlaceSchema,
)
from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, NotEnrolled, NotWaiting
from quart_enroll.domain.models import Registration, SectionKey, SectionRequest, WaitlistEntry
from quart_enroll.services.enrollment import enroll as enrollment
from quart_enroll.services.enrollment import history, repeats, student
from quart_enroll.services.enrollment import waitlist as waitlists
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.enroll_together import enroll_with_corequisites
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import auth


@responds_with(UserSchema)
async def me() -> Response:
    """Get the current user."""
    user = auth.signed_in()
    return respond(UserSchema.of(user))


@responds_with(EnrollmentList, problems=(404, 409))
@takes_query(EnrollmentQuery)
async def enrollments(query: EnrollmentQuery) -> Response:
    """List your enrollments.

    Includes withdrawn courses and past terms, unless you filter by term.
    """
    courseID = UNSET if query.courseID is UNSET else (await catalog()).resolve_courseID(query.courseID)
    found = await student.registrations_in(database(), _user_id(), query.term, now())
    return respond(
        EnrollmentList([EnrollmentSchema.of(one) for one in found if courseID is UNSET or one.courseID == courseID])
    )


@responds_with(EnrollmentSchema, 200, 201, problems=(404, 409))
@takes_body(EnrollBody)
async def enroll(body: EnrollBody) -> Response:
    """Enroll in a section.

    Returns 201 with the enrollment. Repeats return 200 with the enrollment that you have.
    """
    offered = await catalog()
    request = offered.resolve(body.request())
    try:
        if body.with_corequisites:
            result, *_ = await enroll_with_corequisites(enrollment_context(), _user_id(), request, now())
            if isinstance(result, AlreadyEnrolled):
                raise result
        else:
            result = await enrollment.enroll(enrollment_context(), _user_id(), request, now(), offered)
    except AlreadyEnrolled as refusal:
        return _enrolled(await _existing_enrollment(refusal, request), 200)
    return _enrolled(_registration(result.offering), 201)


@responds_with(DropResult, problems=(400, 404, 409))
@takes_query(DropQuery)
async def drop(query: DropQuery) -> Response:
    """Drop a course.

    A drop before the drop deadline leaves no trace; after it, the course stays on the schedule as withdrawn. Returns
    `nothing` if you don't have the course.
    """
    request = (await catalog()).resolve(query.request())
    try:
        dropped = await enrollment.drop(
            enrollment_context(), _user_id(), request, now(), with_corequisites=query.with_corequisites
        )
    except NotEnrolled as refusal:
        return respond(DropResult(refusal.term, "nothing", []))
    courses = [course.courseID for course in dropped.courses]
    return respond(DropResult(dropped.term, dropped.action, courses))  # type: ignore[arg-type]


@responds_with(EnrollmentSchema, 200, 201, problems=(404, 409))
@takes_body(SwapBody)
async def swap(body: SwapBody) -> Response:
    """Swap one course for another.

    If you can't get the new seat, you keep the old one. Returns 201 with the new enrollment. Repeats return 200 with
    the enrollment that you have.
    """
    offered = await catalog()
    request, dropped = offered.resolve(body.request()), offered.resolve_courseID(body.drop)
    try:
        result = await enrollment.swap(enrollment_context(), _user_id(), dropped, request, now(), offered)
    except AlreadyEnrolled as refusal:
        return _enrolled(await _existing_enrollment(refusal, request, dropped), 200)
    return _enrolled(_registration(result.offering), 201)


@responds_with(WaitlistPlaces)
async def waitlist() -> Response:
    """List your places on waitlists."""
    positions = await student.waitlist_positions(database(), _user_id())
    entries = await student.waitlist_entries(database(), _user_id())
    return respond(WaitlistPlaces.of(entries, positions))


@responds_with(WaitlistPlaceSchema, 200, 201, problems=(404, 409))
@takes_body(WaitlistBody)
async def join(body: WaitlistBody) -> Response:
    """Join a waitlist.

    Returns 201 with your place, or with `enrolled` if a seat was open. Repeats return 200 with what you have.
    """
    offered = await catalog()
    request = offered.resolve(body.request())
    dropped = offered.resolve_courseID(body.drop_if_enrolled) if body.drop_if_enrolled else None
    try:
        joined = await waitlists.join(enrollment_context(), _user_id(), request, now(), dropped, offered)
    except AlreadyWaiting as refusal:
        return _placed(await _existing_place(refusal, request, dropped), 200)
    except AlreadyEnrolled as refusal:
        existing = await _existing_enrollment(refusal, request, dropped)
        return _placed(WaitlistPlaceSchema.enrolled(existing.section.key), 200)
    key = joined.offering.key
    place = await _current_place(key) if joined.position is not None else None
    return _placed(place or WaitlistPlaceSchema.enrolled(key), 201)


@responds_with(LeaveResult, problems=(400, 404, 409))
@takes_query(LeaveQuery)
async def leave(query: LeaveQuery) -> Response:
    """Leave a waitlist.

    Returns `nothing` if you are not on a waitlist for the course.
    """
    request = (await catalog()).resolve(query.request())
    try:
        await waitlists.leave(enrollment_context(), _user_id(), request, now())
    except NotWaiting:
        return respond(LeaveResult(request.courseID, "nothing"))
    return respond(LeaveResult(request.courseID, "leave"))


@responds_with(EventPage)
@takes_query(PageQuery)
async def events(query: PageQuery) -> Response:
    """List your enrollment history."""
    mark = cursors.decode(query.cursor, str) if query.cursor else ""
    try:
        found, next_mark = await history.page(database(), _user_id(), mark, query.limit)
    except ValueError:
        cursors.refuse()
    return respond(EventPage([EventSchema.of(one) for one in found], cursors.encode(next_mark) if next_mark else None))


def _user_id() -> int:
    return auth.signed_in().user_id


def _registration(offering: Offering) -> Registration:
    return Registration(offering.course, offering.section, "enrolled")


async def _existing_enrollment(
    refusal: AlreadyEnrolled, request: SectionRequest, dropped: str | None = None
) -> Registration:
    """Return the student's enrollment if it is what the request asks for; else raise the refusal."""
    found = await repeats.find_enrollment(database(), _user_id(), request, refusal.term, dropped)
    if found is None:
        raise refusal
    return found


async def _existing_place(refusal: AlreadyWaiting, request: SectionRequest, dropped: str | None) -> WaitlistPlaceSchema:
    """Return the student's place if it is what the request asks for; else raise the refusal."""
    entry = await repeats.find_waitlist_entry(database(), _user_id(), request, now(), dropped)
    place = _place(entry, await student.waitlist_positions(database(), _user_id())) if entry else None
    if place is None:
        raise refusal
    return place


async def _current_place(key: SectionKey) -> WaitlistPlaceSchema | None:
    positions = await student.waitlist_positions(database(), _user_id())
    entry = await student.waitlist_entry(database(), _user_id(), key)
    return _place(entry, positions) if entry else None


def _place(entry: WaitlistEntry, positions: Mapping[SectionKey, tuple[int, int]]) -> WaitlistPlaceSchema | None:
    return WaitlistPlaceSchema.waiting(entry, positions[entry.key]) if entry.key in positions else None


def _enrolled(registration: Registration, status: int) -> Response:
    key = registration.section.key
    location = url_for("v1_enrollments", courseID=key.courseID, term=key.term)
    return respond(EnrollmentSchema.of(registration), status, location)


def _placed(place: WaitlistPlaceSchema, status: int) -> Response:
    if place.status == "waiting":
        return respond(place, status, url_for("v1_waitlist"))
    return respond(place, status, url_for("v1_enrollments", courseID=place.courseID, term=place.term))
