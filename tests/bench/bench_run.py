"""A run of `make bench`: its extent, and what its parts share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import browser, servers, wrk
from tests.bench.servers import Site
from tests.support.processes import PROJECT, with_database

BARE = "bare Quart"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The extent of a run; `seconds` is that of each measurement in a round, and `warm_up` comes before the first.

    `students` is the size of a crowd that reads pages, `pressing` that of one that presses "Enroll in all", and
    `stampeding` that of one in front of a section.
    """

    rounds: int
    own_page_rounds: int
    seconds: float
    warm_up: float
    repeats: int
    students: int
    posts: int
    pressing: int
    stampeding: int
    hot_sections: int
    past_enrollments: int
    people: int
    open_pages: int
    open_pages_seconds: float
    memory_seconds: float
    imported_rows: int
    folder: Path


FULL_RUN = RunPlan(
    rounds=5,
    own_page_rounds=4,
    seconds=4,
    warm_up=2,
    repeats=3,
    students=2000,
    posts=3000,
    pressing=1000,
    stampeding=1000,
    hot_sections=7,
    past_enrollments=1_000_000,
    people=150,
    open_pages=5000,
    open_pages_seconds=30,
    memory_seconds=180,
    imported_rows=100_000,
    folder=PROJECT / "docs" / "bench",
)
QUICK_RUN = RunPlan(
    rounds=1,
    own_page_rounds=1,
    seconds=1,
    warm_up=1,
    repeats=1,
    students=400,
    posts=400,
    pressing=200,
    stampeding=200,
    hot_sections=2,
    past_enrollments=50_000,
    people=20,
    open_pages=300,
    open_pages_seconds=3,
    memory_seconds=6,
    imported_rows=5000,
    folder=PROJECT / ".bench",
)


@dataclass(slots=True)
class MeasuredPages:
    """The same requests to a site in each round, and what they took; `rates` are responses per second."""

    site: Site
    script: Path
    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    wrong: int = 0

    def run(self, seconds: float) -> None:
        """Send the requests for that long; a round with a wrong response counts as nothing."""
        cpu_before = self.site.cpu_seconds()
        result = wrk.run(self.site.port, self.script, seconds)
        cpu_seconds = self.site.cpu_seconds() - cpu_before
        wrong = result.refused + result.broken + result.timeouts + (not result.requests)
        self.wrong += wrong
        self.rates.append(0.0 if wrong else result.per_second)
        self.cpu_ms.append(1000 * cpu_seconds / max(1, result.requests))
        self.sizes.append(result.bytes_each)

    def warm_up(self, seconds: float) -> None:
        """Send the requests for that long, without recording anything but wrong responses."""
        self.run(seconds)
        for figures in (self.rates, self.cpu_ms, self.sizes):
            figures.clear()


@dataclass(frozen=True, slots=True)
class BenchRun:
    """What the parts of a run share: one MongoDB, one bare site, and the list of errors that sites have logged."""

    plan: RunPlan
    folder: Path
    uri: str
    bare: Site
    logged_errors: list[str] = field(default_factory=list)

    def database(self, name: str) -> str:
        """Return the URI of the database of that name."""
        return with_database(self.uri, name)

    @contextmanager
    def serve(self, database_uri: str, name: str, processes: int = servers.PROCESSES) -> Iterator[Site]:
        """Serve the site with that database; afterwards, record the errors in its log."""
        with servers.serve_quart_enroll(self.folder, database_uri, name, processes=processes) as site:
            yield site.wait()
        if errors := site.error_lines():
            self.logged_errors.append(f"The site {name} logged {len(errors)} errors, the first: {errors[0]}")

    def bare_pages(self) -> MeasuredPages:
        """Return the measurement of bare Quart, which answers the same browsers."""
        requests = [wrk.Request("/", headers) for headers in browser.BROWSERS]
        return MeasuredPages(self.bare, wrk.write_script(self.folder, "bare", requests))

    def measure_bare(self) -> MeasuredPages:
        """Measure bare Quart once, as the unit of the other figures."""
        bare = self.bare_pages()
        bare.run(self.plan.seconds)
        return bare
