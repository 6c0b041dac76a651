"""Updates for open pages: changed seats and waitlists of the courses they show, and the user's own seats and positions.

Each change of the catalog is processed once, however many pages are open. A slow page gets the latest state, not every
state in between.
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
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.system.background import run_in_background

MAX_OPEN_PAGES = 5000
"""Pages of one process that are updated at the same time; further pages work, but without updates."""

MAX_ANONYMOUS_PAGES = 3000
"""Pages of visitors who are not signed in. The rest is for students, and these too if students need them."""

MAX_PAGES_PER_NETWORK = 500
"""Pages of visitors who are not signed in from one network, which may be a whole campus."""

MAX_PAGES_PER_USER = 20
"""Pages of one account, on all its devices."""

SUBSCRIBERS_PER_TURN = 100
"""Pages that are notified before other requests get their turn: some ten milliseconds of work."""

COMPARE_DELAY_SECONDS = 0.5
"""Seconds until a page checks what has changed about its own user: it reports several changes together, and the page on
which the user pressed a button is gone by then."""

PUBLISH_RETRY_SECONDS = 1.0
"""Seconds between two attempts to publish a change."""

LOG_INTERVAL_SECONDS = 60.0
"""Seconds between two log lines about refused pages."""

logger = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class WaitlistPosition:
    """A user's `position`, from 1, among those `waiting` for a section; both are 0 for a user who isn't waiting."""

    key: SectionKey
    position: int
    waiting: int


@dataclass(eq=False, slots=True)
class SectionUpdate:
    """A section as it is now, and the text about it in each language, rendered once for all pages."""

    section: Section
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True, kw_only=True)
class Subscriber:
    """An open page: what it shows, who reads it, and the updates that it hasn't been sent yet.

    `fingerprint` identifies the user's own seats and positions that the page shows, as in StudentSnapshot; it is empty
    if the page shows none. `network` is the network of an anonymous visitor. A page that `must_close` makes room for
    a student.
    """

    terms: tuple[str, ...]
    courses: tuple[str, ...]
    user_id: int | None = None
    fingerprint: str = ""
    network: str = ""
    must_close: bool = False
    will_compare: bool = False
    positions: dict[SectionKey, WaitlistPosition] = field(default_factory=dict)
    changed_sections: dict[SectionKey, SectionUpdate] = field(default_factory=dict)
    changed_positions: dict[SectionKey, WaitlistPosition] = field(default_factory=dict)

    @property
    def owner(self) -> Hashable:
        """The user, or else the network, whose share of the open pages this page counts towards."""
        return self.network if self.user_id is None else self.user_id

    def notify(self) -> None:
        """Send the updates, or end the page if it must close or the broker is stopped."""
        raise NotImplementedError

    def compare(self) -> None:
        """Check whether the page still shows the user's own seats and positions."""
        raise NotImplementedError

    def compare_soon(self) -> None:
        """Schedule the comparison, once for several changes."""
        if not self.will_compare:
            self.will_compare = True
            asyncio.get_running_loop().call_later(COMPARE_DELAY_SECONDS, self._compare)

    def has_updates(self) -> bool:
        return bool(self.changed_sections or self.changed_positions)

    def take_updates(self) -> tuple[list[SectionUpdate], list[WaitlistPosition]]:
        """Return the updates and remove them."""
        sections, positions = list(self.changed_sections.values()), list(self.changed_positions.values())
        self.changed_sections.clear()
        self.changed_positions.clear()
        return sections, positions

    def _compare(self) -> None:
        self.will_compare = False
        self.compare()


@dataclass(eq=False, slots=True)
class Topic:
    """The courses and terms that an open page shows, and all pages that show the same."""

    terms: tuple[str, ...]
    courses: tuple[str, ...]
    subscribers: set[Subscriber] = field(default_factory=set)


