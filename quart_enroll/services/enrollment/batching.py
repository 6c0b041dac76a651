"""Boarding: students who come together share a transaction, which costs little more for ten than for one.

Who comes while one is under way waits for its end, and then goes with everybody who has come meanwhile; who comes
alone waits for nobody. Each is judged by the same rules, in the order of coming, and one who is refused stops no other:
who wants a seat gets one that is open, and who would line up goes to the end of the line where there is none.
Nobody waits for a section that they don't want.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from weakref import WeakKeyDictionary

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database, OutcomeUnknown, Session
from quart_enroll.db.collections import enrollments, events, schedules, sections, waitlist
from quart_enroll.db.transactions import wait_for_majority
from quart_enroll.domain.errors import AlreadyWaiting, Refused, WaitlistFull
from quart_enroll.domain.models import Event, SectionKey, WaitlistEntry
from quart_enroll.services.enrollment import seat_changes, section_lock, swap_cycles
from quart_enroll.services.enrollment.seat_changes import Offer, Seated, SeatTransaction, Standing

MAX_BATCH_SIZE = 16
"""Students in one transaction: of more, one would often meet somebody of another process, and all begin again."""

MAX_SECTION_BATCH_SIZE = 100
"""The same where all want one section that others change too: each transaction stands in the turnstile behind them."""

TRIES = 2.0
"""Seconds in which many try together. Where somebody stands in the way of one of them, the others then go alone."""

WAIT = 1.0
"""Seconds after which a transaction hangs: until it has ended the others need not wait for it."""


class BatchAborted(Exception):
    """Together they do not get through."""


@dataclass(frozen=True, slots=True)
class Waitlisted:
    """The place in line that a student took, from 1."""

    offer: Offer
    position: int


Verdict: TypeAlias = Seated | Waitlisted | Standing | Refused | None
"""A seat; a place in line; or what was found where the section is full; why not; None for who must go alone."""


@dataclass(eq=False, slots=True)
class PendingEnrollment:
    """A student who wants a seat, and lines up for it where none is open, or not.

    Who gets one leaves lines by a `step` of their own, in the same transaction; `waits` are those places.
    """

    db: Database
    user_id: int
    key: SectionKey
    now: datetime
    lines_up: bool = False
    waits: Sequence[WaitlistEntry] = ()
    step: SeatTransaction | None = None
    came: float = field(default_factory=time.monotonic)
    told: asyncio.Future[Verdict] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, verdict: Verdict) -> None:
        """Tell what became of it, if somebody still waits for that."""
        if not self.told.done():
            self.told.set_result(verdict)

    def fail(self, cause: BaseException) -> None:
        """Tell that nobody knows what became of it."""
        if not self.told.done():
            unsettled = OutcomeUnknown()
            unsettled.__cause__ = cause
            self.told.set_exception(unsettled)


class BatchQueue:
    """Where students wait for the transaction under way."""

    def __init__(self, most: int = MAX_BATCH_SIZE) -> None:
        self._most = most
        self._waiting: list[PendingEnrollment] = []
        self._boarding: asyncio.Task[None] | None = None

    def enter(self, boarder: PendingEnrollment) -> None:
        """Let the student go with the next transaction."""
        self._waiting.append(boarder)
        if self._boarding is None or self._boarding.done():
            self._boarding = asyncio.ensure_future(self._board_all())

    async def _board_all(self) -> None:
        while together := self._next():
            await self._go(together)

    async def _go(self, together: Sequence[PendingEnrollment]) -> None:
        try:
            verdicts = await _board(together)
        except DATABASE_UNAVAILABLE as error:
            for one in together:
                one.fail(error)
        except Exception:  # noqa: BLE001  # whoever it is that can't be boarded will hear so alone
            for one in together:
                one.tell(None)
        else:
            for one, verdict in zip(together, verdicts, strict=True):
                one.tell(verdict)

    def _next(self) -> list[PendingEnrollment]:
        """Take out who goes next: those who came first, each student once."""
        together: dict[int, PendingEnrollment] = {}
        for one in self._waiting:
            if len(together) < self._most and one.db is self._waiting[0].db:
                together.setdefault(one.user_id, one)
        gone = set(together.values())
        self._waiting = [one for one in self._waiting if one not in gone]
        return list(together.values())


class MainBatchQueue(BatchQueue):
    """The gate to all sections; beside it is one for each section in front of which somebody would have to wait."""

    def __init__(self) -> None:
        super().__init__()
        self._hangs = False
        self._beside: defaultdict[SectionKey, BatchQueue] = defaultdict(lambda: BatchQueue(MAX_SECTION_BATCH_SIZE))

    def enter(self, boarder: PendingEnrollment) -> None:
        if self._hangs:
            self._beside[boarder.key].enter(boarder)
        else:
            super().enter(boarder)

    async def _go(self, together: Sequence[PendingEnrollment]) -> None:
        hangs = asyncio.get_running_loop().call_later(WAIT, self._hang)
        try:
            await super()._go(together)
        finally:
            hangs.cancel()
            self._hangs = False

    def _next(self) -> list[PendingEnrollment]:
        for one in [one for one in self._waiting if section_lock.is_taken(one.key)]:
            self._waiting.remove(one)
            self._beside[one.key].enter(one)
        return super()._next()

    def _hang(self) -> None:
        self._hangs = True
        for one in self._waiting:
            self._beside[one.key].enter(one)
        self._waiting.clear()


_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, MainBatchQueue] = WeakKeyDictionary()


async def board(
    db: Database, user_id: int, key: SectionKey, now: datetime, *, lines_up: bool = False
) -> Seated | Waitlisted | Standing | None:
    """Give the student a seat; where the section is full the last place in line to who `lines_up`, else what was found.

    None is for who must go alone, in a transaction of their own: all in one that the database refuses, or does not let
    through. Raises the reason to refuse, Crowded, and one of mongo.AWAY when nobody knows whether it happened.

    No new place makes a ring of swaps possible: who comes last stands behind everybody who may be in one.
    """
    gate = _gates.setdefault(asyncio.get_running_loop(), MainBatchQueue())

    async def wait() -> Verdict:
        boarder = PendingEnrollment(db, user_id, key, now, lines_up)
        gate.enter(boarder)
        verdict = await boarder.told
        if isinstance(verdict, Seated) and boarder.step is not None:
            await swap_cycles.complete_cycles(db, user_id, now, boarder.step.lines)
            return seat_changes.placed(boarder.step, verdict.offer)
        return verdict

    verdict = await section_lock.admit(frozenset([key]), wait)
    if isinstance(verdict, Refused):
        raise verdict
    return verdict


async def _board(together: Sequence[PendingEnrollment]) -> list[Verdict]:
    db, keys, begun = together[0].db, {one.key for one in together}, False

    async def body(session: Session) -> list[Verdict]:
        nonlocal begun
        begun = True
        verdicts = await _judge(db, session, together)
        await _write(db, session, list(zip(together, verdicts, strict=True)))
        return verdicts

    left = min(one.came for one in together) + section_lock.PATIENCE - time.monotonic()
    tries = TRIES if len(together) > 1 else left
    try:
        verdicts = await section_lock.turn(db, keys, body, patience=left, tries=tries)
    except OutcomeUnknown:
        # If it came about after all, who goes alone is told that they are enrolled.
        raise BatchAborted if begun and tries < left else OutcomeUnknown from None
    if not any(isinstance(one, Seated | Waitlisted) for one in verdicts):  # else the commit has waited for that
        await wait_for_majority(db)
    return verdicts


async def _judge(db: Database, session: Session, together: Sequence[PendingEnrollment]) -> list[Verdict]:
    """Return what becomes of each; what is given to one is not there any more for those who come after."""
    found = await seat_changes.load_students(db, [(one.user_id, one.key) for one in together], session)
    given, lined = Counter[SectionKey](), Counter[SectionKey]()
    verdicts: list[Verdict] = []
    for one, there in zip(together, found, strict=True):
        verdict = _verdict(one, there, given[one.key], lined[one.key])
        given[one.key] += isinstance(verdict, Seated)
        lined[one.key] += isinstance(verdict, Waitlisted)
        verdicts.append(verdict)
    return verdicts


def _verdict(one: PendingEnrollment, there: Standing | Refused, given: int, lined: int) -> Verdict:
    """Return what becomes of a student, when so many seats were given and places taken just before."""
    if isinstance(there, Refused):
        return there
    wanted, section = there.offer, there.offer.section
    if one.lines_up and there.place is not None:
        return AlreadyWaiting(wanted.course.title, there.place.key.section)
    is_open = given < section.open_seats
    try:
        seat_changes.check_all(there, one.now, along=there.waits_for if one.lines_up and not is_open else ())
    except Refused as refusal:
        return refusal
    if is_open:
        one.waits = there.lines
        return Seated(wanted)
    if not one.lines_up:
        return there
    if section.waiting + lined >= section.waitlist_capacity:
        return WaitlistFull(wanted.course.title, section.section)
    return Waitlisted(wanted, section.waiting + lined + 1)


async def _write(db: Database, session: Session, judged: Sequence[tuple[PendingEnrollment, Verdict]]) -> None:
    """Write the seats and places. Those of the sections come late: everybody else is waiting for these."""
    placed = [(who, one.offer.course.credits) for who, one in judged if isinstance(one, Seated)]
    lined = [who for who, one in judged if isinstance(one, Waitlisted)]
    leaving = [(who, SeatTransaction(db, session, who.now, who.user_id)) for who, _ in placed if who.waits]
    if not placed and not lined:
        return
    more = {(who.user_id, who.key.term): number for who, number in (*placed, *((who, 0) for who in lined))}
    await schedules.bump_versions(db, more, session)
    if placed:
        await enrollments.put_all(db, [(who.user_id, who.key, who.now) for who, _ in placed], session)
    for who, step in leaving:
        who.step = step
        await seat_changes.leave_lines(step, who.user_id, who.key, who.waits)
    happened = [*(_event(who, "enroll") for who, _ in placed), *(_event(who, "join") for who in lined)]
    await events.add_all(db, happened, session)
    if placed and not await sections.take_seats(db, Counter(who.key for who, _ in placed), session):
        raise RuntimeError("A seat that was open in this transaction is gone.")
    if lined:
        await _line_up(db, session, lined)
    for _, step in leaving:
        await seat_changes.promote_waitlists(step)


async def _line_up(db: Database, session: Session, lined: Sequence[PendingEnrollment]) -> None:
    """Write the places, in the order of coming."""
    ends: dict[SectionKey, int] = {}
    for key, number in sorted(Counter(who.key for who in lined).items()):
        last = await sections.join_waitlist(db, key, session, number)
        if last is None:
            raise RuntimeError("A place in line that was free in this transaction is gone.")
        ends[key] = last - number
    places = []
    for who in lined:
        ends[who.key] += 1
        places.append(WaitlistEntry(who.user_id, who.key, ends[who.key], who.now))
    await waitlist.add_all(db, places, session)


def _event(who: PendingEnrollment, action: str) -> Event:
    return Event(who.now, who.user_id, who.user_id, action, who.key.courseID, who.key.term, who.key.section)
