"""What one change of a student does inside its transaction: the rules, then the rows, then promotion.

The rules that `SeatTransaction.overrides` sets aside don't count; a student's own change sets none aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.db.collections import sections, users, waitlist
from quart_enroll.db.queries import section_facts
from quart_enroll.domain import permits, requisite_rules, rules
from quart_enroll.domain.actors import SEAT_OVERRIDES, Override
from quart_enroll.domain.errors import NotEnrolled, NotWaiting, WaitlistFull
from quart_enroll.domain.models import Course, Registration, SectionKey, TakenCourse, Term, WaitlistEntry
from quart_enroll.domain.rules import Checks, Rule
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES
from quart_enroll.services.enrollment import resolve, seat_changes
from quart_enroll.services.enrollment.candidates import Candidate, Offering, load_candidate
from quart_enroll.services.enrollment.eligibility import drop_checks, enroll_checks, join_checks, swap_checks
from quart_enroll.services.enrollment.promotion import PoolsDue, has_due_pools, promote_waitlists
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction


@dataclass(frozen=True, slots=True)
class Dropped:
    """The courses that a drop removed from the schedule; `action` is "drop", or "withdraw" if they stay on it."""

    courses: tuple[Course, ...]
    term: str
    action: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A waitlist position, one of `waitlist_size`; `position` is None for a student who got a seat at once.

    One was open, or a swap cycle was completed: then a notice reports it.
    """

    offering: Offering
    position: int | None
    waitlist_size: int
    by_swap_cycle: bool = False


@dataclass(frozen=True, slots=True)
class Reordered:
    """A place on a waitlist that staff changed: the positions before and after."""

    key: SectionKey
    before: int
    after: int


async def enroll(transaction: SeatTransaction, user_id: int, key: SectionKey) -> Enrolled:
    """Take the seat."""
    candidate = await _load_candidate(transaction, user_id, key)
    return await _take(transaction, user_id, "enroll", candidate, enroll_checks(candidate, transaction.now))


async def swap(transaction: SeatTransaction, user_id: int, dropped: str, key: SectionKey) -> Enrolled:
    """Take the seat in exchange for the one in the course `dropped`."""
    candidate = await _load_candidate(transaction, user_id, key)
    old = await resolve.find_dropped(transaction.db, candidate.registrations, dropped, candidate.offering)
    return await _take(transaction, user_id, "swap", candidate, swap_checks(candidate, old, transaction.now), old)


async def drop(
    transaction: SeatTransaction,
    user_id: int,
    course: Course,
    term: Term,
    *,
    with_corequisites: bool,
    withdraw: bool | None = None,
) -> Dropped:
    """Drop the course; `with_corequisites` also the courses that need it, which are otherwise a reason not to.

    Staff who set corequisites aside leave those courses on the schedule.
    """
    db, session, now = transaction.db, transaction.session, transaction.now
    registrations, holds = await section_facts.find_for_drop(db, user_id, term.term, session)
    registration = _find_enrolled(registrations, course, term)
    taken_courses, attributes = list[TakenCourse](), NO_ATTRIBUTES
    if any(course.courseID in one.course.same_term_courses for one in registrations):
        taken_courses = await resolve.taken_courses(db, user_id, session)
        attributes = await users.find_attributes(db, user_id, session)
    is_withdrawal = rules.is_withdrawal(term, now) if withdraw is None else withdraw
    facts = term, registrations, taken_courses, attributes
    checks = drop_checks(registration, *facts, now, withdraw=is_withdrawal, holds=holds)
    dropped = [registration]
    if with_corequisites:
        checks = ((rule, check) for rule, check in checks if rule is not Rule.DEPENDENTS)
        dropped += requisite_rules.dependent_courses(course.courseID, *facts)
    needed = rules.check_all(checks, transaction.overrides)
    for one in dropped:
        await seat_changes.drop(transaction, user_id, one, is_withdrawal=is_withdrawal, overrides=needed)
    await promote_waitlists(transaction)
    return Dropped(tuple(one.course for one in dropped), term.term, "withdraw" if is_withdrawal else "drop")


