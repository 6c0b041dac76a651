"""Watches the site, the database and the invented students once a second."""

import asyncio
import os
from collections.abc import Callable
from time import monotonic

from quart_enroll.db.client import Database
from quart_enroll.rehearsal.browser import Sample
from quart_enroll.rehearsal.figures import Moment
from quart_enroll.rehearsal.site import RehearsedSite
from quart_enroll.rehearsal.summary import percentile
from quart_enroll.services.maintenance import rehearsal
from quart_enroll.services.maintenance.rehearsal import SeatCounts, ServerUsage
from quart_enroll.system.usage import Usage, read_usage

SECONDS_BETWEEN_MOMENTS = 1.0
SECONDS_BETWEEN_REPORTS = 5


class Watch:
    """Collects a Moment every second, and reports every few seconds with `say`."""

    def __init__(
        self, db: Database, term: str, site: RehearsedSite, opens_at: float, say: Callable[[str], None]
    ) -> None:
        self.moments: list[Moment] = []
        self.samples: list[Sample] = []
        self._db = db
        self._term = term
        self._site = site
        self._opens_at = opens_at
        self._say = say
        self._previous: tuple[float, Usage | None, ServerUsage | None, float] | None = None
        self._reported_samples = 0

    async def run(self) -> None:
        """Watch until cancelled; raise SiteFailed if the site ends."""
        next_at = monotonic()
        while True:
            self._site.check()
            await self.look()
            next_at = max(next_at + SECONDS_BETWEEN_MOMENTS, monotonic())
            await asyncio.sleep(next_at - monotonic())

    async def look(self) -> None:
        """Record the state at this moment."""
        counts = await rehearsal.count_seats(self._db, self._term)
        server = await rehearsal.read_server_usage(self._db)
        at, site, own = monotonic(), read_usage(self._site.pid), sum(os.times()[:2])
        moment = self._moment(at, counts, site, server, own)
        self._previous = at, site, server, own
        self.moments.append(moment)
        if len(self.moments) % SECONDS_BETWEEN_REPORTS == 0:
            self._report(moment)

    def _moment(
        self, at: float, counts: SeatCounts, site: Usage | None, server: ServerUsage | None, own: float
    ) -> Moment:
        before_at, before_site, before_server, before_own = self._previous or (at, site, server, own)
        elapsed = at - before_at

        def cores(now: float | None, before: float | None) -> float | None:
            return None if now is None or before is None or elapsed <= 0 else max(0.0, (now - before) / elapsed)

        return Moment(
            at=at - self._opens_at,
            taken=counts.taken,
            waiting=counts.waiting,
            full=counts.full,
            site_cores=cores(site.cpu_seconds if site else None, before_site.cpu_seconds if before_site else None),
            database_cores=cores(
                server.cpu_seconds if server else None, before_server.cpu_seconds if before_server else None
            ),
            students_cores=cores(own, before_own),
            largest_process=max(site.memory) if site else None,
            site_memory=sum(site.memory) if site else None,
            database_memory=server.memory if server else None,
        )

    def _report(self, moment: Moment) -> None:
        latest = self.samples[self._reported_samples :]
        self._reported_samples = len(self.samples)
        seconds = sorted(sample.seconds for sample in latest)
        when = f"{-moment.at:.0f} s before" if moment.at < 0 else f"{moment.at:.0f} s after"
        self._say(
            f"{when} the opening: {moment.taken:,} seats taken, {moment.waiting:,} waiting; "
            f"{len(latest):,} responses, median {percentile(seconds, 0.5):.2f} s, p99 {percentile(seconds, 0.99):.2f} s"
        )
