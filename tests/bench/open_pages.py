"""Thousands of open pages with live updates: the CPU time of an update, and the memory of a page."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from quart_enroll.db.client import Database, open_database
from tests.bench import school_data
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.bench.school_data import FALL, course
from tests.bench.servers import Site
from tests.support.student_crowd import Student

COURSES = 500
CATALOG_PAGE_COURSES, OWN_PAGE_COURSES = 25, 5
OWN_PAGE_INTERVAL = 5
"""One page in five is the student's own, a plan or a schedule; the others are pages of the catalog."""

CHANGES_PER_SECOND = 20.0
OPENED_PER_SECOND = 300
FIRST_PAGES = 100
"""Pages opened before the others: then everything that pages share is in memory."""

SETTLE_SECONDS, MAX_SETTLE_SECONDS = 1.0, 60.0
"""Seconds without an update after which all pages have the current state, and within which they must have it."""

MAX_CPU_RATIO = 0.1
MAX_PAGE_KIB = 30.0
UPDATE_MARK = b"event: facts"
"""What an update about a section contains once."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many pages are open, how many sections change in a second, and for how many seconds."""

    pages: int
    changes_per_second: float
    seconds: float


@dataclass(slots=True)
class OpenPages:
    """Counters of the open pages.

    `pages_by_course` has the number of open pages that show each course; `updates` counts the updates about a section
    that arrived, `refused` the responses other than a stream, and `ended` the streams that have ended.
    """

    updates: int = 0
    streams: int = 0
    refused: int = 0
    ended: int = 0
    pages_by_course: list[int] = field(default_factory=lambda: [0] * COURSES)


class _Page(asyncio.Protocol):
    """An open page, which only counts what it receives: the client must cost less than the site."""

    def __init__(self, pages: OpenPages, request: bytes, numbers: Sequence[int]) -> None:
        self._pages = pages
        self._request = request
        self._numbers = numbers
        self._began = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._began:
            self._began = True
            if not data.startswith(b"HTTP/1.1 200"):
                self._pages.refused += 1
                return
            self._pages.streams += 1
            for number in self._numbers:
                self._pages.pages_by_course[number] += 1
        self._pages.updates += data.count(UPDATE_MARK)

    def connection_lost(self, error: Exception | None) -> None:
        self._pages.ended += 1
        if self._began:
            for number in self._numbers:
                self._pages.pages_by_course[number] -= 1


def measure(run: BenchRun) -> list[Row]:
    """Measure open pages; PAGES and CHANGES set how many, and how many sections change in a second."""
    uri, plan = run.database("open_pages"), run.plan
    extent = Extent(
        int(os.environ.get("PAGES") or plan.open_pages),
        float(os.environ.get("CHANGES") or CHANGES_PER_SECOND),
        plan.open_pages_seconds,
    )
    students = school_data.create(uri, COURSES, extent.pages)
    bare = run.measure_bare()

    async def measure_with_database(site: Site) -> Row:
        async with open_database(uri, 20) as db:
            return await _measure(db, site, students, bare.cpu_ms[-1], extent)

    with run.serve(uri, "open-pages") as site:
        return [asyncio.run(measure_with_database(site))]


