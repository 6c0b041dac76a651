"""Read what is asked for at the same moment in one query.

A query for one student costs as much as a page, one for ten students little more. While a query runs, the next keys are
collected; otherwise a query begins at once, so that no request waits for another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

MAX_KEYS_PER_READ = 100
"""Keys that are read in one query."""

Key = TypeVar("Key")
Result = TypeVar("Result")


class BatchReader(Generic[Key, Result]):
    """Reads results by key for one process. A query begins after the call for each key that it reads."""

    def __init__(self, read_many: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Result]]]) -> None:
        self._read_many = read_many
        self._waiting: dict[Key, asyncio.Future[Result | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def read(self, key: Key) -> Result | None:
        """Return what is stored under the key now, or None; raise what the query raises."""
        found = self._waiting.get(key)
        if found is None:
            found = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._read_waiting())
        return await asyncio.shield(found)  # others may wait for the same key

    async def _read_waiting(self) -> None:
        while self._waiting:
            reading = {key: self._waiting[key] for key in islice(self._waiting, MAX_KEYS_PER_READ)}
            for key in reading:
                del self._waiting[key]
            try:
                results = await self._read_many(list(reading))
            except Exception as error:  # noqa: BLE001  # each caller gets it
                for found in reading.values():
                    found.set_exception(error)
                    found.exception()  # retrieved, because the callers may have gone
            else:
                for key, found in reading.items():
                    found.set_result(results.get(key))
