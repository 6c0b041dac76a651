"""Samples this process twice a second: how late the event loop runs, and how many changes and hashes are queued."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quart_enroll.observability import metrics

SAMPLE_INTERVAL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Probes:
    """Functions that read the current values; each is called once per sample."""

    pending_changes: Callable[[], int]
    pending_hashes: Callable[[], int]
    live_pages: Callable[[], int]
    catalog_lag_seconds: Callable[[], float]


async def sample_forever(probes: Probes) -> None:
    """Record a sample at every interval until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + SAMPLE_INTERVAL_SECONDS
        await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)
        metrics.record_sample(
            loop_delay=max(0.0, loop.time() - due),
            pending_changes=probes.pending_changes(),
            pending_hashes=probes.pending_hashes(),
            live_pages=probes.live_pages(),
            catalog_lag=probes.catalog_lag_seconds(),
        )
