"""Open pages hear of what changes: seats and lines of the courses they show, and the reader's own seats and places.

The work is done once for each change of the catalog, however many pages are open; a page that is slow gets the
latest news and not all of it.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Hashable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from time import monotonic
from typing import TypeVar

from quart_enroll.db.client import Database
from quart_enroll.db.collections import waitlist
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.observability import metrics
from quart_enroll.services.catalog.cache import Snapshot
from quart_enroll.system.background import run_in_background

MOST = 5000
"""Pages of one process that may be open at once; the next ones are as good as any page, but stand still."""

MAX_ANONYMOUS_PAGES = 3000
"""Most pages of visitors who are not signed in. The rest is for students, and these too if students need them."""

MAX_PAGES_OF_A_SOURCE = 500
"""Most pages of visitors who are not signed in from one network address, which may be that of a whole campus."""

MAX_PAGES_OF_A_USER = 20
"""Most pages of one account, on all its devices."""

AT_ONCE = 100
"""Pages that are told before other requests get their turn: some ten milliseconds of work."""

SOON = 0.5
"""Seconds until it is looked at what has changed of a reader's own: all that comes meanwhile is told together, and the
page on which the button was pressed has gone."""

PAUSE = 1.0
"""Seconds before the next try when the news could not be told."""

LOG_EVERY = 60.0
"""Seconds between two log lines that say that there is no room."""

logger = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader waits now: `position` of `of`, from 1; both are 0 where the reader waits no more, or never did."""

    key: SectionKey
    position: int
    of: int


@dataclass(eq=False, slots=True)
class Subscriber:
    """An open page: what it shows, who reads it, and the news that it has not heard yet.

    `sign` tells which of the reader's own seats and places it shows, as Facts have it; empty when it shows none.
    `source` is the network address that it comes from. A page that `gives_way` ends to make room for a student.
    """

    terms: tuple[str, ...]
    courses: frozenset[str]
    user_id: int | None = None
    sign: str = ""
    source: str = ""
    gives_way: bool = False
    waits: dict[SectionKey, Place] = field(default_factory=dict)
    sections: dict[SectionKey, Section] = field(default_factory=dict)
    places: dict[SectionKey, Place] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    must_look: bool = False
    must_compare: bool = False
    will_compare: bool = False

    @property
    def owner(self) -> Hashable:
        """The owner of the share that the page counts towards: a user, or else a network address."""
        return self.source if self.user_id is None else self.user_id

    def look(self) -> None:
        """Wake the reader, news or none: it has been quiet for long enough."""
        self.must_look = True
        self.compare()

    def compare(self) -> None:
        """Wake the reader: its own may be other than its page shows."""
        self.must_compare, self.will_compare = bool(self.sign), False
        self.news.set()

    def compare_soon(self) -> None:
        if not self.will_compare:
            self.will_compare = True
            asyncio.get_running_loop().call_later(SOON, self.compare)

    async def wakes(self) -> None:
        """Wait until there is news, or something else to do."""
        await self.news.wait()
        self.news.clear()

    def has_news(self) -> bool:
        return bool(self.sections or self.places)

    def take(self) -> tuple[list[Section], list[Place]]:
        """Return the news; from now on it is heard."""
        sections, places = list(self.sections.values()), list(self.places.values())
        self.sections.clear()
        self.places.clear()
        return sections, places


@dataclass(eq=False, slots=True)
class Topic:
    """What an open page shows, and everybody who reads a page that shows the same."""

    terms: tuple[str, ...]
    courses: frozenset[str]
    readers: set[Subscriber] = field(default_factory=set)


