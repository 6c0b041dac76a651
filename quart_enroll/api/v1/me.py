"""What a student has, and does: every change is one of the services, and safe to repeat."""

from msgspec import UNSET
from quart import Response, url_for

from quart_enroll.api.v1 import cursors
from quart_enroll.api.v1.exchange import answer, answers_with, takes_body, takes_query
from quart_enroll.api.v1.shapes import (
    EnrollBody,
    Enrollment,
    Enrollments,
    Event,
    Events,
    GivenBack,
    Left,
    Me,
    PageQuery,
    Place,
    Places,
    SwapBody,
    WaitBody,
    WhichCourse,
    WhichDrop,
    WhichEnrollments,
)
from quart_enroll.db.collections import enrollments as stored
from quart_enroll.db.collections import events as stored_events
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.collections import waitlist as stored_places
from quart_enroll.domain import terms as calendar
from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, NotEnrolled, NotWaiting
from quart_enroll.domain.folding import section_key
from quart_enroll.domain.models import Registration, SectionKey, SectionRequest
from quart_enroll.services.enrollment import enroll as rules
from quart_enroll.services.enrollment import resolve
from quart_enroll.services.enrollment import waitlist as waitlists
from quart_enroll.services.enrollment.enroll_together import enroll_with_corequisites
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import auth


@answers_with(Me)
async def me() -> Response:
    """Show who asks."""
    user = auth.signed_in()
    return answer(Me(user.user_id, user.email, user.first_name, user.last_name, user.role))  # type: ignore[arg-type]


@answers_with(Enrollments, refuses=(404, 409))
@takes_query(WhichEnrollments)
async def enrollments(query: WhichEnrollments) -> Response:
    """List your enrollments.

    In all terms, past ones and withdrawn courses included, or those that you name.
    """
    courseID = UNSET if query.courseID is UNSET else (await catalog()).resolve_courseID(query.courseID)
    known = await stored_terms.find_all(database())
    meant = [calendar.find(query.term, known, now())] if query.term else known
    found = await stored.find_in_terms(database(), _student(), [term.term for term in meant])
    return answer(
        Enrollments(
            [
                Enrollment.of(one.course, one.section, one.status)
                for one in found
                if courseID is UNSET or one.courseID == courseID
            ]
        )
    )


@answers_with(Enrollment, 200, 201, refuses=(404, 409))
@takes_body(EnrollBody)
async def enroll(body: EnrollBody) -> Response:
    """Take a seat.

    Answers 201 with your enrollment; asked for again, 200 with the one that you have.
    """
    offered = await catalog()
    wish = offered.resolve(body.wish())
    try:
        if body.with_corequisites:
            placed, *_ = await enroll_with_corequisites(enrollment_context(), _student(), wish, now())
            if isinstance(placed, AlreadyEnrolled):
                raise placed
        else:
            placed = await rules.enroll(enrollment_context(), _student(), wish, now(), offered)
    except AlreadyEnrolled as refusal:
        return _enrolled(await _had(refusal, wish), 200)
    return _enrolled(Enrollment.of(placed.offering.course, placed.offering.section, "enrolled"), 201)


@answers_with(GivenBack, refuses=(400, 404, 409))
@takes_query(WhichDrop)
async def drop(query: WhichDrop) -> Response:
    """Give back a seat.

    Before the drop deadline it leaves no trace; after it the course stays as withdrawn. Answers `nothing` when you
    don't have the course.
    """
    wish = (await catalog()).resolve(query.wish())
    try:
        gone = await rules.drop(
            enrollment_context(), _student(), wish, now(), with_corequisites=query.with_corequisites
        )
    except NotEnrolled as refusal:
        return answer(GivenBack(refusal.term, "nothing", []))
    return answer(GivenBack(gone.term, gone.action, [one.courseID for one in gone.courses]))  # type: ignore[arg-type]


@answers_with(Enrollment, 200, 201, refuses=(404, 409))
@takes_body(SwapBody)
async def swap(body: SwapBody) -> Response:
    """Take one seat for another.

    Whatever fails, you keep the old one. Asked for again, answers 200 with the enrollment that you have.
    """
    offered = await catalog()
    wish, given_up = offered.resolve(body.wish()), offered.resolve_courseID(body.drop)
    try:
        placed = await rules.swap(enrollment_context(), _student(), given_up, wish, now())
    except AlreadyEnrolled as refusal:
        return _enrolled(await _had(refusal, wish, gone=given_up), 200)
    return _enrolled(Enrollment.of(placed.offering.course, placed.offering.section, "enrolled"), 201)


