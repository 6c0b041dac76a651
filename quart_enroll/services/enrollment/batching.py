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
from quart_enroll.services.enrollment.batch_transaction import (
    BatchResult,
    PendingEnrollment,
    Waitlisted,
    run_batch,
)
from quart_enroll.services.enrollment.candidates import Candidate
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.enrollment.swap_cycles import complete_cycles

MAX_BATCH_SIZE = 16
"""Students in one transaction: a larger one would often conflict with another process, and start again for all."""

MAX_SECTION_BATCH_SIZE = 100
"""The same if all want one section that other changes want too: each transaction has to wait for its lock."""

STALLED_BATCH_SECONDS = 1.0
"""When a batch counts as stalled: until it has ended, other students no longer wait for it."""


class BatchQueue:
    """Students who wait for the batch that is running."""

    def __init__(self, locks: SectionLocks, max_batch_size: int) -> None:
        self.locks = locks
        self._max_batch_size = max_batch_size
        self._waiting: list[PendingEnrollment] = []
        self._running: asyncio.Task[None] | None = None

    def add(self, pending: PendingEnrollment) -> None:
        """Add the student to the next batch, and start it unless one is running."""
        self._waiting.append(pending)
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._run_batches())

    async def _run_batches(self) -> None:
        while batch := self._next_batch():
            await self._run(batch)

    async def _run(self, batch: Sequence[PendingEnrollment]) -> None:
        try:
            results = await run_batch(self.locks, batch)
        except DATABASE_UNAVAILABLE as error:
            for pending in batch:
                pending.fail(error)
        except Exception:  # noqa: BLE001  # the student who caused it gets the error when trying alone
            for pending in batch:
                pending.resolve(None)
        else:
            for pending, result in zip(batch, results, strict=True):
                pending.resolve(result)

    def _next_batch(self) -> list[PendingEnrollment]:
        """Remove the students of the next batch from the queue: those who arrived first, each student once."""
        batch: dict[int, PendingEnrollment] = {}
        for pending in self._waiting:
            if len(batch) < self._max_batch_size:
                batch.setdefault(pending.user_id, pending)
        removed = set(batch.values())
        self._waiting = [pending for pending in self._waiting if pending not in removed]
        return list(batch.values())


class MainBatchQueue(BatchQueue):
    """The queue of all sections, with a queue of its own for each section whose lock is not free."""

    def __init__(self, locks: SectionLocks) -> None:
        super().__init__(locks, MAX_BATCH_SIZE)
        self._is_stalled = False
        self._section_queues: defaultdict[SectionKey, BatchQueue] = defaultdict(
            lambda: BatchQueue(locks, MAX_SECTION_BATCH_SIZE)
        )

    async def enroll(
        self, user_id: int, key: SectionKey, now: datetime, *, join_waitlist: bool = False
    ) -> Enrolled | Waitlisted | Candidate | None:
        """Enroll the student; if the section is full, return the candidate, or with `join_waitlist` a waitlist entry.

        Returns None for a student who must try alone, because the database refuses the batch or others block it.
        Raises the refusal, Crowded, and one of DATABASE_UNAVAILABLE when the outcome is unknown.
        """

        async def change() -> BatchResult:
            pending = PendingEnrollment(user_id, key, now, join_waitlist)
            self.add(pending)
            result = await pending.result
            # Only waitlists that were left can complete a swap cycle: a new entry comes after all the others.
            if isinstance(result, Enrolled) and (transaction := pending.seat_transaction) is not None:
                await complete_cycles(self.locks, user_id, now, transaction.changed_waitlists)
                return transaction.enrolled(result.offering)
            return result

        result = await self.locks.admit(frozenset([key]), change)
        if isinstance(result, Refused):
            raise result
        return result

    def add(self, pending: PendingEnrollment) -> None:
        if self._is_stalled:
            self._section_queues[pending.key].add(pending)
        else:
            super().add(pending)

    async def _run(self, batch: Sequence[PendingEnrollment]) -> None:
        timer = asyncio.get_running_loop().call_later(STALLED_BATCH_SECONDS, self._set_stalled)
        try:
            await super()._run(batch)
        finally:
            timer.cancel()
            self._is_stalled = False

    def _next_batch(self) -> list[PendingEnrollment]:
        for pending in [one for one in self._waiting if self.locks.is_locked(one.key)]:
            self._waiting.remove(pending)
            self._section_queues[pending.key].add(pending)
        return super()._next_batch()

    def _set_stalled(self) -> None:
        self._is_stalled = True
        for pending in self._waiting:
            self._section_queues[pending.key].add(pending)
        self._waiting.clear()
