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
from tests.bench.schools import FALL, course
from tests.bench.sites import Site
from tests.support.crowd import Student

PAGES = 1000
COURSES_PER_PAGE = 25
"""Courses on each page; all pages show the same ones, so each change concerns every page."""

CHANGE_SECONDS = 1.0
"""Seconds between two changes."""

OPENING_SECONDS = 20.0
"""Seconds over which the pages open, so that they reconnect at different moments."""

FIRST_PAGES, FIRST_SECONDS = 50, 4.0
"""Pages opened before the others, and for how long: then everything that pages share is in memory."""


INITIAL_EVENTS = 3
"""Events for each section when a stream begins: its seats, its button, and that the student is not waitlisted."""


@dataclass(slots=True)
class Crowd:
    """The open pages; `open` is how many there are now, `heard` how many events they were told, `refused` how often
    the site answered something else, `opened` how many streams were begun."""

    port: int
    open: int = 0
    received: int = 0
    refused: int = 0
    opened: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, student: Student, after: float) -> None:
        """Open a page after some seconds and keep it open: a second after a stream ends, start the next."""
        await asyncio.sleep(after)
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
            self.opened += 1
            self.open += 1
            try:
                ended = False
                while not ended and (block := await reader.read(65536)):
                    self.received += block.count(b"event: ")
                    ended = block.endswith(b"0\r\n\r\n")  # the last chunk; the connection itself stays open
            finally:
                self.open -= 1
        finally:
            writer.close()


def _request(student: Student) -> bytes:
    shown = [("term", FALL), *(("course", course(number).courseID) for number in range(COURSES_PER_PAGE))]
    head = f"GET /live?{urlencode(shown)} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    return f"{head}Sec-Fetch-Site: same-origin\r\nCookie: {student.cookie}\r\n\r\n".encode()


async def measure(db: Database, site: Site, students: Sequence[Student], seconds: float) -> Row:
    """Open the pages, and measure while one of their sections gets another seat every second."""
    crowd = Crowd(site.port)
    async with _open(crowd, students), _changing(db):
        await asyncio.sleep(FIRST_SECONDS)
        few, before = crowd.open, sum(site.memory())
        await asyncio.sleep(OPENING_SECONDS * 1.5)
        began, worked, received, opened = time.monotonic(), site.cpu_seconds(), crowd.received, crowd.opened
        memory = []
        while time.monotonic() < began + seconds:
            await asyncio.sleep(0.5)
            memory.append((sum(site.memory()) - before) / max(1, crowd.open - few))
        passed = time.monotonic() - began
        share = (site.cpu_seconds() - worked) / passed
        came_back = (crowd.opened - opened) / passed
        events_per_second = (crowd.received - received) / passed - came_back * COURSES_PER_PAGE * INITIAL_EVENTS
        still_open = crowd.open
    each = sorted(memory)[len(memory) // 2] / 1024
    return Row(
        f"{PAGES:,} open live pages, a change a second",
        "% of a core",
        Spread((share * 100,)),
        goals=[
            Goal("% of one core", share * 100, at_most=15),
            Goal("KiB of memory each", each, at_most=40),
            Goal("pages open at the end", still_open, at_least=0.9 * PAGES),
            Goal("responses other than a stream", crowd.refused, at_most=0),
            # Each page gets two events for each change: one for the seats, one for the button.
            Goal("updates received of those sent", events_per_second / (2 * PAGES / CHANGE_SECONDS), at_least=0.8),
        ],
        note=f"{came_back:.0f} pages reconnected each second, each with {COURSES_PER_PAGE} courses, signed in",
    )


@asynccontextmanager
async def _open(crowd: Crowd, students: Sequence[Student]) -> AsyncIterator[None]:
    later = range(PAGES - FIRST_PAGES)
    afters = [0.0] * FIRST_PAGES
    afters += [random.uniform(FIRST_SECONDS + 1, OPENING_SECONDS) for _ in later]  # noqa: S311  # no secret
    tasks = [
        asyncio.create_task(crowd.look(students[number % len(students)], after)) for number, after in enumerate(afters)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _changing(db: Database) -> AsyncIterator[None]:
    async def change() -> None:
        number = 0
        while True:
            await asyncio.sleep(CHANGE_SECONDS)
            number = (number + 1) % COURSES_PER_PAGE
            named = {"term": FALL, "courseID": course(number).courseID, "section": "01"}
            await db.section.update_one(named, {"$inc": {"capacity": 1}})

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
