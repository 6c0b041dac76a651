"""Samples this process twice a second: how late the event loop runs, and how many changes and hashes are queued."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from quart_enroll.observability import metrics

SAMPLE_INTERVAL_SECONDS = 0.5

MAX_SAMPLES = 600
"""Samples in memory: those of the last five minutes."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Functions that read the current values; each is called once per sample."""

    pending_changes: Callable[[], int]
    pending_hashes: Callable[[], int]
    live_pages: Callable[[], int]
    catalog_lag_seconds: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sample:
    """The values at a moment `at` of the monotonic clock; `cores` is how many the process has used since the last."""

    at: float
    cores: float
    loop_delay: float
    pending_changes: int
    pending_hashes: int
    live_pages: int
    catalog_lag: float


def new_history() -> deque[Sample]:
    """Return an empty history, which keeps the latest samples."""
    return deque(maxlen=MAX_SAMPLES)


async def sample_forever(probes: Probes, history: deque[Sample]) -> None:
    """Record a sample at every interval, also in `history`, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        started, used = loop.time(), time.process_time()
        await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)
        now = loop.time()
        sample = Sample(
            at=now,
            cores=(time.process_time() - used) / max(now - started, 1e-6),
            loop_delay=max(0.0, now - started - SAMPLE_INTERVAL_SECONDS),
            pending_changes=probes.pending_changes(),
            pending_hashes=probes.pending_hashes(),
            live_pages=probes.live_pages(),
            catalog_lag=probes.catalog_lag_seconds(),
        )
        history.append(sample)
        metrics.record_sample(
            loop_delay=sample.loop_delay,
            pending_changes=sample.pending_changes,
            pending_hashes=sample.pending_hashes,
            live_pages=sample.live_pages,
            catalog_lag=sample.catalog_lag,
        )
