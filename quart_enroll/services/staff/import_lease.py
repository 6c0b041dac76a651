"""Lets one process at a time check or run an import, and another one take over if it dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database
from quart_enroll.db.collections import leases
from quart_enroll.domain.stored_import import StoredImport
from quart_enroll.system.background import run_in_background

LEASE_DURATION = timedelta(seconds=15)
"""How long an import stays with a process that no longer renews it, because it has died."""


@asynccontextmanager
async def held(db: Database, stored: StoredImport, holder: str) -> AsyncIterator[bool]:
    """Hold the import's lease during the block, and yield whether that is possible."""
    if not await _acquire(db, stored, holder):
        yield False
        return
    async with run_in_background(_renew(db, stored, holder)):
        try:
            yield True
        finally:
            await leases.release(db, _name(stored), holder)


async def _renew(db: Database, stored: StoredImport, holder: str) -> None:
    while True:
        await asyncio.sleep(LEASE_DURATION.total_seconds() / 3)
        with suppress(*DATABASE_UNAVAILABLE):  # the next renewal may still be in time
            await _acquire(db, stored, holder)


async def _acquire(db: Database, stored: StoredImport, holder: str) -> bool:
    """Acquire or extend the import's lease; return False while another process holds it."""
    return await leases.acquire(db, _name(stored), holder, LEASE_DURATION)


def _name(stored: StoredImport) -> str:
    return f"import {stored.import_id}"
