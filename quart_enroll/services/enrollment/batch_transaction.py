"""One transaction for a batch of students who want seats, or places on waitlists.

Each student is judged by the same rules as alone, in the order in which the requests arrived. A refusal of one does not
affect the others.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from quart_enroll.db.client import Database, OutcomeUnknown, Session
from quart_enroll.db.collections import enrollments, events, schedules, sections, waitlist
from quart_enroll.db.transactions import wait_for_majority
from quart_enroll.domain.errors import AlreadyWaiting, Refused, WaitlistFull
from quart_enroll.domain.models import Event, SectionKey, WaitlistEntry
from quart_enroll.services.enrollment import seat_changes
from quart_enroll.services.enrollment.candidates import Candidate, Offering, check_can_enroll, load_candidates
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks

BATCH_ATTEMPT_SECONDS = 2.0
"""How long a batch is attempted. If a transaction elsewhere blocks one of its students, the others then go on alone."""


class BatchAborted(Exception):
    """The batch can't be committed; each student must try alone."""


@dataclass(frozen=True, slots=True)
class Waitlisted:
    """A new waitlist entry; `position` counts from 1."""

    offering: Offering
    position: int


BatchResult: TypeAlias = Enrolled | Waitlisted | Candidate | Refused | None
"""A seat, a waitlist entry, the candidate if the section is full, a refusal, or None: the student must try alone."""


@dataclass(eq=False, slots=True)
class PendingEnrollment:
    """A student who wants a seat, or else, with `join_waitlist`, a place on the waitlist.

    A student with `waitlist_entries` elsewhere who gets the seat leaves them in a `seat_transaction` of their own,
    which is part of the batch's.
    """

    user_id: int
    key: SectionKey
    now: datetime
    join_waitlist: bool = False
    waitlist_entries: Sequence[WaitlistEntry] = ()
    seat_transaction: SeatTransaction | None = None
    queued_at: float = field(default_factory=time.monotonic)
    result: asyncio.Future[BatchResult] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resolve(self, result: BatchResult) -> None:
        """Set the result, unless the wait for it was cancelled."""
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, cause: BaseException) -> None:
        """Report that the outcome is unknown."""
        if not self.result.done():
            error = OutcomeUnknown()
            error.__cause__ = cause
            self.result.set_exception(error)


async def run_batch(locks: SectionLocks, batch: Sequence[PendingEnrollment]) -> list[BatchResult]:
    """Enroll or waitlist these students in one transaction, and return the result of each, in their order.

    Raises BatchAborted when other transactions block it, and one of DATABASE_UNAVAILABLE when the outcome is unknown.
    """
    db, began = locks.db, False

    async def body(session: Session) -> list[BatchResult]:
        nonlocal began
        began = True
        results = await _judge(db, session, batch)
        await _write(db, session, list(zip(batch, results, strict=True)))
        return results

    remaining = min(pending.queued_at for pending in batch) + locks.timeout_seconds - time.monotonic()
    attempt_seconds = BATCH_ATTEMPT_SECONDS if len(batch) > 1 else remaining
    keys = {pending.key for pending in batch}
    try:
        results = await locks.run_transaction(keys, body, timeout_seconds=remaining, attempt_seconds=attempt_seconds)
    except OutcomeUnknown:
        # If the batch was committed after all, students who then try alone learn that they are enrolled.
        raise BatchAborted if began and attempt_seconds < remaining else OutcomeUnknown from None
    if not any(isinstance(result, Enrolled | Waitlisted) for result in results):  # otherwise the commit waited for it
        await wait_for_majority(db)
    return results


