"""The catalog that a process holds in memory, so that looking at it costs the database nothing.

It is read once, and again when the database tells of a change. Changes that come close together are read together:
a crowd that takes seats replaces the catalog a few times a second, not once for each seat.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Set
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.db import change_streams
from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, enrollments, sections
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog, with_names
from quart_enroll.domain.models import Registration, Section
from quart_enroll.domain.student import Seat
from quart_enroll.system.background import run_in_background

TOGETHER = 0.1
"""Seconds in which changes are gathered before they are read: as much behind may a page be."""

POLL = 1.0
"""Seconds between two readings where the database tells of no changes, or can't be reached."""

Clock = Callable[[], datetime]

logger = logging.getLogger(__name__)


class Snapshot:
    """The catalog as this process knows it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._catalog: Catalog | None = None
        self._sections: dict[Any, Section] = {}
        self._reading = asyncio.Lock()
        self._replaced = asyncio.Event()
        self._news = asyncio.Event()
        self._changed: set[Any] = set()
        self._past = _past()
        self._behind_since: float | None = None

    @property
    def behind(self) -> float:
        """The seconds since the first change that is known to be, and not in the catalog yet; 0 when there is none."""
        return 0.0 if self._behind_since is None else time.monotonic() - self._behind_since

    async def held(self) -> Catalog:
        """Return the catalog; only the very first one is waited for, and may raise one of mongo.AWAY."""
        if self._catalog is None:
            async with self._reading:
                if self._catalog is None:  # of many who wait the first one reads
                    await self._read()
        if self._catalog is None:
            raise RuntimeError("A reading left no catalog.")
        return self._catalog

    @property
    def present(self) -> Catalog | None:
        """The catalog in hand, as `held` would return it; None before the first one."""
        return self._catalog

    async def seats(self, asked: Iterable[Seat]) -> list[Registration]:
        """Return what these seats are, in their order; one whose course is gone is none.

        Where a seat is in no section of the catalog, because its term is over or its section a moment old, the
        database is asked, and its answer counts until the whole catalog is read again.
        """
        catalog, past, found = await self.held(), self._past, {}
        for seat in asked:
            found[seat] = catalog.held(seat) or past.get(seat)
        if missing := [seat for seat, held in found.items() if held is None and seat not in past]:
            read = {held.section.key: held for held in await enrollments.of_seats(self._db, missing)}
            for seat in missing:
                found[seat] = past[seat] = read.get(seat.key)
        return [held for held in found.values() if held is not None]

    async def read(self) -> None:
        """Read the whole catalog now; raise one of mongo.AWAY."""
        async with self._reading:
            await self._read()

    async def replaced(self) -> None:
        """Wait until another catalog has taken the place of the present one."""
        await self._replaced.wait()

    async def listen(self) -> None:
        """Note what the database tells of changes, without end; where it tells nothing, look every second."""
        silent = False
        while True:
            try:
                async with change_streams.following(self._db) as news:
                    self._note(None)  # from here on nothing is missed
                    async for rows in news:
                        silent = False
                        for row in rows:
                            self._note(row)
            except Exception as error:  # noqa: BLE001  # whatever it is, the catalog in hand is still good
                if not silent:
                    logger.warning("catalog: no news of changes (%s); looking every %g s", type(error).__name__, POLL)
                silent = True
            await asyncio.sleep(POLL)
            self._note(None)

    async def follow(self) -> None:
        """Read what has changed, without end."""
        while True:
            await self._news.wait()
            await asyncio.sleep(TOGETHER)
            self._news.clear()
            changed, self._changed = self._changed, set()
            since, self._behind_since = self._behind_since, None  # what is noted from here on is read the next time
            try:
                async with self._reading:
                    await self._read_again(changed)
            except Exception as error:  # noqa: BLE001  # the same
                logger.warning("catalog: can't be read (%s); trying again in %g s", type(error).__name__, POLL)
                self._behind_since = since
                self._note(None)
                await asyncio.sleep(POLL)

    def _note(self, row: Any) -> None:
        self._changed.add(row)
        self._news.set()
        if self._behind_since is None:
            self._behind_since = time.monotonic()

    async def _read(self) -> None:
        self._past = _past()  # a new one: results for the old catalog go into the old cache
        known = await stored_terms.find_all(self._db)
        shown = [term.term for term in terms.coming(known, self._clock()) or known]
        taught = await courses.find_all(self._db)
        self._sections = await sections.find_rows(self._db, shown)
        self._hold(Catalog(with_names(taught), tuple(known), tuple(self._sections.values())))

    async def _read_again(self, changed: Set[Any]) -> None:
        """Read these sections again; everything, when it is more than seats that were taken or given back."""
        if self._catalog is None or not changed <= self._sections.keys():
            await self._read()
            return
        self._sections |= await sections.find_changed(self._db, changed)
        self._hold(replace(self._catalog, sections=tuple(self._sections.values())))

    def _hold(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._replaced.set()
        self._replaced = asyncio.Event()


def _past() -> ByteCache[Seat, Registration | None]:
    """Return a cache of the courses behind seats in past terms."""
    return ByteCache("seats of past terms", lambda _seat, held: 500 if held is None else 2500)


@asynccontextmanager
async def following(db: Database, clock: Clock) -> AsyncIterator[Snapshot]:
    """Give a snapshot that is kept up to date while the block runs."""
    snapshot = Snapshot(db, clock)
    async with run_in_background(snapshot.listen(), snapshot.follow()):
        yield snapshot
