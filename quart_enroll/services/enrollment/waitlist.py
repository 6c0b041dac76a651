"""Join the waitlist of a section, or leave it. Promotion has its own module."""

from dataclasses import replace
from datetime import datetime

from quart_enroll.db.collections import waitlist
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import (
    AlreadyWaiting,
    NotWaiting,
    Refused,
    WaitlistClosed,
)
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_actions, swap_cycles
from quart_enroll.services.enrollment.batch_decisions import Waitlisted
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.refusals import record_refusal
from quart_enroll.services.enrollment.seat_actions import Joined
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats


@metrics.count_change("join")
async def join(
    context: EnrollmentContext,
    user_id: int,
    request: SectionRequest,
    now: datetime,
    drop_if_enrolled: str | None = None,
    catalog: Catalog | None = None,
) -> Joined:
    """Add the student to the waitlist, or enroll them if a seat is open.

    The course `drop_if_enrolled` will be dropped on promotion, and the rules are checked as if it were gone. Being on a
    corequisite's waitlist is enough: the seats may come one after the other. The `catalog` is used as in `enroll`.
    Raises what `enroll.enroll` raises, and AlreadyWaiting, WaitlistFull, NotEnrolled.
    """
    db = context.db
    options = resolve.from_catalog(catalog, request, now)
    key = (options or await resolve.find_options(db, user_id, request, now, drop_if_enrolled))[0].key
    try:
        if drop_if_enrolled is None:
            return await _join(context, user_id, key, now)
        joined = await _join_for_swap(context, user_id, key, now, drop_if_enrolled)
    except Refused as refusal:
        if isinstance(refusal, AlreadyWaiting) and (
            entry := await waitlist.find(db, user_id, key.term, key.courseID)
        ):  # the process that added the entry may have died before it completed the swap cycle
            await swap_cycles.complete_cycles(context.locks, user_id, now, [entry.key])
        if drop_if_enrolled is None:
            raise
        raise await record_refusal(db, user_id, "join", key, now, refusal) from None
    if joined.position and not await waitlist.find(db, user_id, key.term, key.courseID):
        return replace(joined, position=None, by_swap_cycle=True)
    return joined


async def _join(context: EnrollmentContext, user_id: int, key: SectionKey, now: datetime) -> Joined:
    match await context.batches.enroll_or_wait(user_id, key, now):
        case Waitlisted(offering, position):
            return Joined(offering, position, position)
        case Enrolled(offering):
            return Joined(offering, None, offering.section.waiting)


async def _join_for_swap(
    context: EnrollmentContext, user_id: int, key: SectionKey, now: datetime, drop_if_enrolled: str
) -> Joined:
    async def body(transaction: SeatTransaction) -> Joined:
        return await seat_actions.join(transaction, user_id, key, drop_if_enrolled)

    return await change_seats(context.locks, user_id, now, [key], body)


@metrics.count_change("leave")
async def leave(context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime) -> SectionKey:
    """Remove the student from the waitlist; raise UnknownCourse, UnknownTerm, TermNeeded or NotWaiting."""
    db = context.db
    course, known_terms, _, waitlisted = await resolve.find_own_course(db, user_id, request)
    waitlisted_terms = {key.term for key in waitlisted}
    term = resolve.choose_term(known_terms, request, course.title, waitlisted_terms, now)
    if term is None:
        raise WaitlistClosed(course.title) if waitlisted_terms else NotWaiting(course.title)

    async def body(transaction: SeatTransaction) -> SectionKey:
        return await seat_actions.leave(transaction, user_id, course, term)

    return await change_seats(context.locks, user_id, now, [], body)
