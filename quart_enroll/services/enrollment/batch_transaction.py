"""One transaction for a batch of students who want seats, or places on waitlists.

Each student is judged by the same rules as alone, in the order in which the requests arrived. A refusal of one does not
affect the others. A batch costs about as many commands as one student, so a large one costs little more than a small.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from quart_enroll.db.client import Database, OutcomeUnknown, Session
from quart_enroll.db.collections import enrollments, events, permits, plans, schedules, sections, waitlist
from quart_enroll.db.transactions import wait_for_majority
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import AlreadyEnrolled, Refused, SectionFull
from quart_enroll.domain.models import SYSTEM_ACTOR, Event, Section, SectionKey, WaitlistEntry
from quart_enroll.domain.permits import choose
from quart_enroll.domain.plan_fit import accepted_sections
from quart_enroll.services.enrollment import seat_changes
from quart_enroll.services.enrollment.batch_decisions import (
    BatchJudge,
    Choice,
    Decision,
    SeatRequest,
    Waitlisted,
)
from quart_enroll.services.enrollment.candidates import Candidate, all_with_course_names, load_candidates
from quart_enroll.services.enrollment.promotion import has_due_pools, promote_waitlists
from quart_enroll.services.enrollment.refusals import section_full
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks

MAX_BATCH_ATTEMPTS, BATCH_TIMEOUT_SECONDS = 2, 2.0
"""How often and for how long a batch is attempted before smaller ones are. The smaller a batch, the less often it
conflicts with the changes of other servers; and if something blocks one student, the others soon go on without."""


class BatchAborted(Exception):
    """The batch had conflicts or took too long, and may be committed or not; smaller ones must try."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The decisions about a request, committed; `changed_waitlists` may make swap cycles possible."""

    decisions: Sequence[Decision]
    changed_waitlists: frozenset[SectionKey] = frozenset()


@dataclass(eq=False, slots=True)
class PendingRequest:
    """A request that waits for its batch; with `plan_term` it is about what the student has planned for the term."""

    request: SeatRequest
    plan_term: str = ""
    queued_at: float = field(default_factory=time.monotonic)
    result: asyncio.Future[Settled] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def user_id(self) -> int:
        return self.request.user_id

    def repeats(self, other: "PendingRequest") -> bool:
        """Return whether the same student wants the same as in the other request."""
        return self.user_id == other.user_id and self._wanted == other._wanted

    @property
    def _wanted(self) -> tuple[object, ...]:
        request = self.request
        return self.plan_term, request.choice, tuple(request.keys), request.join_waitlist

    def resolve(self, result: Settled) -> None:
        """Set the result, unless the wait for it was cancelled."""
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, error: Exception) -> None:
        """Report the error."""
        if not self.result.done():
            self.result.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Seat:
    """A seat, or with `Waitlisted` a waitlist entry, that a student of the batch gets."""

    user_id: int
    now: datetime
    decision: Decision

    @property
    def key(self) -> SectionKey:
        return self.decision.key

    def event(self, action: str, result: str = "ok") -> Event:
        key = self.key
        about = action, key.courseID, key.term, key.section
        overrides = tuple(sorted(self.decision.overrides))
        return Event(self.now, self.user_id, self.user_id, *about, result, overrides=overrides)


async def run_batch(locks: SectionLocks, batch: Sequence[PendingRequest]) -> list[Settled]:
    """Settle these requests in one transaction, and return the result of each, in their order.

    The last ones have no result, and belong to the next batch, if a seat before them may promote a waitlisted student.
    Raises BatchAborted when something blocks the batch, and one of DATABASE_UNAVAILABLE when the outcome is unknown.
    """
    db, attempts = locks.db, 0
    requests = await _with_planned_sections(db, batch)

    async def body(session: Session) -> tuple[list[Settled], bool]:
        nonlocal attempts
        attempts += 1
        if attempts > MAX_BATCH_ATTEMPTS and len(batch) > 1:
            raise BatchAborted
        decided = await _decide(db, session, requests)
        return await _write(db, session, list(zip(batch, decided, strict=False)))

    end = min(pending.queued_at for pending in batch) + locks.timeout_seconds
    attempt_seconds = BATCH_TIMEOUT_SECONDS if len(batch) > 1 else locks.timeout_seconds
    try:
        settled, has_written = await locks.run_batch(body, attempt_seconds=attempt_seconds, end=end)
    except OutcomeUnknown:
        # If the batch was committed after all, the students learn at the next attempt that they are enrolled.
        if len(batch) > 1 and time.monotonic() < end:
            raise BatchAborted from None
        raise
    if not has_written:  # otherwise the commit waited for it
        await wait_for_majority(db)
    return settled


