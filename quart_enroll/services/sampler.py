"""The pulse of a process: how late it is, and how many wait, twice a second."""

import asyncio

from quart_enroll.observability import metrics
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.catalog.cache import Snapshot
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.services.live.updates import Live

BEAT = 0.5
"""Seconds between two looks."""


async def beat(hasher: Hasher, snapshot: Snapshot, live: Live, locks: SectionLocks) -> None:
    """Measure, without end."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        metrics.pulse(
            delay=max(0.0, loop.time() - due),
            changes=locks.pending_changes,
            hashes=hasher.waiting,
            pages=live.open,
            behind=snapshot.behind,
        )
