"""The pulse of a process: how late it is, and how many wait, twice a second."""

import asyncio

from quart_enroll import measures
from quart_enroll.services import turnstile
from quart_enroll.services.live import Live
from quart_enroll.services.passwords import Hasher
from quart_enroll.services.snapshot import Snapshot

BEAT = 0.5
"""Seconds between two looks."""


async def beat(hasher: Hasher, snapshot: Snapshot, live: Live) -> None:
    """Measure, without end."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        measures.pulse(
            delay=max(0.0, loop.time() - due),
            changes=turnstile.waiting(),
            hashes=hasher.waiting,
            pages=live.open,
            behind=snapshot.behind,
        )