async def _with_planned_sections(db: Database, batch: Sequence[PendingRequest]) -> list[SeatRequest]:
    """Return the requests, each with its sections.

    A plan that changes after this counts as changed after the press.
    """
    pressed = [(pending.user_id, pending.plan_term) for pending in batch if pending.plan_term]
    planned = await plans.find_by_students(db, pressed) if pressed else {}
    requests = []
    for pending in batch:
        request = pending.request
        if pending.plan_term:
            plan = planned.get((pending.user_id, pending.plan_term), ())
            alternatives = [one for one in plan if one.alternatives]
            request = replace(request, keys=[one.key for one in plan], alternatives=alternatives)
        requests.append(request)
    return requests


async def _decide(db: Database, session: Session, requests: Sequence[SeatRequest]) -> list[list[Decision]]:
    """Decide on each request in turn; stop after a seat that may promote a waitlisted student."""
    accepted = await _find_accepted(db, session, requests)
    wanted = [
        (request.user_id, accepted_by_key[key][0].key if accepted_by_key.get(key) else key)
        for request, accepted_by_key in zip(requests, accepted, strict=True)
        for key in request.keys
    ]
    loaded = await load_candidates(db, wanted, session) if wanted else []
    if loaded and await _release_pools(db, session, requests, loaded):
        return await _decide(db, session, requests)
    candidates = iter(loaded)
    judge = BatchJudge()
    decided: list[list[Decision]] = []
    for request, accepted_by_key in zip(requests, accepted, strict=True):
        decided.append(judge.decide(request, [next(candidates) for _ in request.keys], accepted_by_key))
        if any(decision.may_unblock for decision in decided[-1]):
            break
    return await _explain_refusals(db, session, judge, decided)


async def _release_pools(
    db: Database, session: Session, requests: Sequence[SeatRequest], candidates: Sequence[Candidate | Refused]
) -> bool:
    """Release the pools of these sections that are due, and return whether there were any."""
    now = max(request.now for request in requests)
    offerings = [one.offering for one in candidates if isinstance(one, Candidate) and one.offering.section.pools]
    due = {one.key for one in offerings if has_due_pools(one, now)}
    if due:
        transaction = SeatTransaction(db, session, now, SYSTEM_ACTOR)
        transaction.freed_sections.extend(sorted(due))
        await promote_waitlists(transaction)
    return bool(due)


async def _find_accepted(
    db: Database, session: Session, requests: Sequence[SeatRequest]
) -> list[dict[SectionKey, list[Section]]]:
    """Return, for each request, the sections that the student accepts, by the planned ones that have alternatives.

    It costs one command for the whole batch, and none if no student has alternatives.
    """
    planned = [one for request in requests for one in request.alternatives]
    if not planned:
        return [{} for _ in requests]
    offered: defaultdict[tuple[str, str], list[Section]] = defaultdict(list)
    terms, courseIDs = {one.key.term for one in planned}, {one.key.courseID for one in planned}
    for section in await sections.find_all(db, terms, courseIDs, session):
        offered[section.term, section.courseID].append(section)
    return [
        {one.key: accepted_sections(one, offered[one.key.term, one.key.courseID]) for one in request.alternatives}
        for request in requests
    ]


