"""Boarding: enrollments that come together share a transaction, which costs little more for ten than for one.

Who comes while one is under way waits for its end, and then goes with everybody who has come meanwhile; who comes
alone waits for nobody. Each is judged by the same rules, in the order of coming, and one who is refused stops no other.
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

from quart_enroll.errors import Refused
from quart_enroll.models import Event, SectionKey
from quart_enroll.mongo import AWAY, Database, Session, Unsettled
from quart_enroll.repositories import enrollments, events, schedules, sections
from quart_enroll.services import seats, turnstile
from quart_enroll.services.seats import Placed, Standing
from quart_enroll.transactions import acknowledge

MOST_TOGETHER = 16
"""Students in one transaction: of more, one would often meet somebody of another process, and all begin again."""

MOST_BESIDE = 100
"""The same where all want one section that others change too: each transaction stands in the turnstile behind them."""

TRIES = 2.0
"""Seconds in which many try together. Where somebody stands in the way of one of them, the others then go alone."""

WAIT = 1.0
"""Seconds after which a transaction hangs: until it has ended the others need not wait for it."""


class GoAlone(Exception):
    """Together they do not get through."""


Verdict: TypeAlias = Placed | Standing | Refused | None
"""A seat; what was found where the section is full; why there is no seat; None for who must go alone."""


@dataclass(eq=False, slots=True)
class Boarder:
    """A student who wants a seat."""

    db: Database
    user_id: int
    key: SectionKey
    now: datetime
    came: float = field(default_factory=time.monotonic)
    told: asyncio.Future[Verdict] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, verdict: Verdict) -> None:
        """Tell what became of it, if somebody still waits for that."""
        if not self.told.done():
            self.told.set_result(verdict)

    def fail(self, cause: BaseException) -> None:
        """Tell that nobody knows what became of it."""
        if not self.told.done():
            unsettled = Unsettled()
            unsettled.__cause__ = cause
            self.told.set_exception(unsettled)


class Gate:
    """Where students wait for the transaction under way."""

    def __init__(self, most: int = MOST_TOGETHER) -> None:
        self._most = most
        self._waiting: list[Boarder] = []
        self._boarding: asyncio.Task[None] | None = None

    def enter(self, boarder: Boarder) -> None:
        """Let the student go with the next transaction."""
        self._waiting.append(boarder)
        if self._boarding is None or self._boarding.done():
            self._boarding = asyncio.ensure_future(self._board_all())

    async def _board_all(self) -> None:
        while together := self._next():
            await self._go(together)

    async def _go(self, together: Sequence[Boarder]) -> None:
        try:
            verdicts = await _board(together)
        except AWAY as error:
            for one in together:
                one.fail(error)
        except Exception:  # noqa: BLE001  # whoever it is that can't be boarded will hear so alone
            for one in together:
                one.tell(None)
        else:
            for one, verdict in zip(together, verdicts, strict=True):
                one.tell(verdict)

    def _next(self) -> list[Boarder]:
        """Take out who goes next: those who came first, each student once."""
        together: dict[int, Boarder] = {}
        for one in self._waiting:
            if len(together) < self._most and one.db is self._waiting[0].db:
                together.setdefault(one.user_id, one)
        gone = set(together.values())
        self._waiting = [one for one in self._waiting if one not in gone]
        return list(together.values())


class MainGate(Gate):
    """The gate to all sections; beside it is one for each section in front of which somebody would have to wait."""

    def __init__(self) -> None:
        super().__init__()
        self._hangs = False
        self._beside: defaultdict[SectionKey, Gate] = defaultdict(lambda: Gate(MOST_BESIDE))

    def enter(self, boarder: Boarder) -> None:
        if self._hangs:
            self._beside[boarder.key].enter(boarder)
        else:
            super().enter(boarder)

    async def _go(self, together: Sequence[Boarder]) -> None:
        hangs = asyncio.get_running_loop().call_later(WAIT, self._hang)
        try:
            await super()._go(together)
        finally:
            hangs.cancel()
            self._hangs = False

    def _next(self) -> list[Boarder]:
        for one in [one for one in self._waiting if turnstile.is_taken(one.key)]:
            self._waiting.remove(one)
            self._beside[one.key].enter(one)
        return super()._next()

    def _hang(self) -> None:
        self._hangs = True
        for one in self._waiting:
            self._beside[one.key].enter(one)
        self._waiting.clear()


_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, MainGate] = WeakKeyDictionary()


async def board(db: Database, user_id: int, key: SectionKey, now: datetime) -> Placed | Standing | None:
    """Give the student a seat, or return what was found in front of a full section.

    None is for who must go alone, in a transaction of their own: who waits in a line, because leaving it makes room for
    others; and all in a transaction that the database refuses, or does not let through. Raises the reason to refuse,
    Crowded, and one of mongo.AWAY when nobody knows whether it happened.
    """
    gate = _gates.setdefault(asyncio.get_running_loop(), MainGate())

    async def wait() -> Verdict:
        boarder = Boarder(db, user_id, key, now)
        gate.enter(boarder)
        return await boarder.told

    verdict = await turnstile.admit(frozenset([key]), wait)
    if isinstance(verdict, Refused):
        raise verdict
    return verdict


async def _board(together: Sequence[Boarder]) -> list[Verdict]:
    db, keys, begun = together[0].db, {one.key for one in together}, False

    async def body(session: Session) -> list[Verdict]:
        nonlocal begun
        begun = True
        verdicts = await _judge(db, session, together)
        seated = [(who, one) for who, one in zip(together, verdicts, strict=True) if isinstance(one, Placed)]
        await _take(db, session, seated)
        return verdicts

    left = min(one.came for one in together) + turnstile.PATIENCE - time.monotonic()
    tries = TRIES if len(together) > 1 else left
    try:
        verdicts = await turnstile.turn(db, keys, body, patience=left, tries=tries)
    except Unsettled:
        # If it came about after all, who goes alone is told that they are enrolled.
        raise GoAlone if begun and tries < left else Unsettled from None
    if not any(isinstance(one, Placed) for one in verdicts):  # else the commit has waited for that
        await acknowledge(db)
    return verdicts


async def _judge(db: Database, session: Session, together: Sequence[Boarder]) -> list[Verdict]:
    """Return what becomes of each; seats that are given are not open for those who come after."""
    found = await seats.standings(db, [(one.user_id, one.key) for one in together], session)
    given = Counter[SectionKey]()
    verdicts: list[Verdict] = []
    for one, there in zip(together, found, strict=True):
        verdict = _allowed(there, one.now)
        if isinstance(verdict, Standing) and given[one.key] < verdict.offer.section.open_seats:
            given[one.key] += 1
            verdict = Placed(verdict.offer)
        verdicts.append(verdict)
    return verdicts


def _allowed(there: Standing | Refused, now: datetime) -> Verdict:
    """Return the standing of who may have a seat if one is open."""
    if isinstance(there, Refused):
        return there
    if there.lines:
        return None
    try:
        seats.check_all(there, now)
    except Refused as refusal:
        return refusal
    return there


async def _take(db: Database, session: Session, placed: Sequence[tuple[Boarder, Placed]]) -> None:
    """Write the seats. Those of the sections come last: everybody else who wants one is waiting for these."""
    if not placed:
        return
    more = {(who.user_id, who.key.term): one.offer.course.credits for who, one in placed}
    await schedules.guard_all(db, more, session)
    await enrollments.put_all(db, [(who.user_id, who.key, who.now) for who, _ in placed], session)
    await events.add_all(db, [_event(who) for who, _ in placed], session)
    if not await sections.take_seats(db, Counter(who.key for who, _ in placed), session):
        raise RuntimeError("A seat that was open in this transaction is gone.")


def _event(who: Boarder) -> Event:
    return Event(who.now, who.user_id, who.user_id, "enroll", who.key.courseID, who.key.term, who.key.section)
