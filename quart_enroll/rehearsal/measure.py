"""Watches the site, the database and the invented students once a second."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from quart_enroll.db.client import Database
from quart_enroll.rehearsal.browser import Sample
from quart_enroll.rehearsal.figures import Moment
from quart_enroll.rehearsal.site import RehearsedSite
from quart_enroll.rehearsal.summary import percentile
from quart_enroll.services.maintenance import rehearsal
from quart_enroll.system.usage import read_busy_seconds, read_usage

SECONDS_BETWEEN_MOMENTS = 1.0
SECONDS_BETWEEN_REPORTS = 5


@dataclass(frozen=True, slots=True)
class _Usages:
    """The CPU seconds that each has used up to a moment; None where unknown."""

    at: float
    site: float | None
    database: float | None
    students: float | None
    machine: float | None

    def cores(self, name: str, since: "_Usages") -> float | None:
        """Return how many cores it has used since then, in the mean."""
        used, before, elapsed = getattr(self, name), getattr(since, name), self.at - since.at
        return None if used is None or before is None or elapsed <= 0 else max(0.0, (used - before) / elapsed)


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
        self._previous: _Usages | None = None
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
        site = read_usage(self._site.pid)
        usages = _Usages(
            monotonic(),
            site=site.cpu_seconds if site else None,
            database=server.cpu_seconds if server else None,
            students=sum(os.times()[:2]),
            machine=read_busy_seconds(),
        )
        since, self._previous = self._previous or usages, usages
        moment = Moment(
            at=usages.at - self._opens_at,
            taken=counts.taken,
            waiting=counts.waiting,
            full=counts.full,
            site_cores=usages.cores("site", since),
            database_cores=usages.cores("database", since),
            students_cores=usages.cores("students", since),
            machine_cores=usages.cores("machine", since),
            largest_process=max(site.memory) if site else None,
            site_memory=sum(site.memory) if site else None,
            database_memory=server.memory if server else None,
        )
        self.moments.append(moment)
        if len(self.moments) % SECONDS_BETWEEN_REPORTS == 0:
            self._report(moment)

    def _report(self, moment: Moment) -> None:
        latest = self.samples[self._reported_samples :]
        self._reported_samples = len(self.samples)
        seconds = sorted(sample.seconds for sample in latest)
        when = f"{-moment.at:.0f} s before" if moment.at < 0 else f"{moment.at:.0f} s after"
        self._say(
            f"{when} the opening: {moment.taken:,} seats taken, {moment.waiting:,} waiting; "
            f"{len(latest):,} responses, median {percentile(seconds, 0.5):.2f} s, p99 {percentile(seconds, 0.99):.2f} s"
        )