async def _explain_refusals(
    db: Database, session: Session, judge: BatchJudge, decided: Sequence[Sequence[Decision]]
) -> list[list[Decision]]:
    """Complete the refusals with what the students can do instead, and with the names of courses."""
    full = [
        one.candidate.offering.key
        for decisions in decided
        for one in decisions
        if one.candidate and isinstance(one.result, SectionFull)
    ]
    terms, courseIDs = {key.term for key in full}, {key.courseID for key in full}
    offered = [judge.remaining(one) for one in await sections.find_all(db, terms, courseIDs, session)] if full else []
    refusals = [
        section_full(one.candidate, offered) if one.candidate and isinstance(one.result, SectionFull) else one.result
        for decisions in decided
        for one in decisions
        if isinstance(one.result, Refused)
    ]
    named = iter(await all_with_course_names(db, refusals, session))
    return [
        [replace(one, result=next(named)) if isinstance(one.result, Refused) else one for one in decisions]
        for decisions in decided
    ]


async def _write(
    db: Database, session: Session, decided: Sequence[tuple[PendingRequest, Sequence[Decision]]]
) -> tuple[list[Settled], bool]:
    """Write everything; the sections come late, because all others are waiting for them.

    Returns the results, and whether anything was written.
    """
    seats = [_Seat(pending.user_id, pending.request.now, one) for pending, decisions in decided for one in decisions]
    enrolled = [seat for seat in seats if isinstance(seat.decision.result, Enrolled)]
    waitlisted = [seat for seat in seats if isinstance(seat.decision.result, Waitlisted)]
    refusals = list(_refusals(decided))
    if enrolled or waitlisted:
        await schedules.bump_versions(db, _added_credits([*enrolled, *waitlisted]), session)
    if enrolled:
        await seat_changes.guard_attempts(db, _with_limited_attempts(enrolled), enrolled[0].now, session)
        await _put_enrollments(db, session, enrolled)
    leaving = await _leave_waitlists(db, session, enrolled)
    if happened := [*(one.event("enroll") for one in enrolled), *(one.event("join") for one in waitlisted)]:
        await events.add_all(db, happened, session)
    if refusals:
        await events.add_refusals(db, refusals, session)
    has_settled_plans = await _settle_plans(db, session, decided)
    if enrolled:
        await _take_seats(db, session, enrolled)
    if waitlisted:
        await _join_waitlists(db, session, waitlisted)
    for transaction in leaving.values():
        await promote_waitlists(transaction)
    settled = [_settled(decisions, leaving.get(pending.user_id)) for pending, decisions in decided]
    return settled, bool(enrolled or waitlisted or refusals or has_settled_plans)


def _refusals(decided: Sequence[tuple[PendingRequest, Sequence[Decision]]]) -> Iterator[Event]:
    for pending, decisions in decided:
        request = pending.request
        action = "join" if request.join_waitlist else "enroll"
        for one in decisions:
            if isinstance(one.result, Refused) and one.is_recorded and one.result.is_recorded:
                yield _Seat(request.user_id, request.now, one).event(action, one.result.code)


def _added_credits(seats: Sequence[_Seat]) -> Mapping[tuple[int, str], int | float]:
    """Return the credits that each student adds in a term; 0 for a waitlist entry."""
    added: defaultdict[tuple[int, str], int | float] = defaultdict(int)
    for seat in seats:
        result = seat.decision.result
        added[seat.user_id, seat.key.term] += result.offering.course.credits if isinstance(result, Enrolled) else 0
    return added


def _with_limited_attempts(enrolled: Iterable[_Seat]) -> set[int]:
    """Return the students who get a seat in a course that limits attempts."""
    return {
        seat.user_id
        for seat in enrolled
        if isinstance(seat.decision.result, Enrolled) and seat.decision.result.offering.course.max_attempts
    }


async def _put_enrollments(db: Database, session: Session, enrolled: Sequence[_Seat]) -> None:
    by_being_new: dict[bool, list[tuple[int, SectionKey, datetime, str]]] = {True: [], False: []}
    for seat in enrolled:
        if seat.decision.overrides:
            await _put_permitted(db, session, seat)
            continue
        registrations = seat.decision.candidate.registrations if seat.decision.candidate else ()
        is_new = all(one.courseID != seat.key.courseID for one in registrations)
        by_being_new[is_new].append((seat.user_id, seat.key, seat.now, seat.decision.pool or ""))
        if not is_new and seat.decision.candidate:
            await seat_changes.give_permits_back(db, seat.user_id, seat.decision.candidate, session)
    if by_being_new[True] or by_being_new[False]:
        await enrollments.put_all(db, by_being_new[True], by_being_new[False], session)


