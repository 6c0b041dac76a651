"""Runs a rehearsal, from the empty database to the figures."""

import asyncio
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from random import Random

from quart_enroll.db.client import Database, is_on_this_machine, open_database, other_database_uri
from quart_enroll.domain.models import Section
from quart_enroll.rehearsal.browser import Browser
from quart_enroll.rehearsal.cast import Cast, choose_cast
from quart_enroll.rehearsal.extent import Extent, SiteSettings
from quart_enroll.rehearsal.figures import Figures, Setup
from quart_enroll.rehearsal.invention import InventedStudent
from quart_enroll.rehearsal.measure import Watch
from quart_enroll.rehearsal.site import RehearsedSite, serve
from quart_enroll.rehearsal.student import Actor, Scene
from quart_enroll.rehearsal.summary import Records, summarize
from quart_enroll.services.maintenance import audit, rehearsal
from quart_enroll.services.maintenance.rehearsal import SchoolFacts
from quart_enroll.system.clock import utc_now
from quart_enroll.system.usage import read_machine

OPERATION_TIMEOUT_SECONDS = 60.0

FIRST_ADDRESS = 10 << 24
"""The IP addresses of the students' browsers begin at 10.0.0.0."""

Say = Callable[[str], None]


async def rehearse(uri: str, facts: SchoolFacts, extent: Extent, settings: SiteSettings, say: Say) -> Figures:
    """Rehearse the opening and return the figures; `say` gets a line for each step.

    `uri` names the school's database, which is only read. The rehearsal's own database is removed, however this ends.
    Raises RehearsalRefused, SiteFailed, or one of the database's errors.
    """
    async with open_database(uri, OPERATION_TIMEOUT_SECONDS) as school:
        own_uri = other_database_uri(uri, rehearsal.database_name(school.name))
        async with (
            open_database(own_uri, OPERATION_TIMEOUT_SECONDS) as db,
            rehearsal.open_rehearsal_database(db, school.name),
        ):
            say(f"Filling the database {db.name} with the catalog and {extent.students:,} invented students …")
            cast = await asyncio.to_thread(choose_cast, facts, extent, settings.password_method)
            now = utc_now()
            uncopied = await rehearsal.fill(
                school, db, facts, cast.rows(now), settings.defaults, password=cast.password_hash, now=now
            )
            known = frozenset((await audit.check(db, now)).discrepancies)
            say(f"Starting the site with {settings.processes} processes …")
            with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
                environ = {**settings.environ, "MONGO_URI": own_uri}
                async with serve(settings.command, environ, settings.project, Path(folder)) as site:
                    return await _Opening(db, facts, extent, settings, cast, site, known, uncopied, say).run()