class UpdateBroker:
    """Distributes updates to all open pages of this process."""

    def __init__(self, db: Database, catalog_cache: CatalogCache) -> None:
        self._db = db
        self._catalog_cache = catalog_cache
        self._topics: dict[tuple[tuple[str, ...], tuple[str, ...]], Topic] = {}
        self._topics_by_course: defaultdict[tuple[str, str], set[Topic]] = defaultdict(set)
        self._subscribers_by_user: defaultdict[Hashable, set[Subscriber]] = defaultdict(set)
        self._pages_by_owner: Counter[Hashable] = Counter()
        self._anonymous: dict[Subscriber, None] = {}  # oldest first, without those that must close
        self._closing_pages = 0
        self._logged_at: dict[str, float] = {}
        self.open_pages = 0
        self.is_stopped = False

    def stop(self) -> None:
        """Let all subscribers end: the process stops, and no more updates follow."""
        self.is_stopped = True
        for subscriber in [one for topic in self._topics.values() for one in topic.subscribers]:
            subscriber.notify()

    def notify_user(self, user_id: Hashable) -> None:
        """Let the open pages of that user check soon whether they are up to date."""
        for subscriber in self._subscribers_by_user.get(user_id, ()):
            subscriber.compare_soon()

    def subscribe(self, subscriber: Subscriber) -> bool:
        """Update the subscriber until it unsubscribes; return False if there is no room for it."""
        if not self._has_room(subscriber):
            return False
        self.open_pages += 1
        self._pages_by_owner[subscriber.owner] += 1
        if subscriber.user_id is None:
            self._anonymous[subscriber] = None
        self._join(subscriber)
        return True

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self.open_pages -= 1
        self._pages_by_owner[subscriber.owner] -= 1
        if not self._pages_by_owner[subscriber.owner]:
            del self._pages_by_owner[subscriber.owner]
        self._anonymous.pop(subscriber, None)
        self._closing_pages -= subscriber.must_close
        self._leave(subscriber)

    async def queue_everything(self, subscriber: Subscriber, *, has_positions: bool = True) -> None:
        """Queue the whole state as an update, which covers what has changed since the page was rendered.

        The database is only asked for a student who may be on a waitlist, as `has_positions` says.
        Raises one of
        client.DATABASE_UNAVAILABLE or client.DATABASE_REFUSED.
        """
        catalog = await self._catalog_cache.get()
        courses = product(subscriber.terms, subscriber.courses)
        sections = [section for term, courseID in courses for section in catalog.sections_in(courseID, term)]
        subscriber.changed_sections = {section.key: SectionUpdate(section) for section in sections}
        if subscriber.user_id is not None:
            positions = await waitlist.find_positions(self._db, subscriber.user_id) if has_positions else {}
            subscriber.changed_positions = {
                key: WaitlistPosition(key, *positions.get(key, (0, 0))) for key in subscriber.changed_sections
            }
            subscriber.positions = {key: one for key, one in subscriber.changed_positions.items() if one.position}

    def _has_room(self, subscriber: Subscriber) -> bool:
        """Return whether one more page may open; if all places are taken, the oldest anonymous page makes room."""
        is_anonymous = subscriber.user_id is None
        if self._pages_by_owner[subscriber.owner] >= (MAX_PAGES_PER_NETWORK if is_anonymous else MAX_PAGES_PER_USER):
            self._note_refusal("source" if is_anonymous else "user")
            return False
        is_full = self.open_pages - self._closing_pages >= MAX_OPEN_PAGES
        if is_anonymous and (is_full or len(self._anonymous) >= MAX_ANONYMOUS_PAGES):
            self._note_refusal("anonymous")
            return False
        if is_full and not self._anonymous:
            self._note_refusal("full")
            return False
        if is_full:
            self._note_refusal("gave_way")
            oldest = next(iter(self._anonymous))
            del self._anonymous[oldest]
            self._closing_pages += 1
            oldest.must_close = True
            oldest.notify()
        return True

    def _note_refusal(self, reason: str) -> None:
        """Count a page that had no room, and log it now and then."""
        metrics.count_refused_live_page(reason)
        now = monotonic()
        if now - self._logged_at.get(reason, -LOG_INTERVAL_SECONDS) >= LOG_INTERVAL_SECONDS:
            self._logged_at[reason] = now
            logger.warning(
                "live: no room for a page (%s); %d are open, %d of them anonymous",
                reason,
                self.open_pages,
                len(self._anonymous),
            )

    def _join(self, subscriber: Subscriber) -> None:
        topic = self._topics.get((subscriber.terms, subscriber.courses))
        if topic is None:
            topic = self._topics[subscriber.terms, subscriber.courses] = Topic(subscriber.terms, subscriber.courses)
            for course in product(topic.terms, topic.courses):
                self._topics_by_course[course].add(topic)
        subscriber.courses = topic.courses  # one tuple of names for all of them
        topic.subscribers.add(subscriber)
        if subscriber.fingerprint:
            self._subscribers_by_user[subscriber.user_id].add(subscriber)

    def _leave(self, subscriber: Subscriber) -> None:
        topic = self._topics[subscriber.terms, subscriber.courses]
        topic.subscribers.discard(subscriber)
        if not topic.subscribers:
            del self._topics[topic.terms, topic.courses]
            for course in product(topic.terms, topic.courses):
                _discard(self._topics_by_course, course, topic)
        if subscriber.fingerprint:
            _discard(self._subscribers_by_user, subscriber.user_id, subscriber)

    def _subscribers(self, section: Section) -> Iterator[Subscriber]:
        for topic in self._topics_by_course.get((section.term, section.courseID), ()):
            yield from topic.subscribers

    async def publish_changes(self) -> None:
        """Publish each change of the catalog, until cancelled."""
        before = None
        while True:
            try:
                after = await self._catalog_cache.get()
                if before is after:
                    await self._catalog_cache.wait_until_replaced()
                    continue
                await self._publish(before or after, after)
            except Exception as error:  # noqa: BLE001  # the next change, or the next connection, brings it
                logger.warning("live: a change was not published (%s)", type(error).__name__)
                await asyncio.sleep(PUBLISH_RETRY_SECONDS)
            before = after

    async def _publish(self, before: Catalog, after: Catalog) -> None:
        notified: dict[Subscriber, None] = {}
        reread = reread_sections(before, after)
        for section in (one for one, has_changed in reread.items() if has_changed):
            update, key = SectionUpdate(section), section.key
            for subscriber in self._subscribers(section):
                subscriber.changed_sections[key] = update
                notified[subscriber] = None
        for number, subscriber in enumerate(notified, 1):
            subscriber.notify()
            if number % SUBSCRIBERS_PER_TURN == 0:
                await asyncio.sleep(0)
        for section in reread:
            key = section.key
            if waiting := [one for one in self._subscribers(section) if one.positions and key in one.positions]:
                await self._publish_positions(key, waiting)

    async def _publish_positions(self, key: SectionKey, subscribers: Collection[Subscriber]) -> None:
        user_ids = [entry.user_id for entry in await waitlist.find_by_section(self._db, key)]
        numbers = {user_id: number for number, user_id in enumerate(user_ids, 1)}
        for subscriber in subscribers:
            number = numbers.get(subscriber.user_id or 0, 0)
            position = WaitlistPosition(key, number, len(user_ids) if number else 0)
            if subscriber.positions.get(key) != position:
                subscriber.changed_positions[key] = position
                subscriber.positions[key] = position
                if not number:
                    del subscriber.positions[key]
                subscriber.notify()


def _discard(sets: defaultdict[K, set[V]], key: K, value: V) -> None:
    sets[key].discard(value)
    if not sets[key]:
        del sets[key]


def reread_sections(before: Catalog, after: Catalog) -> dict[Section, bool]:
    """Return the sections that were read again, and whether each is new or has changed.

    The position of a waiting student may have changed even if the section is the same: another one joined, too.
    """
    if len(before.sections) != len(after.sections):
        known = set(before.sections)
        return {section: section not in known for section in after.sections}
    pairs = zip(before.sections, after.sections, strict=True)
    return {new: old != new for old, new in pairs if old is not new}


@asynccontextmanager
async def open_update_broker(db: Database, catalog_cache: CatalogCache) -> AsyncIterator[UpdateBroker]:
    """Publish changes to open pages while the block runs."""
    broker = UpdateBroker(db, catalog_cache)
    async with run_in_background(broker.publish_changes()):
        yield broker