@answers_with(Places)
async def waitlist() -> Response:
    """List your places in lines."""
    positions = await stored_places.find_positions(database(), _student())
    waiting = await stored_places.find_in_all_terms(database(), _student())
    return answer(
        Places(
            [
                Place.waiting(one, positions[one.key])
                for one in sorted(waiting, key=lambda one: one.key)
                if one.key in positions
            ]
        )
    )


@answers_with(Place, 200, 201, refuses=(404, 409))
@takes_body(WaitBody)
async def join(body: WaitBody) -> Response:
    """Join a waitlist.

    Answers 201 with your place, or with `enrolled` when a seat was open; asked for again, 200 with what you have.
    """
    offered = await catalog()
    wish = offered.resolve(body.wish())
    given_up = offered.resolve_courseID(body.drop_if_enrolled) if body.drop_if_enrolled else None
    try:
        joined = await waitlists.join(enrollment_context(), _student(), wish, now(), given_up)
    except AlreadyWaiting as refusal:
        return _placed(await _waits(refusal, wish, given_up), 200)
    except AlreadyEnrolled as refusal:
        had = await _had(refusal, wish, gone=given_up)
        return _placed(Place.taken(SectionKey(had.term, had.courseID, had.section)), 200)
    key = joined.offering.key
    place = await _place(key) if joined.position is not None else None
    return _placed(place or Place.taken(key), 201)


@answers_with(Left, refuses=(400, 404, 409))
@takes_query(WhichCourse)
async def leave(query: WhichCourse) -> Response:
    """Leave a waitlist.

    Answers `nothing` when you don't wait for the course.
    """
    wish = (await catalog()).resolve(query.wish())
    try:
        await waitlists.leave(enrollment_context(), _student(), wish, now())
    except NotWaiting:
        return answer(Left(wish.courseID, "nothing"))
    return answer(Left(wish.courseID, "leave"))


@answers_with(Events)
@takes_query(PageQuery)
async def events(query: PageQuery) -> Response:
    """List what happened to your seats."""
    mark = cursors.read(query.cursor, str) if query.cursor else ""
    try:
        found, following = await stored_events.find_page(database(), _student(), mark, query.limit)
    except ValueError:
        cursors.wrong()
    return answer(Events([Event.of(one) for one in found], cursors.make(following) if following else None))


def _student() -> int:
    return auth.signed_in().user_id


async def _had(refusal: AlreadyEnrolled, wish: SectionRequest, gone: str | None = None) -> Enrollment:
    """Return the student's enrollment when it is what was asked for; else raise the refusal.

    It is not when it is in another section, or when the course that was to go for it is still there.
    """
    held = await stored.find_in_term(database(), _student(), refusal.term)
    enrolled: dict[str, Registration] = {one.courseID: one for one in held if one.status == "enrolled"}
    one = enrolled.get(wish.courseID)
    other = one is None or not _is_meant(wish.section, one.section.section)
    if one is None or other or (gone != wish.courseID and gone in enrolled):
        raise refusal
    return Enrollment.of(one.course, one.section, one.status)


async def _waits(refusal: AlreadyWaiting, wish: SectionRequest, given_up: str | None) -> Place:
    """Return the student's place when it is what was asked for; else raise the refusal."""
    waiting = await stored_places.find_terms(database(), _student(), wish.courseID)
    term = await resolve.find_term(database(), wish, wish.courseID, waiting, now())
    place = await _place(SectionKey(term.term, wish.courseID, wish.section)) if term else None
    if place is None or not _is_meant(wish.section, place.section) or given_up != place.drop_if_enrolled:
        raise refusal
    return place


def _is_meant(number: str, section: str) -> bool:
    """Tell whether the student may have asked for this section, by its number in any spelling or by none."""
    return not number or section_key(number) == section_key(section)


async def _place(key: SectionKey) -> Place | None:
    """Return where the student waits for the course."""
    positions = await stored_places.find_positions(database(), _student())
    one = await stored_places.find(database(), _student(), key.term, key.courseID)
    return Place.waiting(one, positions[one.key]) if one and one.key in positions else None


def _enrolled(had: Enrollment, status: int) -> Response:
    return answer(had, status, url_for("v1_enrollments", courseID=had.courseID, term=had.term))


def _placed(place: Place, status: int) -> Response:
    if place.status == "waiting":
        return answer(place, status, url_for("v1_waitlist"))
    return answer(place, status, url_for("v1_enrollments", courseID=place.courseID, term=place.term))
