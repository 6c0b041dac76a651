"""Changes of seats inside one transaction: a seat is taken or dropped, a waitlist entry is removed.

Whatever changes seats must end with `promotion.promote_waitlists`, in the same transaction.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, events, permits, schedules, sections, terms, waitlist
from quart_enroll.domain import rules
from quart_enroll.domain.actors import NO_OVERRIDES, Actor, Override
from quart_enroll.domain.errors import SectionFull
from quart_enroll.domain.models import Course, Event, Registration, SectionKey, WaitlistEntry
from quart_enroll.domain.permits import Permit
from quart_enroll.services.enrollment.candidates import Candidate, Offering


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A seat that a student took; `left_waitlist` is another section of the course whose waitlist the student left."""

    offering: Offering
    left_waitlist: str = ""


@dataclass(frozen=True, slots=True)
class SeatTransaction:
    """A transaction that changes seats: its actor, its time, and what it has changed so far."""

    db: Database
    session: Session
    now: datetime
    actor: int

    freed_sections: deque[SectionKey] = field(default_factory=deque)
    """Sections where a seat may be open that has not been offered to the waitlist yet."""

    unblocked_students: deque[tuple[int, str]] = field(default_factory=deque)
    """Students, each with a term in which they may be able to take a waitlisted section now: they dropped a course, or
    took one that another needs."""

    left_waitlists: list[SectionKey] = field(default_factory=list)
    """Waitlists that students left for a seat in another section of the course."""

    changed_waitlists: set[SectionKey] = field(default_factory=set)
    """Waitlists that a student joined or left, or whose students' chances may have changed."""

    provisional_seats: set[tuple[SectionKey, str]] = field(default_factory=set)
    """Sections and pools with a seat that was opened before anybody dropped it: while there is one, nothing may be
    committed."""

    dropped_seats: set[tuple[int, SectionKey]] = field(default_factory=set)
    """Students with the seats they dropped."""

    open_sections: set[SectionKey] = field(default_factory=set)
    """Sections where a seat was left after the whole waitlist had been tried."""

    promotions: list[Event] = field(default_factory=list)
    """Promotions, in their order."""

    staff: Actor | None = None
    """The actor, if staff act for a student."""

    acting_for: int | None = None
    """That student. The reason is written into this history alone; others whom the change affects don't see it."""

    student_events: list[Event] = field(default_factory=list)
    """What happened to that student, in order."""

    @property
    def overrides(self) -> frozenset[Override]:
        """Rules that the change may set aside."""
        return self.staff.overrides if self.staff else NO_OVERRIDES

    def enrolled(self, offering: Offering) -> Enrolled:
        """Return the result for the student who took this seat."""
        left = (key.section for key in self.left_waitlists if key.courseID == offering.key.courseID)
        return Enrolled(offering, next(left, ""))


async def bump_version(transaction: SeatTransaction, user_id: int, term: str) -> None:
    """Write the student's schedule, so that of two concurrent changes in this term one runs again."""
    await schedules.bump_version(transaction.db, user_id, term, transaction.session)


async def take(
    transaction: SeatTransaction,
    user_id: int,
    action: str,
    candidate: Candidate,
    dropped: Registration | None = None,
    overrides: Collection[Override] = NO_OVERRIDES,
    used_permits: Collection[Permit] = (),
) -> Event:
    """Take a seat for the student, in exchange for the `dropped` one if it is given; raise SectionFull if none is open.

    A swap within a course is never a withdrawal: the student keeps the course. The `overrides` are those that were
    needed; with FULL among them, the capacity is exceeded. The `used_permits` are those that allow some of them. The
    seat belongs to the first pool that admits the student and has one left, as the transaction has read it.
    The seat is written last, because every other student of this section is waiting for that document.
    """
    db, session, offering = transaction.db, transaction.session, candidate.offering
    key = offering.key
    same_course = dropped is not None and dropped.courseID == key.courseID
    if dropped is not None and same_course:
        await _free_seat(transaction, user_id, dropped)
    elif dropped is not None:
        is_withdrawal = rules.is_withdrawal(offering.term, transaction.now)
        await drop(transaction, user_id, dropped, is_withdrawal=is_withdrawal)
    added_credits = 0 if same_course else offering.course.credits
    await schedules.bump_version(db, user_id, key.term, session, more=added_credits)
    if offering.course.max_attempts:
        await guard_attempts(db, [user_id], transaction.now, session)
    pool = None if Override.FULL in overrides else candidate.find_pool(overrides)
    await enrollments.put(db, user_id, key, transaction.now, session, overrides, pool or "")
    await give_permits_back(db, user_id, candidate, session)
    if used_permits:
        await permits.use(db, user_id, used_permits, key, session)
    await leave_waitlists(transaction, user_id, key, candidate.waitlist_entries)
    from_section = dropped.section.section if dropped is not None and same_course else ""
    event = await record_event(transaction, user_id, action, key, from_section=from_section, overrides=overrides)
    if Override.FULL in overrides:
        is_taken = await sections.exceed_capacity(db, key, session)
    else:
        is_taken = await sections.take_seat(db, key, session, pool)
    if not is_taken:
        raise SectionFull(offering.course.title, key.section)
    return event


async def give_permits_back(db: Database, user_id: int, candidate: Candidate, session: Session) -> None:
    """Let the student use the permits again that the course's seat before the new one, in another section, used up.

    The new seat replaces one that the student swaps or has withdrawn from.
    """
    new = candidate.offering.key
    for old in (one.section.key for one in candidate.registrations if one.courseID == new.courseID):
        if old != new and any(one.covers(old) and one.used_for == old.section for one in candidate.permits):
            await permits.give_back(db, [user_id], old, session)


