"""Join the waitlist of a section, or leave it. Promotion has its own module."""

from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.collections import sections, waitlist
from quart_enroll.domain import rules
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import (
    AlreadyWaiting,
    NotWaiting,
    Refused,
    WaitlistFull,
    WaitlistOver,
)
from quart_enroll.domain.models import SectionKey, SectionRequest, WaitlistEntry
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_changes, swap_cycles
from quart_enroll.services.enrollment.batch_decisions import Waitlisted
from quart_enroll.services.enrollment.candidates import Candidate, Offering, check_rules, load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.refusals import record_refusal
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats


@dataclass(frozen=True, slots=True)
class Joined:
    """A waitlist position, one of `waitlist_size`; `position` is None for a student who got a seat at once.

    One was open, or a swap cycle was completed: then a notice reports it.
    """

    offering: Offering
    position: int | None
    waitlist_size: int
    by_swap_cycle: bool = False


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
    db = context.db

    async def body(transaction: SeatTransaction) -> Joined:
        candidate = await load_candidate(db, user_id, key, transaction.session)
        offering, registrations = candidate.offering, candidate.registrations
        if candidate.waitlist_entry is not None:
            raise AlreadyWaiting(offering.course.title, candidate.waitlist_entry.key.section)
        dropped = await resolve.find_dropped(db, registrations, drop_if_enrolled, offering)
        rules.check_not_enrolled(offering.term, offering.course, [one for one in registrations if one is not dropped])
        rules.check_open(offering.term, now)
        rules.check_dependents(dropped, offering.term, registrations, candidate.taken_courses, offering.course.courseID)
        is_open = offering.section.open_seats > 0
        check_rules(candidate, dropped, together_with=() if is_open else candidate.waitlisted_courses)
        if is_open:  # an open seat means that no waitlisted student could take it
            await seat_changes.take(transaction, user_id, "swap", candidate, dropped)
            await promote_waitlists(transaction)
            return Joined(offering, None, offering.section.waiting)
        return await _add_entry(transaction, user_id, candidate, drop_if_enrolled)

    return await change_seats(context.locks, user_id, now, [key], body)


async def _add_entry(transaction: SeatTransaction, user_id: int, candidate: Candidate, drop_if_enrolled: str) -> Joined:
    db, session, offering = transaction.db, transaction.session, candidate.offering
    await seat_changes.bump_version(transaction, user_id, offering.key.term)
    await seat_changes.record_event(transaction, user_id, "join", offering.key)
    # The section is written late, like a seat: every other student of this section is waiting for that document.
    place = await sections.join_waitlist(db, offering.key, session)
    if place is None:
        raise WaitlistFull(offering.course.title, offering.key.section)
    await waitlist.add(db, WaitlistEntry(user_id, offering.key, place, transaction.now, drop_if_enrolled), session)
    transaction.changed_waitlists.add(offering.key)
    position = offering.section.waiting + 1
    return Joined(offering, position, position)


@metrics.count_change("leave")
async def leave(context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime) -> SectionKey:
    """Remove the student from the waitlist; raise UnknownCourse, UnknownTerm, TermNeeded or NotWaiting."""
    db = context.db
    course, known_terms, _, waitlisted = await resolve.find_own_course(db, user_id, request)
    waitlisted_terms = {key.term for key in waitlisted}
    term = resolve.choose_term(known_terms, request, course.title, waitlisted_terms, now)
    if term is None:
        raise WaitlistOver(course.title) if waitlisted_terms else NotWaiting(course.title)

    async def body(transaction: SeatTransaction) -> SectionKey:
        await seat_changes.bump_version(transaction, user_id, term.term)
        entry = await waitlist.find(db, user_id, term.term, course.courseID, transaction.session)
        if entry is None:
            raise NotWaiting(course.title, term.term)
        await waitlist.remove(db, entry, transaction.session)
        await sections.leave_waitlist(db, entry.key, transaction.session)
        transaction.changed_waitlists.add(entry.key)
        await seat_changes.record_event(transaction, user_id, "leave", entry.key)
        return entry.key

    return await change_seats(context.locks, user_id, now, [], body)
