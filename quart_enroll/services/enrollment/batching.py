"""Batching: students who arrive together share a transaction, which costs little more for a hundred than for one.

A student who arrives while a batch is running waits for its end, and then joins the next batch with all others who
arrived meanwhile; otherwise a batch of one starts at once.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.client import DATABASE_UNAVAILABLE, OutcomeUnknown
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.enrollment.batch_decisions import Choice, Decision, SeatRequest, Waitlisted
from quart_enroll.services.enrollment.batch_transaction import PendingRequest, run_batch
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.enrollment.swap_cycles import complete_cycles

MAX_BATCH_SIZE, MIN_BATCH_SIZE = 100, 4
"""Students in one transaction. A batch that conflicts with changes of other servers makes the next ones smaller, and so
does one that is slow."""

SLOW_BATCH_SECONDS = 1.5
"""From this on, with the wait for its turn, a batch counts as slow. If the processes of a busy server had larger ones,
they would lose patience with each other (see `server_turns`), begin side by side, and conflict. With 1 s, a crowd on
two cores would wait a tenth longer (`make simulate`)."""

STALLED_BATCH_SECONDS = 2.0
"""How long other students wait for a batch; then the next one begins beside it."""


class BatchQueue:
    """Students who wait for the batch that is running."""

    def __init__(self, locks: SectionLocks) -> None:
        self.locks = locks
        self._waiting: list[PendingRequest] = []
        self._batch_size = MAX_BATCH_SIZE
        self._running: asyncio.Task[None] | None = None

    async def enroll(self, user_id: int, options: Sequence[SectionKey], now: datetime) -> Enrolled:
        """Enroll the student in the first of these sections that is not full.

        Raises the refusal, Crowded, and one of DATABASE_UNAVAILABLE when the outcome is unknown.
        """
        [decision] = await self._settle(PendingRequest(SeatRequest(user_id, Choice.FIRST, options, now)))
        return _enrolled(decision)

    async def enroll_or_wait(self, user_id: int, key: SectionKey, now: datetime) -> Enrolled | Waitlisted:
        """Enroll the student, or add them to the waitlist if the section is full; raise what `enroll` raises."""
        request = SeatRequest(user_id, Choice.FIRST, [key], now, join_waitlist=True)
        [decision] = await self._settle(PendingRequest(request))
        return decision.result if isinstance(decision.result, Waitlisted) else _enrolled(decision)

    async def enroll_in_all(self, user_id: int, keys: Sequence[SectionKey], now: datetime) -> Sequence[Decision]:
        """Enroll the student in all of these sections, except in courses that the student has, or in none.

        Each result is a seat or AlreadyEnrolled, or else all are one refusal. Raises Crowded and DATABASE_UNAVAILABLE.
        """
        return await self._settle(PendingRequest(SeatRequest(user_id, Choice.ALL, keys, now)))

    async def enroll_in_plan(self, user_id: int, term: str, now: datetime) -> Sequence[Decision]:
        """Enroll the student in each planned section that is possible, as `enroll_plan` explains.

        Each result is a seat or a refusal. Raises Crowded and DATABASE_UNAVAILABLE.
        """
        return await self._settle(PendingRequest(SeatRequest(user_id, Choice.EACH, (), now), plan_term=term))

    async def _settle(self, pending: PendingRequest) -> Sequence[Decision]:
        """Settle the request with the next batch."""

        async def change() -> Sequence[Decision]:
            self._add([pending])
            settled = await pending.result
            # Only waitlists that were left can complete a swap cycle: a new entry comes after all the others.
            await complete_cycles(self.locks, pending.user_id, pending.request.now, settled.changed_waitlists)
            return settled.decisions

        return await self.locks.admit(frozenset(pending.request.keys), change)

    def _add(self, requests: Sequence[PendingRequest]) -> None:
        """Add requests to the next batch, and start it unless one is running."""
        self._waiting += requests
        if self._running is None and self._waiting:
            self._running = asyncio.ensure_future(self._run_batches())

    async def _run_batches(self) -> None:
        task = asyncio.current_task()
        while self._running is task and (batch := self._next_batch()):
            timer = asyncio.get_running_loop().call_later(STALLED_BATCH_SECONDS, self._stop_waiting_for, task)
            try:
                await self._run(batch)
            finally:
                timer.cancel()
        self._stop_waiting_for(task)

    def _stop_waiting_for(self, task: asyncio.Task[None] | None) -> None:
        if self._running is task:
            self._running = None
            self._add([])

    async def _run(self, batch: Sequence[PendingRequest]) -> None:
        """Settle the batch; if it fails, each half of it alone, so that only the students who caused it get errors."""
        began = time.monotonic()
        try:
            settled = await run_batch(self.locks, batch)
        except DATABASE_UNAVAILABLE as error:
            for pending in batch:
                pending.fail(_unknown_because_of(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, the request that caused it gets it
            if len(batch) == 1:
                batch[0].fail(error)
                return
            middle = len(batch) // 2
            self._batch_size = max(MIN_BATCH_SIZE, middle)
            await asyncio.gather(self._run(batch[:middle]), self._run(batch[middle:]))
        else:
            for pending, result in zip(batch, settled, strict=False):
                pending.resolve(result)
            self._adapt_size(len(batch), time.monotonic() - began)
            self._waiting[:0] = batch[len(settled) :]
            self._add([])

    def _adapt_size(self, size: int, seconds: float) -> None:
        """Make the next batches smaller after a slow one, and else a little larger."""
        if seconds > SLOW_BATCH_SECONDS:
            self._batch_size = max(MIN_BATCH_SIZE, min(self._batch_size, size) // 2)
        else:
            self._batch_size = min(MAX_BATCH_SIZE, self._batch_size + MIN_BATCH_SIZE)

    def _next_batch(self) -> list[PendingRequest]:
        """Remove the students of the next batch from the queue: those who arrived first, each student once."""
        batch: dict[int, PendingRequest] = {}
        for pending in self._waiting:
            if len(batch) < self._batch_size:
                batch.setdefault(pending.user_id, pending)
        removed = set(batch.values())
        self._waiting = [pending for pending in self._waiting if pending not in removed]
        return list(batch.values())


def _unknown_because_of(error: Exception) -> OutcomeUnknown:
    unknown = OutcomeUnknown()
    unknown.__cause__ = error
    return unknown


def _enrolled(decision: Decision) -> Enrolled:
    if isinstance(decision.result, Refused):
        raise decision.result
    if not isinstance(decision.result, Enrolled):
        raise TypeError(f"There is no such choice: {decision.result}")
    return decision.result