class Live:
    """All open pages of this process."""

    def __init__(self, db: Database, snapshot: Snapshot) -> None:
        self._db = db
        self._snapshot = snapshot
        self._shown: dict[tuple[tuple[str, ...], frozenset[str]], Topic] = {}
        self._showing: defaultdict[tuple[str, str], set[Topic]] = defaultdict(set)
        self._own: defaultdict[Hashable, set[Subscriber]] = defaultdict(set)
        self._shares: Counter[Hashable] = Counter()
        self._anonymous: dict[Subscriber, None] = {}  # oldest first, without those that give way
        self._giving_way = 0
        self._logged_at: dict[str, float] = {}
        self.open = 0
        self.ended = False

    def end(self) -> None:
        """Wake all readers, now and from now on: the process stops, and nothing more will be told."""
        self.ended = True
        for shown in self._shown.values():
            for reader in shown.readers:
                reader.news.set()

    def look_at(self, user_id: Hashable) -> None:
        """Let the open pages of that user look soon whether they still show what is."""
        for reader in self._own.get(user_id, ()):
            reader.compare_soon()

    @asynccontextmanager
    async def reading(self, reader: Subscriber) -> AsyncIterator[bool]:
        """Send the reader news while the block runs, beginning with everything; yield False if there is no room."""
        if not self._has_room(reader):
            yield False
            return
        self.open += 1
        self._shares[reader.owner] += 1
        if reader.user_id is None:
            self._anonymous[reader] = None
        shown = self._join(reader)
        try:
            await self._begin(reader)
            yield True
        finally:
            self.open -= 1
            self._shares[reader.owner] -= 1
            if not self._shares[reader.owner]:
                del self._shares[reader.owner]
            self._anonymous.pop(reader, None)
            self._giving_way -= reader.gives_way
            self._leave(reader, shown)

    def _has_room(self, reader: Subscriber) -> bool:
        """Return whether one more page may open; if all are taken, the oldest anonymous one gives way to a user."""
        anonymous = reader.user_id is None
        if self._shares[reader.owner] >= (MAX_PAGES_OF_A_SOURCE if anonymous else MAX_PAGES_OF_A_USER):
            self._note_refusal("source" if anonymous else "user")
            return False
        is_full = self.open - self._giving_way >= MOST
        if anonymous and (is_full or len(self._anonymous) >= MAX_ANONYMOUS_PAGES):
            self._note_refusal("anonymous")
            return False
        if is_full and not self._anonymous:
            self._note_refusal("full")
            return False
        if is_full:
            self._note_refusal("gave_way")
            oldest = next(iter(self._anonymous))
            del self._anonymous[oldest]
            self._giving_way += 1
            oldest.gives_way = True
            oldest.news.set()
        return True

    def _note_refusal(self, reason: str) -> None:
        """Count a page that had no room, and log it now and then."""
        metrics.count_refused_live_page(reason)
        now = monotonic()
        if now - self._logged_at.get(reason, -LOG_EVERY) >= LOG_EVERY:
            self._logged_at[reason] = now
            logger.warning(
                "live: no room for a page (%s); %d are open, %d of them anonymous",
                reason,
                self.open,
                len(self._anonymous),
            )

    def _join(self, reader: Subscriber) -> Topic:
        shown = self._shown.get((reader.terms, reader.courses))
        if shown is None:
            shown = self._shown[reader.terms, reader.courses] = Topic(reader.terms, reader.courses)
            for course in product(shown.terms, shown.courses):
                self._showing[course].add(shown)
        reader.courses = shown.courses  # one set of names for all of them
        shown.readers.add(reader)
        if reader.sign:
            self._own[reader.user_id].add(reader)
        return shown

    def _leave(self, reader: Subscriber, shown: Topic) -> None:
        shown.readers.discard(reader)
        if not shown.readers:
            del self._shown[shown.terms, shown.courses]
            for course in product(shown.terms, shown.courses):
                _discard(self._showing, course, shown)
        if reader.sign:
            _discard(self._own, reader.user_id, reader)

    def _readers(self, section: Section) -> Iterator[Subscriber]:
        for shown in self._showing.get((section.term, section.courseID), ()):
            yield from shown.readers

    async def tell(self) -> None:
        """Tell the readers of each change, without end."""
        before = None
        while True:
            try:
                after = await self._snapshot.held()
                if before is after:
                    await self._snapshot.replaced()
                    continue
                await self._tell(before or after, after)
            except Exception as error:  # noqa: BLE001  # the next change, or the next connection, tells it
                logger.warning("live: news could not be told (%s)", type(error).__name__)
                await asyncio.sleep(PAUSE)
            before = after

    async def _begin(self, reader: Subscriber) -> None:
        """Note all there is: what has changed since the page was made is then right too."""
        catalog = await self._snapshot.held()
        named = [catalog.sections_named(courseID, term) for term, courseID in product(reader.terms, reader.courses)]
        reader.sections = {section.key: section for sections in named for section in sections}
        if reader.user_id is not None:
            waits = await waitlist.positions(self._db, reader.user_id)
            reader.places = {key: Place(key, *waits.get(key, (0, 0))) for key in reader.sections}
            reader.waits = {key: place for key, place in reader.places.items() if place.position}
        reader.compare()

    async def _tell(self, before: Catalog, after: Catalog) -> None:
        for section in changed(before, after):
            key = section.key
            for number, reader in enumerate(list(self._readers(section)), 1):
                reader.sections[key] = section
                reader.news.set()
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
        for section in read_again(before, after):
            key = section.key
            if waiting := [reader for reader in self._readers(section) if reader.waits and key in reader.waits]:
                await self._tell_places(key, waiting)

    async def _tell_places(self, key: SectionKey, readers: Collection[Subscriber]) -> None:
        line = [waiting.user_id for waiting in await waitlist.of_section(self._db, key)]
        positions = {user_id: number for number, user_id in enumerate(line, 1)}
        for reader in readers:
            position = positions.get(reader.user_id or 0, 0)
            place = Place(key, position, len(line) if position else 0)
            if reader.waits.get(key) != place:
                reader.places[key] = place
                reader.waits[key] = place
                if not position:
                    del reader.waits[key]
                reader.news.set()


def _discard(held: defaultdict[K, set[V]], key: K, value: V) -> None:
    held[key].discard(value)
    if not held[key]:
        del held[key]


def read_again(before: Catalog, after: Catalog) -> list[Section]:
    """Return the sections that were read again, even those that look as before: one who came may hide one who left."""
    if len(before.sections) != len(after.sections):
        return list(after.sections)
    return [new for old, new in zip(before.sections, after.sections, strict=True) if old is not new]


def changed(before: Catalog, after: Catalog) -> list[Section]:
    """Return the sections that are not as they were."""
    if len(before.sections) != len(after.sections):
        known = set(before.sections)
        return [section for section in after.sections if section not in known]
    return [new for old, new in zip(before.sections, after.sections, strict=True) if old is not new and old != new]


@asynccontextmanager
async def telling(db: Database, snapshot: Snapshot) -> AsyncIterator[Live]:
    """Give what tells open pages the news while the block runs."""
    live = Live(db, snapshot)
    async with run_in_background(live.tell()):
        yield live
