"""The catalog that each process keeps in memory, so that browsing it costs the database nothing.

It is read once, and again when the database reports a change. Changes in quick succession are read together: while a
crowd takes seats, the catalog is replaced a few times a second, not once for each seat.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Set
from contextlib import asynccontextmanager
from typing import Any

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.db import change_streams
from quart_enroll.db.change_streams import ChangeFollower
from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, enrollments, sections
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import terms
from quart_enroll.domain.catalog import Catalog, with_names
from quart_enroll.domain.models import Registration, Section
from quart_enroll.domain.student import StudentSeat
from quart_enroll.domain.synonyms import Synonyms
from quart_enroll.system.background import run_in_background
from quart_enroll.system.clock import Clock

CATALOG_RETRY_SECONDS = 1.0
"""Seconds between two attempts to read what has changed."""

logger = logging.getLogger(__name__)


class CatalogCache:
    """The catalog in the memory of this process; searches in it use the synonyms."""

    def __init__(self, db: Database, clock: Clock, synonyms: Synonyms | None = None) -> None:
        self._db = db
        self._clock = clock
        self._synonyms = synonyms or Synonyms()
        self._catalog: Catalog | None = None
        self._sections: dict[Any, Section] = {}
        self._read_lock = asyncio.Lock()
        self._replaced = asyncio.Event()
        self._has_changes = asyncio.Event()
        self._changed: set[Any] = set()
        self._past_registrations = _new_past_registrations()
        self._past_term: tuple[str, Catalog] | None = None
        self._past_lock = asyncio.Lock()
        self._outdated_since: float | None = None
        self._follower: ChangeFollower[Any] = ChangeFollower(
            lambda: change_streams.watch_catalog(db),
            on_change=self._note_change,
            on_gap=lambda: self._note_change(None),
            fallback=f"reading the catalog every {change_streams.RECONNECT_SECONDS:g} s",
        )

    @property
    def seconds_behind(self) -> float:
        """The seconds since the first known change that isn't in the catalog yet; 0 when there is none."""
        return 0.0 if self._outdated_since is None else time.monotonic() - self._outdated_since

    async def get(self) -> Catalog:
        """Return the catalog; only the first call waits for the database.

        Raises one of client.DATABASE_UNAVAILABLE.
        """
        if self._catalog is None:
            async with self._read_lock:
                if self._catalog is None:  # only the first of several callers reads
                    await self._read()
        if self._catalog is None:
            raise RuntimeError("The catalog was read, and is still missing.")
        return self._catalog

    @property
    def current(self) -> Catalog | None:
        """The catalog that `get` would return; None before it is first read."""
        return self._catalog

    async def registrations(self, seats: Iterable[StudentSeat]) -> list[Registration]:
        """Return the registrations for these seats, in their order; a seat whose course was deleted has none.

        A seat in a section that the catalog lacks, because its term is over or the section is new, is looked up in
        the database, and the result is kept until the whole catalog is read again.
        """
        catalog, past, found = await self.get(), self._past_registrations, {}
        for seat in seats:
            found[seat] = catalog.registration_of(seat) or past.get(seat)
        if missing := [seat for seat, registration in found.items() if registration is None and seat not in past]:
            read = {one.section.key: one for one in await enrollments.find_by_seats(self._db, missing)}
            for seat in missing:
                found[seat] = past[seat] = read.get(seat.key)
        return [registration for registration in found.values() if registration is not None]

    async def past_term(self, name: str) -> Catalog:
        """Return a catalog of the past term of that name.

        Only the one that was used last is kept in memory, until the whole catalog is read again: a change of a past
        section does that. Raises one of client.DATABASE_UNAVAILABLE.
        """
        async with self._past_lock:  # students who look at the same term wait for one query
            current = await self.get()
            if self._past_term is None or self._past_term[0] != name:
                found = await sections.find_all(self._db, [name])
                past = current.of_past_term(one for one in found if one.is_listed)
                if current.terms is not (await self.get()).terms:
                    return past  # it was read again meanwhile
                self._past_term = name, past
            return self._past_term[1]

    async def reload(self) -> None:
        """Read the whole catalog now; raise one of client.DATABASE_UNAVAILABLE."""
        async with self._read_lock:
            await self._read()

    async def wait_until_replaced(self) -> None:
        """Wait until another catalog has replaced the current one."""
        await self._replaced.wait()

    async def follow_changes(self) -> None:
        """Note what the database reports as changed, until cancelled; without a change stream, read every second."""
        await self._follower.follow()

    async def apply_changes(self) -> None:
        """Read what has changed, until cancelled."""
        while True:
            await self._has_changes.wait()
            self._has_changes.clear()
            changed, self._changed = self._changed, set()
            since, self._outdated_since = self._outdated_since, None  # later changes are read the next time
            try:
                async with self._read_lock:
                    await self._read_changed(changed)
            except Exception as error:  # noqa: BLE001  # whatever it is, the current catalog is still usable
                reason = type(error).__name__
                logger.warning("catalog: can't be read (%s); trying again in %g s", reason, CATALOG_RETRY_SECONDS)
                self._outdated_since = since
                self._note_change(None)
                await asyncio.sleep(CATALOG_RETRY_SECONDS)

    def _note_change(self, section_id: Any) -> None:
        """Let the section with this `_id` be read soon; the whole catalog for None."""
        self._changed.add(section_id)
        self._has_changes.set()
        if self._outdated_since is None:
            self._outdated_since = time.monotonic()

    async def _read(self) -> None:
        self._past_term = None
        self._past_registrations = _new_past_registrations()  # late results for the old catalog go into the old cache
        all_terms = await stored_terms.find_all(self._db)
        shown = [term.term for term in terms.active(all_terms, self._clock()) or all_terms]
        all_courses = await courses.find_all(self._db)
        found = await sections.find_by_id(self._db, shown)
        self._sections = {section_id: section for section_id, section in found.items() if section.is_listed}
        listed = tuple(self._sections.values())
        read = Catalog(with_names(all_courses), tuple(all_terms), listed, self._synonyms)
        self._replace(read.sharing_with(self._catalog))

    async def _read_changed(self, changed: Set[Any]) -> None:
        """Read these sections again, or everything if anything else has changed."""
        if self._catalog is None or not changed <= self._sections.keys():
            await self._read()
            return
        read = await sections.find_changed(self._db, changed)
        if any(one.key != self._sections[section_id].key or not one.is_listed for section_id, one in read.items()):
            await self._read()
            return
        self._sections |= read
        self._replace(self._catalog.with_sections(tuple(self._sections.values()), read.values()))

    def _replace(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._replaced.set()
        self._replaced = asyncio.Event()


def _new_past_registrations() -> ByteCache[StudentSeat, Registration | None]:
    """Return a cache of the courses behind seats in past terms."""
    return ByteCache("seats of past terms", lambda _, registration: 500 if registration is None else 2500)


@asynccontextmanager
async def open_catalog_cache(
    db: Database, clock: Clock, synonyms: Synonyms | None = None
) -> AsyncIterator[CatalogCache]:
    """Keep a catalog cache up to date while the block runs."""
    cache = CatalogCache(db, clock, synonyms)
    async with run_in_background(cache.follow_changes(), cache.apply_changes()):
        yield cache
