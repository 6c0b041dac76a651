"""The pulse of a process: how late it is, and how many wait, twice a second."""

import asyncio

from quart_enroll.observability import metrics
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.enrollment import section_lock
from quart_enroll.services.live.updates import UpdateBroker

BEAT = 0.5
"""Seconds between two looks."""


async def beat(hasher: Hasher, catalog_cache: CatalogCache, update_broker: UpdateBroker) -> None:
    """Measure, without end."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        metrics.pulse(
            delay=max(0.0, loop.time() - due),
            changes=section_lock.waiting(),
            hashes=hasher.waiting,
            pages=update_broker.open_pages,
            behind=catalog_cache.seconds_behind,
        )
