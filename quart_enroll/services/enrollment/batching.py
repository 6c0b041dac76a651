"""Batching: students who arrive together share a transaction, which costs little more for ten than for one.

A student who arrives while a batch is running waits for its end, and then joins the next batch with all others who
arrived meanwhile; otherwise a batch of one starts at once. Students never wait for a section that they don't want.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.client import DATABASE_UNAVAILABLE
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.enrollment.batch_decisions import Choice, Decision, SeatRequest, Waitlisted
from quart_enroll.services.enrollment.batch_transaction import PendingRequest, run_batch
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.enrollment.swap_cycles import complete_cycles

MAX_BATCH_SIZE = 100
"""Students in one transaction."""

STALLED_BATCH_SECONDS = 1.0
"""When a batch counts as stalled: until it has ended, other students no longer wait for it."""


class BatchQueue:
    """Students who wait for the batch that is running."""

    def __init__(self, locks: SectionLocks) -> None:
        self.locks = locks
        self._waiting: list[PendingRequest] = []
        self._running: asyncio.Task[None] | None = None

    def add(self, pending: PendingRequest) -> None:
        """Add the student to the next batch, and start it unless one is running."""
        self._waiting.append(pending)
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._run_batches())

    async def _run_batches(self) -> None:
        while batch := self._next_batch():
            await self._run(batch)

    async def _run(self, batch: Sequence[PendingRequest]) -> None:
        try:
            results = await run_batch(self.locks, batch)
        except DATABASE_UNAVAILABLE as error:
            for pending in batch:
                pending.fail(error)
        except Exception:  # noqa: BLE001  # the student who caused it gets the error when trying alone
            for pending in batch:
                pending.resolve(None)
        else:
            for pending, result in zip(batch, results, strict=False):
                pending.resolve(result)
            self._waiting[:0] = batch[len(results) :]

    def _next_batch(self) -> list[PendingRequest]:
        """Remove the students of the next batch from the queue: those who arrived first, each student once."""
        batch: dict[int, PendingRequest] = {}
        for pending in self._waiting:
            if len(batch) < MAX_BATCH_SIZE:
                batch.setdefault(pending.user_id, pending)
        removed = set(batch.values())
        self._waiting = [pending for pending in self._waiting if pending not in removed]
        return list(batch.values())


class MainBatchQueue(BatchQueue):
    """The queue of all sections, with a queue of its own for each section whose lock is not free."""

    def __init__(self, locks: SectionLocks) -> None:
        super().__init__(locks)
        self._is_stalled = False
        self._section_queues: defaultdict[SectionKey | str, BatchQueue] = defaultdict(lambda: BatchQueue(locks))

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
        """Settle the request with the next batch, or alone if the database refuses the batch or others block it."""

        async def change() -> Sequence[Decision]:
            self.add(pending)
            settled = await pending.result
            if settled is None:
                [settled] = await run_batch(self.locks, [pending])
            # Only waitlists that were left can complete a swap cycle: a new entry comes after all the others.
            await complete_cycles(self.locks, pending.user_id, pending.request.now, settled.changed_waitlists)
            return settled.decisions

        return await self.locks.admit(frozenset(pending.request.keys), change)

    def add(self, pending: PendingRequest) -> None:
        if self._is_stalled:
            self._add_to_section_queue(pending)
        else:
            super().add(pending)

    async def _run(self, batch: Sequence[PendingRequest]) -> None:
        timer = asyncio.get_running_loop().call_later(STALLED_BATCH_SECONDS, self._set_stalled)
        try:
            await super()._run(batch)
        finally:
            timer.cancel()
            self._is_stalled = False

    def _next_batch(self) -> list[PendingRequest]:
        locked = [one for one in self._waiting if any(map(self.locks.is_locked, one.request.keys))]
        for pending in locked:
            self._waiting.remove(pending)
            self._add_to_section_queue(pending)
        return super()._next_batch()

    def _set_stalled(self) -> None:
        self._is_stalled = True
        for pending in self._waiting:
            self._add_to_section_queue(pending)
        self._waiting.clear()

    def _add_to_section_queue(self, pending: PendingRequest) -> None:
        """Let the student wait with others who want the same section; those with a plan wait together."""
        keys = pending.request.keys
        self._section_queues[keys[0] if keys else pending.plan_term].add(pending)


def _enrolled(decision: Decision) -> Enrolled:
    if isinstance(decision.result, Refused):
        raise decision.result
    if not isinstance(decision.result, Enrolled):
        raise TypeError(f"There is no such choice: {decision.result}")
    return decision.result