async def _put_permitted(db: Database, session: Session, seat: _Seat) -> None:
    """Enroll a student whose permits set rules aside, and note that they are used."""
    candidate, overrides = seat.decision.candidate, seat.decision.overrides
    await enrollments.put(db, seat.user_id, seat.key, seat.now, session, overrides, seat.decision.pool or "")
    if candidate:
        await seat_changes.give_permits_back(db, seat.user_id, candidate, session)
        used = choose(candidate.permits, seat.key, overrides, seat.now)
        await permits.use(db, seat.user_id, used, seat.key, session)


async def _take_seats(db: Database, session: Session, enrolled: Sequence[_Seat]) -> None:
    """Take the open seats, and then those beyond the capacity that permits allow."""
    beyond = [seat for seat in enrolled if Override.FULL in seat.decision.overrides]
    if len(beyond) < len(enrolled):
        within = Counter(
            (seat.key, seat.decision.pool) for seat in enrolled if Override.FULL not in seat.decision.overrides
        )
        await sections.take_seats(db, within, session)
    for seat in beyond:
        if not await sections.exceed_capacity(db, seat.key, session):
            raise RuntimeError("A section that was full in this transaction has an open seat.")


async def _leave_waitlists(db: Database, session: Session, enrolled: Sequence[_Seat]) -> dict[int, SeatTransaction]:
    """Remove the students from the waitlists of their new courses; return what each one's transaction has changed."""
    leaving: dict[int, SeatTransaction] = {}
    for seat in enrolled:
        if seat.decision.candidate and (entries := seat.decision.candidate.waitlist_entries):
            transaction = leaving.setdefault(seat.user_id, SeatTransaction(db, session, seat.now, seat.user_id))
            await seat_changes.leave_waitlists(transaction, seat.user_id, seat.key, entries)
    return leaving


async def _settle_plans(
    db: Database, session: Session, decided: Sequence[tuple[PendingRequest, Sequence[Decision]]]
) -> bool:
    """Remove enrolled sections from the plans, and record there why others were refused; return whether any was."""
    pressed = [
        (pending.user_id, one)
        for pending, decisions in decided
        if pending.request.choice is Choice.EACH
        for one in decisions
    ]
    enrolled = [(user_id, one.key) for user_id, one in pressed if isinstance(one.result, Enrolled | AlreadyEnrolled)]
    refused = [
        (user_id, one.key, one.result.message)
        for user_id, one in pressed
        if isinstance(one.result, Refused) and not isinstance(one.result, AlreadyEnrolled)
    ]
    await plans.settle(db, enrolled, refused, session)
    return bool(pressed)


async def _join_waitlists(db: Database, session: Session, waitlisted: Sequence[_Seat]) -> None:
    """Write the waitlist entries, in the order in which the requests arrived."""
    last_places: dict[SectionKey, int] = {}
    for key, number in sorted(Counter(one.key for one in waitlisted).items()):
        last = await sections.join_waitlist(db, key, session, number)
        if last is None:
            raise RuntimeError("A waitlist place that was open in this transaction is gone.")
        last_places[key] = last - number
    entries = []
    for one in waitlisted:
        last_places[one.key] += 1
        entries.append(WaitlistEntry(one.user_id, one.key, last_places[one.key], one.now))
    if len(entries) == 1:
        await waitlist.add(db, entries[0], session)  # corrects a wrong place, over which a batch fails
    else:
        await waitlist.add_all(db, entries, session)


def _settled(decisions: Sequence[Decision], transaction: SeatTransaction | None) -> Settled:
    if transaction is None:
        return Settled(decisions)
    completed = [
        replace(one, result=transaction.enrolled(one.result.offering)) if isinstance(one.result, Enrolled) else one
        for one in decisions
    ]
    return Settled(completed, frozenset(transaction.changed_waitlists))
