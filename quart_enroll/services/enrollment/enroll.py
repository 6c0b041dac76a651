"""Enroll in a section, drop a course, swap one for another; each is one transaction, and safe to repeat."""

from datetime import datetime

from quart_enroll.db.collections import enrollments, sections
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import (
    EnrollmentOver,
    NotEnrolled,
    Refused,
    SectionFull,
    WithdrawalDeadlinePassed,
)
from quart_enroll.domain.models import SectionRequest
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_actions
from quart_enroll.services.enrollment.candidates import Offering, load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.refusals import record_refusal, section_full
from quart_enroll.services.enrollment.seat_actions import Dropped
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats


@metrics.count_change("enroll")
async def enroll(
    context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime, catalog: Catalog | None = None
) -> Enrolled:
    """Enroll the student once, no matter how many requests from how many tabs ask for it.

    A `catalog`, which may be a moment old, saves a query for the section that the request means; it decides nothing.
    Raises UnknownCourse, UnknownTerm, UnknownSection, NotTaught, NotOpenYet, Closed, AlreadyEnrolled, AlreadyWaiting,
    TimeConflict, CreditLimit, PrerequisiteMissing, CorequisiteMissing, SectionFull.
    """
    options = resolve.from_catalog(catalog, request, now) or await resolve.find_options(
        context.db, user_id, request, now
    )
    return await context.batches.enroll(user_id, [offering.key for offering in options], now)


@metrics.count_change("drop")
async def drop(
    context: EnrollmentContext,
    user_id: int,
    request: SectionRequest,
    now: datetime,
    *,
    with_corequisites: bool = False,
) -> Dropped:
    """Drop the student's seat, and promote from the waitlist.

    Raises UnknownCourse, UnknownTerm, TermNeeded, NotEnrolled, WithdrawalDeadlinePassed; and CorequisitesWouldGo when
    other courses need this one and would be dropped too, unless the student agreed to that `with_corequisites`.
    """
    db = context.db
    course, known_terms, enrolled, _ = await resolve.find_own_course(db, user_id, request)
    enrolled_terms = {key.term for key in enrolled}
    term = resolve.choose_term(known_terms, request, course.title, enrolled_terms, now)
    if term is None:
        raise EnrollmentOver(course.title) if enrolled_terms else NotEnrolled(course.title)

    async def body(transaction: SeatTransaction) -> Dropped:
        return await seat_actions.drop(transaction, user_id, course, term, with_corequisites=with_corequisites)

    keys = [key for key in enrolled if key.term == term.term]
    try:
        return await change_seats(context.locks, user_id, now, keys, body)
    except WithdrawalDeadlinePassed as refusal:
        raise await record_refusal(db, user_id, "drop", keys[0], now, refusal) from None


@metrics.count_change("swap")
async def swap(
    context: EnrollmentContext,
    user_id: int,
    dropped: str,
    request: SectionRequest,
    now: datetime,
    catalog: Catalog | None = None,
) -> Enrolled:
    """Enroll the student and drop the course `dropped`; if anything fails, the student keeps that one.

    The rules are checked as if the old course were gone. Raises what `enroll` raises, and NotEnrolled. The `catalog` is
    used as in `enroll`.
    """
    db = context.db
    options = resolve.from_catalog(catalog, request, now) or await resolve.find_options(
        db, user_id, request, now, dropped
    )
    for offering in options:
        try:
            return await _swap(context, user_id, dropped, offering, now)
        except SectionFull:
            if offering is options[-1]:
                candidate = await load_candidate(db, user_id, offering.key)
                offered = await sections.find_all(db, [offering.key.term], [offering.key.courseID])
                full = section_full(candidate, offered, dropped)
                raise await record_refusal(db, user_id, "swap", offering.key, now, full) from None
        except Refused as refusal:
            raise await record_refusal(db, user_id, "swap", offering.key, now, refusal) from None
    raise AssertionError("There is always an option.")


async def _swap(context: EnrollmentContext, user_id: int, dropped: str, offering: Offering, now: datetime) -> Enrolled:
    async def body(transaction: SeatTransaction) -> Enrolled:
        return await seat_actions.swap(transaction, user_id, dropped, offering.key)

    old_keys = await enrollments.find_keys(context.db, user_id, offering.key.term, dropped)
    return await change_seats(context.locks, user_id, now, [offering.key, *old_keys], body)
