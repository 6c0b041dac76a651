"""Section locks: each process runs one transaction at a time for each section, and takes turns with the others.

Transactions on one hot section that meet in the database abort each other: 300 students for 30 seats took 10 s and
6,700 attempts, and take 0.6 s and 300 attempts with these locks.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from quart_enroll.db.client import Database, OutcomeUnknown, Session
from quart_enroll.db.transactions import AbandonedTransactions, transaction, wait_for_majority
from quart_enroll.domain.errors import Crowded, Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment.server_lock import ServerLock

Result = TypeVar("Result")

CHANGE_TIMEOUT_SECONDS = 20.0
"""From a request to its last attempt, all waits included. The site answers within 25, because Heroku's router gives up
after 30."""

MAX_CHANGES, MAX_SECTION_CHANGES = 2000, 1000
"""Changes that a process lets wait or run, in total and for one section. The first is about as many as one core makes
within the timeout; the second is half of that, so that a crowd for one section doesn't lock out all the others."""

RETRY_AFTER_SECONDS = 5
"""When to try again after Crowded."""


async def nothing() -> None:
    """Do nothing."""


class SectionLocks:
    """The section locks of one process, and the changes that wait for them or run.

    The three limits are attributes, so that a test can set others.
    """

    def __init__(self, db: Database, server_lock: ServerLock | None = None) -> None:
        self.db = db
        self.server_lock = server_lock or ServerLock(None)
        self.max_changes = MAX_CHANGES
        self.max_section_changes = MAX_SECTION_CHANGES
        self.timeout_seconds = CHANGE_TIMEOUT_SECONDS
        self._abandoned = AbandonedTransactions(db)
        self._locks: WeakValueDictionary[SectionKey, asyncio.Lock] = WeakValueDictionary()
        self._changes: dict[asyncio.Task[Any], frozenset[SectionKey]] = {}
        self._changes_by_section: Counter[SectionKey] = Counter()

    @property
    def pending_changes(self) -> int:
        """The number of changes that wait or run."""
        return len(self._changes)

    async def run(
        self,
        sections: Iterable[SectionKey],
        body: Callable[[Session], Coroutine[Any, Any, Result]],
        *,
        recheck: Callable[[], Coroutine[Any, Any, None]] = nothing,
        follow_up: Callable[[], Coroutine[Any, Any, None]] = nothing,
        timeout_seconds: float | None = None,
    ) -> Result:
        """Run `body` in a transaction that holds the locks of these sections, then `follow_up`; return body's result.

        `recheck` runs after a wait, and may raise a refusal before a pointless transaction begins.
        Raises what `admit` and `run_transaction` raise.
        """
        keys = frozenset(sections)
        timeout = self.timeout_seconds if timeout_seconds is None else timeout_seconds

        async def change() -> Result:
            result = await self.run_transaction(keys, body, recheck=recheck, timeout_seconds=timeout)
            await follow_up()
            return result

        try:
            return await self.admit(keys, change)
        except Refused:
            # "You are already enrolled" may come from a seat that an election rolls back; then it must not be said.
            await wait_for_majority(self.db)
            raise

    async def admit(self, keys: frozenset[SectionKey], change: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Run a change of these sections and return its result; if too many are waiting, raise Crowded instead.

        The change runs to its end even if the client disconnects: it may have been committed already.
        """
        self._check_room(keys)
        task = asyncio.ensure_future(change())
        self._changes[task] = keys
        self._changes_by_section.update(keys)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _check_room(self, keys: frozenset[SectionKey]) -> None:
        """Raise Crowded if too many changes are waiting; a change that is part of an admitted one always has room."""
        if asyncio.current_task() in self._changes:
            return
        if len(self._changes) >= self.max_changes or any(
            self._changes_by_section[key] >= self.max_section_changes for key in keys
        ):
            raise Crowded(RETRY_AFTER_SECONDS)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            task.exception()  # retrieved, because no client may be left to receive it
        for key in self._changes.pop(task):
            self._changes_by_section[key] -= 1
            if not self._changes_by_section[key]:
                del self._changes_by_section[key]

    async def finish(self) -> None:
        """Wait for the changes whose clients have disconnected."""
        await asyncio.gather(*self._changes, return_exceptions=True)

    async def run_transaction(
        self,
        sections: Iterable[SectionKey],
        body: Callable[[Session], Coroutine[Any, Any, Result]],
        *,
        timeout_seconds: float,
        recheck: Callable[[], Coroutine[Any, Any, None]] = nothing,
    ) -> Result:
        """Wait for the locks of these sections and for the server lock, then run `body` in a transaction.

        Raises one of DATABASE_UNAVAILABLE when that takes longer than `timeout_seconds`: then nobody knows whether it
        was committed.
        """
        began = time.monotonic()
        async with self.hold(sections, timeout_seconds=timeout_seconds) as waited:
            metrics.record_lock_wait(time.monotonic() - began)
            if waited:
                await recheck()
            async with self.server_lock.shared():
                remaining = began + timeout_seconds - time.monotonic()
                return await transaction(self.db, body, remaining, self._abandoned)

    async def run_batch(
        self, body: Callable[[Session], Coroutine[Any, Any, Result]], *, attempt_seconds: float, end: float
    ) -> Result:
        """Run `body` in a transaction without section locks, while the caller holds the server lock exclusively.

        It is retried for `attempt_seconds`, but not after `end`. Raises one of DATABASE_UNAVAILABLE, as
        `run_transaction` does.
        """
        remaining = end - time.monotonic()
        return await transaction(self.db, body, min(attempt_seconds, remaining), self._abandoned)

    @asynccontextmanager
    async def hold(self, sections: Iterable[SectionKey], *, timeout_seconds: float) -> AsyncIterator[bool]:
        """Hold the locks of these sections, and yield whether that took a wait for another change.

        Raises OutcomeUnknown when they aren't free within `timeout_seconds`.
        """
        waited = False
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(timeout_seconds):  # only for the wait: a transaction is never interrupted
                    for key in sorted(sections):  # always in one order, so that no two changes wait for each other
                        lock = self._locks.setdefault(key, asyncio.Lock())
                        waited = waited or lock.locked()
                        await stack.enter_async_context(lock)
            except TimeoutError:
                raise OutcomeUnknown from None
            yield waited