async def _judge(db: Database, session: Session, batch: Sequence[PendingEnrollment]) -> list[BatchResult]:
    """Decide on each student in turn, counting the seats and waitlist places given to the students before."""
    candidates = await load_candidates(db, [(pending.user_id, pending.key) for pending in batch], session)
    seats_given, places_given = Counter[SectionKey](), Counter[SectionKey]()
    results: list[BatchResult] = []
    for pending, candidate in zip(batch, candidates, strict=True):
        result = _decide(pending, candidate, seats_given[pending.key], places_given[pending.key])
        seats_given[pending.key] += isinstance(result, Enrolled)
        places_given[pending.key] += isinstance(result, Waitlisted)
        results.append(result)
    return results


def _decide(
    pending: PendingEnrollment, candidate: Candidate | Refused, seats_given: int, places_given: int
) -> BatchResult:
    if isinstance(candidate, Refused):
        return candidate
    offering, section = candidate.offering, candidate.offering.section
    if pending.join_waitlist and candidate.waitlist_entry is not None:
        return AlreadyWaiting(offering.course.title, candidate.waitlist_entry.key.section)
    is_open = seats_given < section.open_seats
    together_with = candidate.waitlisted_courses if pending.join_waitlist and not is_open else ()
    try:
        check_can_enroll(candidate, pending.now, together_with)
    except Refused as refusal:
        return refusal
    if is_open:
        pending.waitlist_entries = candidate.waitlist_entries
        return Enrolled(offering)
    if not pending.join_waitlist:
        return candidate
    waiting = section.waiting + places_given
    if waiting >= section.waitlist_capacity:
        return WaitlistFull(offering.course.title, section.section)
    return Waitlisted(offering, waiting + 1)


async def _write(db: Database, session: Session, results: Sequence[tuple[PendingEnrollment, BatchResult]]) -> None:
    """Write all seats and waitlist entries; the sections come late, because all others are waiting for them."""
    enrolled = [pending for pending, result in results if isinstance(result, Enrolled)]
    waitlisted = [pending for pending, result in results if isinstance(result, Waitlisted)]
    if not enrolled and not waitlisted:
        return
    added_credits = {
        (pending.user_id, pending.key.term): result.offering.course.credits if isinstance(result, Enrolled) else 0
        for pending, result in results
        if isinstance(result, Enrolled | Waitlisted)
    }
    await schedules.bump_versions(db, added_credits, session)
    if enrolled:
        await enrollments.put_all(db, [(one.user_id, one.key, one.now) for one in enrolled], session)
    leaving = []
    for pending in enrolled:
        if pending.waitlist_entries:
            transaction = SeatTransaction(db, session, pending.now, pending.user_id)
            pending.seat_transaction = transaction
            leaving.append(transaction)
            await seat_changes.leave_waitlists(transaction, pending.user_id, pending.key, pending.waitlist_entries)
    happened = [*(_event(one, "enroll") for one in enrolled), *(_event(one, "join") for one in waitlisted)]
    await events.add_all(db, happened, session)
    if enrolled:
        await sections.take_seats(db, Counter(one.key for one in enrolled), session)
    if waitlisted:
        await _join_waitlists(db, session, waitlisted)
    for transaction in leaving:
        await promote_waitlists(transaction)


async def _join_waitlists(db: Database, session: Session, waitlisted: Sequence[PendingEnrollment]) -> None:
    """Write the waitlist entries, in the order in which the requests arrived."""
    last_places: dict[SectionKey, int] = {}
    for key, number in sorted(Counter(pending.key for pending in waitlisted).items()):
        last = await sections.join_waitlist(db, key, session, number)
        if last is None:
            raise RuntimeError("A waitlist place that was open in this transaction is gone.")
        last_places[key] = last - number
    entries = []
    for pending in waitlisted:
        last_places[pending.key] += 1
        entries.append(WaitlistEntry(pending.user_id, pending.key, last_places[pending.key], pending.now))
    await waitlist.add_all(db, entries, session)


def _event(pending: PendingEnrollment, action: str) -> Event:
    key = pending.key
    return Event(pending.now, pending.user_id, pending.user_id, action, key.courseID, key.term, key.section)