@dataclass(frozen=True)
class _Opening:
    """The opening, when everything is prepared.

    `known` are the discrepancies that the catalog had before, `uncopied` is the number of its rows that are missing.
    """

    db: Database
    facts: SchoolFacts
    extent: Extent
    settings: SiteSettings
    cast: Cast
    site: RehearsedSite
    known: frozenset[str]
    uncopied: int
    say: Say

    @cached_property
    def opens_at(self) -> float:
        """When enrollment opens, on the monotonic clock."""
        return time.monotonic() + self.extent.arriving_seconds

    async def run(self) -> Figures:
        """Let the students through the opening, and return the figures."""
        arriving, term = self.extent.arriving_seconds, self.facts.term
        await rehearsal.open_at(self.db, term, utc_now() + timedelta(seconds=self.opens_at - time.monotonic()))
        self.say(f"{term} opens in {arriving:.0f} s; then the students act for {60 * self.extent.minutes:.0f} s.")
        watch = Watch(self.db, term.term, self.site, self.opens_at, self.say)
        scene = self._scene()
        actors = [self._actor(one, scene, watch) for one in self.cast.students]
        await _play(actors, watch)
        await watch.look()
        self.say("Checking every seat …")
        return summarize(self.facts, self.cast, await self._records(watch, actors), await self._setup())

    def _scene(self) -> Scene:
        by_course: defaultdict[str, list[Section]] = defaultdict(list)
        for section in self.facts.sections_in(self.facts.term):
            by_course[section.courseID].append(section)
        wanted = Counter(key.courseID for student in self.cast.students for key in student.plan)
        return Scene(
            port=self.site.port,
            term=self.facts.term.term,
            sections=by_course,
            courses=list(wanted.elements()),
            password=self.cast.password,
            opens_at=self.opens_at,
            arriving_seconds=self.extent.arriving_seconds,
            ends_at=self.opens_at + 60 * self.extent.minutes,
        )

    def _actor(self, student: InventedStudent, scene: Scene, watch: Watch) -> Actor:
        number = FIRST_ADDRESS + student.user_id
        address = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
        browser = Browser(scene.port, address, watch.samples.append)
        if (identity := self.cast.identities.get(student.user_id)) is not None:
            browser.cookies[self.settings.cookie_name] = self.settings.sign(identity)
        rng = Random(f"actions {self.extent.seed} {student.user_id}")  # noqa: S311  # no secret
        return Actor(scene, student, browser, rng)

    async def _records(self, watch: Watch, actors: Sequence[Actor]) -> Records:
        term = self.facts.term.term
        seated, waiting = await rehearsal.find_seats(self.db, term), await rehearsal.find_places(self.db, term)
        found = (await audit.check(self.db, utc_now())).discrepancies
        return Records(
            opened_at=self.opens_at,
            samples=watch.samples,
            moments=watch.moments,
            outcomes=[actor.outcome for actor in actors],
            sections=await rehearsal.find_sections(self.db, term),
            seated=seated,
            waiting=waiting,
            discrepancies=[sentence for sentence in found if sentence not in self.known],
            known_discrepancies=len(self.known),
            uncopied_rows=self.uncopied,
        )

    async def _setup(self) -> Setup:
        machine, offered = read_machine(), self.facts.sections_in(self.facts.term)
        server = await rehearsal.read_server_usage(self.db)
        return Setup(
            term=self.facts.term.term,
            students=self.extent.students,
            students_source=self.extent.students_source,
            password_students=sum(one.uses_password for one in self.cast.students),
            seed=self.extent.seed,
            minutes=self.extent.minutes,
            demand_source=self.cast.demand.source,
            processes=self.settings.processes,
            hash_slots=self.settings.hash_slots,
            hash_seconds=self.cast.hash_seconds,
            hash_megabytes=_hash_megabytes(self.settings.password_method),
            password_method=self.settings.password_method,
            machine=machine.model,
            cores=machine.cores,
            memory=machine.memory,
            database_is_here=is_on_this_machine(self.db),
            database_version=server.version if server else "",
            courses=len({one.courseID for one in offered}),
            sections=len(offered),
            seats=sum(one.capacity for one in offered),
            app_env=self.settings.app_env,
        )


async def _play(actors: Sequence[Actor], watch: Watch) -> None:
    """Let everyone act until the end while `watch` runs; raise SiteFailed if the site ends before that."""

    async def play_all() -> None:
        async with asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(actor.play())

    playing, watching = asyncio.create_task(play_all()), asyncio.create_task(watch.run())
    try:
        await asyncio.wait([playing, watching], return_when=asyncio.FIRST_COMPLETED)
        await (watching if watching.done() else playing)
    finally:
        for task in (playing, watching):
            task.cancel()
        await asyncio.wait([playing, watching])


def _hash_megabytes(method: str) -> int:
    """Return the memory of a hash in MiB: scrypt needs 128 * N * r bytes, the other methods next to nothing."""
    name, *costs = method.split(":")
    return 128 * int(costs[0]) * int(costs[1]) >> 20 if name == "scrypt" and len(costs) > 1 else 0