async def leave_waitlists(
    transaction: SeatTransaction, user_id: int, key: SectionKey, entries: Sequence[WaitlistEntry]
) -> None:
    """Remove the student, who has a seat now, from the course's waitlists; an entry for a swap within the course stays.

    If another of the `entries` is for a course that needs this one, it is tried again.
    """
    db, session = transaction.db, transaction.session
    others = [one.key.courseID for one in entries if one.key.term == key.term and one.key.courseID != key.courseID]
    if others and await courses.is_needed_beside(db, key.courseID, others, session):
        transaction.unblocked_students.append((user_id, key.term))
    for entry in entries:
        transaction.changed_waitlists.add(entry.key)
        if entry.key.term != key.term:  # the seat may be the prerequisite of a later course
            await bump_version(transaction, user_id, entry.key.term)
            transaction.unblocked_students.append((user_id, entry.key.term))
        elif is_left_for(key, entry):
            await waitlist.remove(db, entry, session)
            await sections.leave_waitlist(db, entry.key, session)
            if entry.key != key:
                await record_event(transaction, user_id, "leave", entry.key)
                transaction.left_waitlists.append(entry.key)


def is_left_for(key: SectionKey, entry: WaitlistEntry) -> bool:
    """Return whether a student who gets a seat in the section leaves the waitlist of this entry."""
    same_course = (entry.key.term, entry.key.courseID) == (key.term, key.courseID)
    return entry.key == key or (same_course and entry.drop_if_enrolled != key.courseID)


async def drop(
    transaction: SeatTransaction,
    user_id: int,
    registration: Registration,
    *,
    is_withdrawal: bool,
    overrides: Collection[Override] = NO_OVERRIDES,
) -> None:
    """Drop the seat or withdraw from it, whatever the deadlines; the event has the `overrides` that were needed."""
    db, session, key = transaction.db, transaction.session, registration.section.key
    if is_withdrawal:
        await enrollments.withdraw(db, user_id, key, session)
    elif await enrollments.remove(db, user_id, key, session):
        await permits.give_back(db, [user_id], key, session)
    await schedules.bump_version(db, user_id, key.term, session, more=-registration.course.credits)
    await unblock_attempts(transaction, [user_id], registration.course, key.term)
    await _free_seat(transaction, user_id, registration)
    action = "withdraw" if is_withdrawal else "drop"
    await record_event(transaction, user_id, action, key, overrides=overrides)


async def guard_attempts(db: Database, user_ids: Collection[int], now: datetime, session: Session) -> None:
    """Make this transaction conflict with the students' changes in every ongoing term.

    Call it when they take or drop a course that limits attempts, because those in all terms count.
    """
    if user_ids:
        ongoing = [one.term for one in await terms.find_all(db, session) if one.is_ongoing(now)]
        await schedules.bump_versions(db, {(user_id, term): 0 for user_id in user_ids for term in ongoing}, session)


async def unblock_attempts(
    transaction: SeatTransaction, user_ids: Collection[int], course: Course, dropped_in: str
) -> None:
    """Try the students' waitlist entries for the dropped course in other terms again, as they have one attempt less."""
    if course.max_attempts:
        await guard_attempts(transaction.db, user_ids, transaction.now, transaction.session)
        entries = await waitlist.find_by_students(transaction.db, user_ids, transaction.session)
        waiting = {(one.user_id, one.key.term) for one in entries if one.key.courseID == course.courseID}
        transaction.unblocked_students.extend(sorted(one for one in waiting if one[1] != dropped_in))


async def open_provisional_seat(transaction: SeatTransaction, key: SectionKey, pool: str) -> None:
    """Open a seat of the pool, or an unreserved one, that a student must drop later in this transaction."""
    transaction.provisional_seats.add((key, pool))
    await release_seat(transaction, key, pool)


async def release_seat(transaction: SeatTransaction, key: SectionKey, pool: str) -> None:
    """Open a seat in the section and its pool, for the first student on the waitlist who can take it."""
    await sections.release_seat(transaction.db, key, transaction.session, pool)
    transaction.freed_sections.append(key)


async def _free_seat(transaction: SeatTransaction, user_id: int, dropped: Registration) -> None:
    """Open the student's seat; if a provisional one is open already, it was this one."""
    key, pool = dropped.section.key, dropped.pool
    if (key, pool) in transaction.provisional_seats:
        transaction.provisional_seats.remove((key, pool))
    else:
        await release_seat(transaction, key, pool)
    transaction.dropped_seats.add((user_id, key))
    transaction.unblocked_students.append((user_id, key.term))


async def record_event(
    transaction: SeatTransaction,
    user_id: int,
    action: str,
    key: SectionKey,
    *,
    result: str = "ok",
    from_section: str = "",
    overrides: Collection[Override] = NO_OVERRIDES,
) -> Event:
    """Write an event about the section into the student's history; a promotion that follows has no reason of staff."""
    is_theirs = user_id == transaction.acting_for and action not in ("promote", "skip")
    staff = transaction.staff if is_theirs else None
    event = Event(
        transaction.now,
        transaction.actor,
        user_id,
        action,
        key.courseID,
        key.term,
        key.section,
        result,
        from_section,
        reason=staff.reason if staff else "",
        overrides=tuple(sorted(overrides)),
        acted_as=staff.role if staff else "",
    )
    if staff:
        transaction.student_events.append(event)
    await events.add(transaction.db, event, transaction.session)
    return event