async def _measure(db: Database, site: Site, students: Sequence[Student], bare_cpu_ms: float, extent: Extent) -> Row:
    """Open the pages, and measure while sections change; `bare_cpu_ms` is the CPU time of a bare response."""
    pages = OpenPages()
    async with _open(pages, site, students, extent) as memory_before:
        await _settle(pages, extent.pages)
        kibibytes = (sum(site.memory()) - memory_before) / 1024 / (extent.pages - FIRST_PAGES)
        async with _changing_sections(db, pages, extent) as expected:
            await asyncio.sleep(1)
            cpu_before, updates_before, expected_before = site.cpu_seconds(), pages.updates, expected.total
            started = time.monotonic()
            await asyncio.sleep(extent.seconds)
            cpu_seconds, updates = site.cpu_seconds() - cpu_before, pages.updates - updates_before
            elapsed, wanted = time.monotonic() - started, expected.total - expected_before
        still_open = pages.streams - pages.ended
    cpu_ms = 1000 * cpu_seconds / max(1, updates)
    return Row(
        f"{extent.pages:,} open pages, {extent.changes_per_second:g} changes a second over {COURSES} sections",
        "ms of CPU time per update",
        Spread((cpu_ms,)),
        {"a bare response": Spread((bare_cpu_ms,))},
        goals=[
            Goal("CPU time of an update compared with a bare response", cpu_ms / bare_cpu_ms, at_most=MAX_CPU_RATIO),
            Goal("KiB of memory each", kibibytes, at_most=MAX_PAGE_KIB),
            Goal("pages open at the end", still_open, at_least=0.99 * extent.pages),
            Goal("responses other than a stream", pages.refused, at_most=0),
            Goal("updates received of those sent", updates / max(1, wanted), at_least=0.95),
        ],
        note=f"{updates / elapsed:,.0f} updates a second take {100 * cpu_seconds / elapsed:.0f}% of a core",
        compared_by="a bare response",
    )


@dataclass(slots=True)
class Expected:
    """The number of updates that the open pages should have received."""

    total: int = 0


@asynccontextmanager
async def _open(pages: OpenPages, site: Site, students: Sequence[Student], extent: Extent) -> AsyncIterator[int]:
    """Open the pages, keep them open during the block, and yield the site's memory in bytes after the first ones."""
    loop, transports = asyncio.get_running_loop(), []
    started, memory_before = time.monotonic(), 0
    try:
        for number in range(extent.pages):
            numbers = _courses_of(number)
            request = _request(students[number % len(students)], numbers)
            transport, _ = await loop.create_connection(
                lambda r=request, n=numbers: _Page(pages, r, n), "127.0.0.1", site.port
            )
            transports.append(transport)
            await asyncio.sleep(max(0.0, started + number / OPENED_PER_SECOND - time.monotonic()))
            if number + 1 == FIRST_PAGES:
                await _settle(pages, FIRST_PAGES)
                started, memory_before = time.monotonic() - number / OPENED_PER_SECOND, sum(site.memory())
        yield memory_before
    finally:
        for transport in transports:
            transport.abort()


async def _settle(pages: OpenPages, count: int) -> None:
    """Wait until that many pages are open and have the current state."""
    updates, end = -1, time.monotonic() + MAX_SETTLE_SECONDS
    while (pages.streams < count or pages.updates > updates) and time.monotonic() < end:
        updates = pages.updates
        await asyncio.sleep(SETTLE_SECONDS)


def _courses_of(number: int) -> range:
    """Return the numbers of the courses on that page."""
    size = OWN_PAGE_COURSES if number % OWN_PAGE_INTERVAL == 0 else CATALOG_PAGE_COURSES
    first = number % (COURSES // size) * size
    return range(first, first + size)


def _request(student: Student, numbers: Sequence[int]) -> bytes:
    query = urlencode([("term", FALL), *(("course", course(number).courseID) for number in numbers)])
    lines = [
        f"GET /live?{query} HTTP/1.1",
        "Host: localhost",
        "Accept: text/event-stream",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: empty",
        f"Cookie: {student.cookie}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def _changing_sections(db: Database, pages: OpenPages, extent: Extent) -> AsyncIterator[Expected]:
    """Give one section after another one more seat, and count the pages that must hear of it."""
    expected, rng = Expected(), random.Random(20)  # noqa: S311  # no secret

    async def change() -> None:
        started = time.monotonic()
        for changes in range(1_000_000):
            number = rng.randrange(COURSES)
            section_filter = {"term": FALL, "courseID": course(number).courseID, "section": "01"}
            await db.section.update_one(section_filter, {"$inc": {"capacity": 1}})
            expected.total += pages.pages_by_course[number]
            await asyncio.sleep(max(0.0, started + (changes + 1) / extent.changes_per_second - time.monotonic()))

    task = asyncio.create_task(change())
    try:
        yield expected
    finally:
        task.cancel()
        await asyncio.wait({task})