async def join(
    transaction: SeatTransaction, user_id: int, key: SectionKey, drop_if_enrolled: str | None = None
) -> Joined:
    """Join the waitlist, or enroll if a seat is open or a permit allows it without one.

    The course `drop_if_enrolled` is dropped with the seat.
    """
    candidate = await _load_candidate(transaction, user_id, key)
    offering, dropped = candidate.offering, None
    if drop_if_enrolled is not None and candidate.waitlist_entry is None:
        dropped = await resolve.find_dropped(transaction.db, candidate.registrations, drop_if_enrolled, offering)
    checks = join_checks(candidate, dropped, transaction.now)
    if candidate.has_seat(transaction.now, dropped):  # no waitlisted student could take an open one
        await _take(transaction, user_id, "swap" if dropped else "enroll", candidate, checks, dropped)
        return Joined(offering, None, offering.section.waiting)
    needed = rules.check_all(checks, transaction.overrides, candidate.permitted(transaction.now, dropped))
    return await _wait(transaction, user_id, offering, drop_if_enrolled, needed & transaction.overrides)


async def leave(transaction: SeatTransaction, user_id: int, course: Course, term: Term) -> SectionKey:
    """Leave the course's waitlist."""
    db, session = transaction.db, transaction.session
    await seat_changes.bump_version(transaction, user_id, term.term)
    entry = await _find_entry(transaction, user_id, course, term)
    await waitlist.remove(db, entry, session)
    await sections.leave_waitlist(db, entry.key, session)
    transaction.changed_waitlists.add(entry.key)
    await seat_changes.record_event(transaction, user_id, "leave", entry.key)
    return entry.key


async def reorder(transaction: SeatTransaction, user_id: int, course: Course, term: Term, position: int) -> Reordered:
    """Give the student another position on the course's waitlist, from 1; one beyond the end is the last."""
    await seat_changes.bump_version(transaction, user_id, term.term)
    entry = await _find_entry(transaction, user_id, course, term)
    before, after = await waitlist.move(transaction.db, entry, position, transaction.session)
    if before != after:
        transaction.changed_waitlists.add(entry.key)
        await seat_changes.record_event(transaction, user_id, "reorder", entry.key)
    return Reordered(entry.key, before, after)


async def _load_candidate(transaction: SeatTransaction, user_id: int, key: SectionKey) -> Candidate:
    """Return the candidate, as `load_candidate` does; raise PoolsDue if pools must be released first."""
    candidate = await load_candidate(transaction.db, user_id, key, transaction.session)
    if has_due_pools(candidate.offering, transaction.now):
        raise PoolsDue(key)
    return candidate


async def _take(
    transaction: SeatTransaction,
    user_id: int,
    action: str,
    candidate: Candidate,
    checks: Checks,
    dropped: Registration | None = None,
) -> Enrolled:
    needed = rules.check_all(checks, transaction.overrides, candidate.permitted(transaction.now, dropped))
    by_permit = needed - transaction.overrides
    used = permits.choose(candidate.permits, candidate.offering.key, by_permit, transaction.now)
    await seat_changes.take(transaction, user_id, action, candidate, dropped, needed, used)
    await promote_waitlists(transaction)
    return transaction.enrolled(candidate.offering)


async def _wait(
    transaction: SeatTransaction,
    user_id: int,
    offering: Offering,
    drop_if_enrolled: str | None,
    needed: frozenset[Override],
) -> Joined:
    db, session, key = transaction.db, transaction.session, offering.key
    await seat_changes.bump_version(transaction, user_id, key.term)
    await seat_changes.record_event(transaction, user_id, "join", key, overrides=needed)
    # The section is written late, like a seat: every other student of this section is waiting for that document.
    place = await sections.join_waitlist(db, key, session, exceed=Override.FULL in needed)
    if place is None:
        raise WaitlistFull(offering.course.title, key.section)
    entry = WaitlistEntry(user_id, key, place, transaction.now, drop_if_enrolled, overrides=needed & SEAT_OVERRIDES)
    await waitlist.add(db, entry, session)
    transaction.changed_waitlists.add(key)
    position = offering.section.waiting + 1
    return Joined(offering, position, position)


async def _find_entry(transaction: SeatTransaction, user_id: int, course: Course, term: Term) -> WaitlistEntry:
    entry = await waitlist.find(transaction.db, user_id, term.term, course.courseID, transaction.session)
    if entry is None:
        raise NotWaiting(course.title, term.term)
    return entry


def _find_enrolled(registrations: Sequence[Registration], course: Course, term: Term) -> Registration:
    for one in registrations:
        if one.courseID == course.courseID and one.status == "enrolled":
            return one
    raise NotEnrolled(course.title, term.term)
