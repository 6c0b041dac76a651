"""The odds on waitlists, from the history of past terms, which is read in the background."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database
from quart_enroll.db.collections import events
from quart_enroll.domain import waitlist_odds
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionKey, Term
from quart_enroll.domain.waitlist_odds import Odds, PastFill, Wait
from quart_enroll.system.clock import Clock

FIRST_READ_SECONDS = (5.0, 60.0)
"""The shortest and the longest time until a process that has started reads the past terms: not all at once."""

REFRESH_SECONDS = 1800.0
"""How long the odds stay as they are; they change with the days that are left."""

logger = logging.getLogger(__name__)


class WaitlistOdds:
    """What past terms say about those in which students enroll, as this process last computed it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waits: dict[str, Mapping[SectionKey, Sequence[Wait]]] = {}
        self._odds: dict[str, tuple[Odds, ...]] = {}
        self._fills: dict[str, Mapping[str, PastFill]] = {}

    def find(self, term: str) -> tuple[Odds, ...]:
        """Return what past terms say about the positions; nothing if they say too little, or have not been read yet."""
        return self._odds.get(term, ())

    def find_fill(self, term: str, courseID: str) -> PastFill | None:
        """Return when the course's first section was full in a past term; None if none was, or nothing is known yet."""
        return self._fills.get(term, {}).get(courseID)

    async def refresh_forever(self, read_catalog: Callable[[], Awaitable[Catalog]], clock: Clock) -> None:
        """Keep the odds up to date."""
        await asyncio.sleep(random.uniform(*FIRST_READ_SECONDS))  # noqa: S311  # no secret
        while True:
            try:
                await self.refresh(await read_catalog(), clock())
            except DATABASE_UNAVAILABLE as error:
                logger.warning("waitlist odds: %s; the next attempt is in %g s", type(error).__name__, REFRESH_SECONDS)
            except Exception:  # a damaged row of a past term must not end this for good
                logger.exception("waitlist odds")
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self, offered: Catalog, now: datetime) -> None:
        """Compare the terms in which students can still enroll with past ones; each of these is read once."""
        odds: dict[str, tuple[Odds, ...]] = {}
        fills: dict[str, Mapping[str, PastFill]] = {}
        used = set[str]()
        for term in [one for one in offered.terms if now < one.add_deadline]:
            past = waitlist_odds.comparable_terms(term, offered.terms)
            used.update(one.term for one in past)
            waits = [(one, await self._waits_in(one)) for one in past]
            if term.is_open(now):
                odds[term.term] = await asyncio.to_thread(waitlist_odds.compute, now, term, waits)
            fills[term.term] = await asyncio.to_thread(waitlist_odds.past_fills, waits)
        self._odds, self._fills = odds, fills
        self._waits = {name: found for name, found in self._waits.items() if name in used}

    async def _waits_in(self, term: Term) -> Mapping[SectionKey, Sequence[Wait]]:
        if (found := self._waits.get(term.term)) is None:
            history = await events.find_in_term(self._db, term.term, waitlist_odds.ACTIONS)
            found = self._waits[term.term] = await asyncio.to_thread(waitlist_odds.waits, history)
        return found
