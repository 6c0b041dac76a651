"""Batching: students who arrive together share a transaction, which costs little more for a hundred than for one.

A batch begins as soon as no other change runs on this server, with everyone who has arrived until then. So the busier
the server is, the larger are its batches.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.client import DATABASE_UNAVAILABLE, OutcomeUnknown
from quart_enroll.domain.errors import Crowded, Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.enrollment.batch_decisions import Choice, Decision, SeatRequest, Waitlisted
from quart_enroll.services.enrollment.batch_transaction import PendingRequest, run_batch
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.services.enrollment.section_lock import RETRY_AFTER_SECONDS, SectionLocks
from quart_enroll.services.enrollment.swap_cycles import complete_cycles

MAX_BATCH_SIZE, MIN_BATCH_SIZE = 150, 4
"""Students in one transaction. A batch that conflicts with changes of other servers makes the next ones smaller."""

STALLED_BATCH_SECONDS = 4.0
"""How long other students wait for a batch that holds the server lock; then the next one begins beside it."""

MAX_QUEUE_SECONDS = 15.0
"""How long a request waits for its batch; then Crowded answers it. What is begun so late would not end in time, and
those who had to wait for that in vain would press again: a server that falls behind would never catch up."""


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

    async def _settle(self, wanted: PendingRequest) -> Sequence[Decision]:
        """Settle the request with the next batch; a repeat of one that is still waiting shares its result."""

        async def change() -> Sequence[Decision]:
            pending = next((one for one in self._waiting if wanted.repeats(one)), wanted)
            if pending is wanted:
                self._add([pending])
            settled = await pending.result
            # Only waitlists that were left can complete a swap cycle: a new entry comes after all the others.
            await complete_cycles(self.locks, pending.user_id, pending.request.now, settled.changed_waitlists)
            return settled.decisions

        return await self.locks.admit(frozenset(wanted.request.keys), change)

    def _add(self, requests: Sequence[PendingRequest]) -> None:
        """Add requests to the next batch, and start it unless one is running."""
        self._waiting += requests
        if self._running is None and self._waiting:
            self._running = asyncio.ensure_future(self._run_batches())

    async def _run_batches(self) -> None:
        task = asyncio.current_task()
        while self._running is task and self._waiting:
            async with self.locks.server_lock.exclusive():
                timer = asyncio.get_running_loop().call_later(STALLED_BATCH_SECONDS, self._stop_waiting_for, task)
                halves = await self._run(self._next_batch())
            try:
                await asyncio.gather(*map(self._run_half, halves))
            finally:
                timer.cancel()
        self._stop_waiting_for(task)

    def _stop_waiting_for(self, task: asyncio.Task[None] | None) -> None:
        if self._running is task:
            self._running = None
            self._add([])

    async def _run_half(self, half: Sequence[PendingRequest]) -> None:
        """Settle the half of a failed batch under a lock of its own."""
        async with self.locks.server_lock.exclusive():
            halves = await self._run(_in_time(half, OutcomeUnknown()))
        await asyncio.gather(*map(self._run_half, halves))

    async def _run(self, batch: Sequence[PendingRequest]) -> Sequence[Sequence[PendingRequest]]:
        """Settle the batch; if it fails, return its halves, so that only the students who caused it get errors."""
        if not batch:
            return ()
        try:
            settled = await run_batch(self.locks, batch)
        except DATABASE_UNAVAILABLE as error:
            for pending in batch:
                pending.fail(_unknown_because_of(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, the request that caused it gets it
            if len(batch) > 1:
                middle = len(batch) // 2
                self._batch_size = max(MIN_BATCH_SIZE, middle)
                return batch[:middle], batch[middle:]
            batch[0].fail(error)
        else:
            for pending, result in zip(batch, settled, strict=False):
                pending.resolve(result)
            self._batch_size = min(MAX_BATCH_SIZE, self._batch_size + MIN_BATCH_SIZE)
            self._waiting[:0] = batch[len(settled) :]
            self._add([])
        return ()

    def _next_batch(self) -> list[PendingRequest]:
        """Remove the students of the next batch from the queue: those who arrived first, each student once."""
        batch: dict[int, PendingRequest] = {}
        left: list[PendingRequest] = []
        for pending in _in_time(self._waiting, Crowded(RETRY_AFTER_SECONDS)):
            if pending.user_id in batch or len(batch) == self._batch_size:
                left.append(pending)
            else:
                batch[pending.user_id] = pending
        self._waiting = left
        return list(batch.values())


def _in_time(requests: Sequence[PendingRequest], error: Exception) -> list[PendingRequest]:
    """Return the requests that have not waited for too long; the others get the error."""
    too_early = time.monotonic() - MAX_QUEUE_SECONDS
    for pending in requests:
        if pending.queued_at < too_early:
            pending.fail(error)
    return [pending for pending in requests if pending.queued_at >= too_early]


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
