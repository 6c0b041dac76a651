"""Keeps the results of reports so long that computing them takes a small share of one core, however many people look.

A result is kept for as long as it takes to stay within the share: the slower the reports in use, the longer. During an
opening, the seats of the students matter more than how fresh a curve is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quart_enroll.bounded_cache import ByteCache, size_of

R = TypeVar("R")

COMPUTING_SHARE = 0.01
"""The share of its time that a process spends at most on computing reports, those of the database included."""

MIN_AGE_SECONDS = 5.0
"""Seconds for which a result is kept at least."""

IN_USE_SECONDS = 60.0
"""Seconds after which an unused report no longer counts."""

ROW_BYTES = 150
"""Bytes of a row in memory: a small tuple, whose texts are shared with other rows."""


@dataclass(slots=True)
class CachedReport(Generic[R]):
    """The rows of a report: when it was computed, in how many seconds, and when someone last asked for it."""

    rows: Sequence[R]
    computed_at: float
    cost: float
    asked_at: float


class ReportCache:
    """The results of reports by key, in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: ByteCache[Hashable, CachedReport[Any]] = ByteCache(
            "reports", lambda key, found: size_of(key) + ROW_BYTES * len(found.rows)
        )

    async def get_or_compute(self, key: Hashable, compute: Callable[[], Awaitable[Sequence[R]]]) -> CachedReport[R]:
        """Return the rows, computed by one caller for all who ask at the same time."""
        if (found := self._find(key)) is not None:
            return found
        async with self._lock:  # one report at a time, so that several don't add up
            if (found := self._find(key)) is not None:
                return found
            started = self._clock()
            rows = await compute()
            now = self._clock()
            self._found[key] = found = CachedReport(rows, now, now - started, now)
            return found

    def __len__(self) -> int:
        return len(self._found)

    def last(self, key: Hashable) -> CachedReport[Any] | None:
        """Return the last result for the key, however old, if it is still in memory."""
        return self._found.get(key)

    def age(self, found: CachedReport[Any]) -> float:
        """Return the seconds since the rows were computed."""
        return self._clock() - found.computed_at

    @property
    def lifetime(self) -> float:
        """The seconds for which a result is kept: the cost of all reports in use, divided by the share."""
        now = self._clock()
        costs = [one.cost for one in self._found.values() if now - one.asked_at < IN_USE_SECONDS]
        return max(MIN_AGE_SECONDS, sum(costs) / COMPUTING_SHARE)

    def _find(self, key: Hashable) -> CachedReport[Any] | None:
        """Return the result if it is not too old."""
        if (found := self._found.get(key)) is None:
            return None
        found.asked_at = now = self._clock()
        return found if now - found.computed_at < self.lifetime else None
