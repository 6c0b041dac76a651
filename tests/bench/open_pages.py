"""A thousand open pages with live updates: the CPU time they cost and the memory each needs."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from quart_enroll.db.client import Database
from tests.bench.figures import Goal, Row, Spread
from tests.bench.school_data import FALL, course
from tests.bench.servers import Site
from tests.support.student_crowd import Student

PAGE_COUNT = 1000
COURSES_PER_PAGE = 25
"""Courses on each page: the same ones on all pages, so that each change concerns every page."""

CHANGE_SECONDS = 1.0
"""The interval between two changes."""

OPENING_SECONDS = 20.0
"""The time over which the pages open, so that they reconnect at different moments."""

FIRST_PAGES, FIRST_PAGES_SECONDS = 50, 4.0
"""Pages opened before the others, and how long before: then everything that pages share is in memory."""


INITIAL_EVENTS = 3
"""Events for each section when a stream begins: its seats, its button, and that the student is not waitlisted."""


@dataclass(slots=True)
class OpenPages:
    """Counters of the open pages.

    `open` is the number of pages open now, `events` counts the events received, `streams` the streams started, and
    `refused` the responses other than a stream.
    """

    port: int
    open: int = 0
    events: int = 0
    refused: int = 0
    streams: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_open(self, student: Student, delay: float) -> None:
        """Open a page after `delay` seconds and keep it open: a second after a stream ends, start the next."""
        await asyncio.sleep(delay)
        while True:
            with suppress(OSError):
                await self._listen(student)
            await asyncio.sleep(1)

    async def _listen(self, student: Student) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(_request(student))
            status = (await reader.readline()).split()
            if status[1:2] != [b"200"]:
                self.refused += 1
                return
            self.streams += 1
            self.open += 1
            try:
                ended = False
                while not ended and (block := await reader.read(65536)):
                    self.events += block.count(b"event: ")
                    ended = block.endswith(b"0\r\n\r\n")  # the last chunk; the connection itself stays open
            finally:
                self.open -= 1
        finally:
            writer.close()


def _request(student: Student) -> bytes:
    query = [("term", FALL), *(("course", course(number).courseID) for number in range(COURSES_PER_PAGE))]
    head = f"GET /live?{urlencode(query)} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    return f"{head}Sec-Fetch-Site: same-origin\r\nCookie: {student.cookie}\r\n\r\n".encode()


async def measure(db: Database, site: Site, students: Sequence[Student], seconds: float) -> Row:
    """Open the pages, and measure while a section on them gets another seat every second."""
    pages = OpenPages(site.port)
    async with _open(pages, students), _changing_sections(db):
        await asyncio.sleep(FIRST_PAGES_SECONDS)
        first_pages, memory_before = pages.open, sum(site.memory())
        await asyncio.sleep(OPENING_SECONDS * 1.5)
        started, cpu_seconds, events, streams = time.monotonic(), site.cpu_seconds(), pages.events, pages.streams
        memory = []
        while time.monotonic() < started + seconds:
            await asyncio.sleep(0.5)
            memory.append((sum(site.memory()) - memory_before) / max(1, pages.open - first_pages))
        elapsed = time.monotonic() - started
        cpu_share = (site.cpu_seconds() - cpu_seconds) / elapsed
        reconnects = (pages.streams - streams) / elapsed
        updates = (pages.events - events) / elapsed - reconnects * COURSES_PER_PAGE * INITIAL_EVENTS
        still_open = pages.open
    kibibytes_per_page = sorted(memory)[len(memory) // 2] / 1024
    return Row(
        f"{PAGE_COUNT:,} open live pages, a change a second",
        "% of a core",
        Spread((cpu_share * 100,)),
        goals=[
            Goal("% of one core", cpu_share * 100, at_most=15),
            Goal("KiB of memory each", kibibytes_per_page, at_most=40),
            Goal("pages open at the end", still_open, at_least=0.9 * PAGE_COUNT),
            Goal("responses other than a stream", pages.refused, at_most=0),
            # Each page gets two events for each change: one for the seats, one for the button.
            Goal("updates received of those sent", updates / (2 * PAGE_COUNT / CHANGE_SECONDS), at_least=0.8),
        ],
        note=f"{reconnects:.0f} pages reconnected each second, each with {COURSES_PER_PAGE} courses, signed in",
    )


@asynccontextmanager
async def _open(pages: OpenPages, students: Sequence[Student]) -> AsyncIterator[None]:
    rng = random.Random()  # noqa: S311  # no secret
    later = [rng.uniform(FIRST_PAGES_SECONDS + 1, OPENING_SECONDS) for _ in range(PAGE_COUNT - FIRST_PAGES)]
    delays = [0.0] * FIRST_PAGES + later
    tasks = [
        asyncio.create_task(pages.keep_open(students[number % len(students)], delay))
        for number, delay in enumerate(delays)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _changing_sections(db: Database) -> AsyncIterator[None]:
    async def change() -> None:
        number = 0
        while True:
            await asyncio.sleep(CHANGE_SECONDS)
            number = (number + 1) % COURSES_PER_PAGE
            section_filter = {"term": FALL, "courseID": course(number).courseID, "section": "01"}
            await db.section.update_one(section_filter, {"$inc": {"capacity": 1}})

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
