"""The memory that a process needs while visitors make up URLs, searches, cookies, languages and tokens."""

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from random import Random

from tests.bench import pages
from tests.bench.figures import Goal, Row, Spread
from tests.bench.memory import LARGEST, MEBIBYTE
from tests.bench.schools import course
from tests.bench.sites import Site
from tests.support.crowd import Student

CONNECTIONS = 16
MEASUREMENT_SECONDS = 2.0
"""Seconds between two measurements of the memory."""


def measure(site: Site, students: Sequence[Student], seconds: float) -> Row:
    """Send one process requests that it has never had before, and measure its memory meanwhile."""
    before = site.memory()[0] / MEBIBYTE
    found, answered, faults = asyncio.run(_invent(site, students, seconds))
    return Row(
        "memory of one process while visitors invent requests",
        "MiB",
        Spread(tuple(found[-3:])),
        goals=[Goal("MiB at most", max(found), at_most=LARGEST), Goal(pages.WRONG, faults, at_most=0)],
        note=f"{before:.0f} before, at most {max(found):.0f}, {answered:,} requests in {seconds:.0f} s",
    )


async def _invent(site: Site, students: Sequence[Student], seconds: float) -> tuple[list[float], int, int]:
    """Return the memory in MiB at each measurement, the number of answers, and the number of errors."""
    end, numbers, statuses = time.monotonic() + seconds, count(), [0] * 600

    async def visit(chance: Random) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=2**24)
        while time.monotonic() < end:
            writer.write(_request(next(numbers), chance, students))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            statuses[int(head[9:12])] += 1
            if b"content-length: " in head:
                length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
        writer.close()

    found: list[float] = []

    async def look() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(MEASUREMENT_SECONDS)
            found.append(site.memory()[0] / MEBIBYTE)

    await asyncio.gather(look(), *(visit(Random(number)) for number in range(CONNECTIONS)))  # noqa: S311  # no secret
    return found, sum(statuses), sum(statuses[500:])


def _request(number: int, chance: Random, students: Sequence[Student]) -> bytes:
    """Return a request that has not been made before."""
    word = chance.randbytes(chance.randrange(4, 40)).hex()
    long = chance.randbytes(1500).hex()
    ours = f"Cookie: {students[number % len(students)].cookie}"
    paths = [
        *((f"/api/?{number}", ""), (f"/courses/?q={word}", ""), (f"/courses/?page={number % 200}&{number}", "")),
        *((f"/courses/?q={word[0]}&page={number % 90}&sort=title", ours), (f"/courses/?days=MW&q={word[:2]}", ours)),
        *((f"/enrollment?{number}", ours), (f"/plan?{number}", ours), (f"/?{long}", ours)),
        *((f"/course/{course(number % 5000).courseID}?{word}", ""), (f"/course/{word}", ""), (f"/{long}", "")),
        *((f"/password/reset/{long}", ""), (f"/login?next=/{word}", ""), ("/register", f"Cookie: x={long}")),
        *(("/courses/", f"Cookie: __Host-session={word}; {'a=b; ' * chance.randrange(150)}"), (f"/api/{word}", "")),
        *((f"/api/v1/courses?q={word[:2]}", ""), (f"/api/v1/sections?limit={number % 100 + 1}", "")),
        *(("/api/v1/me", f"Authorization: Bearer qe_{word}"), (f"/api/v1/terms?{number}", f"If-None-Match: W/{word}")),
    ]
    path, more = chance.choice(paths)
    headers = [
        f"GET {path} HTTP/1.1",
        "Host: school.example",
        "X-Forwarded-Proto: https",
        f"Accept-Language: {word[:2]}-{word[2:6]}, {chance.choice(('en', 'es'))};q=0.{number % 9 + 1}",
        f"Accept-Encoding: {chance.choice(('br', 'gzip', 'identity'))}, x{word}",
        f"User-Agent: Mozilla/5.0 ({word}) {long[:200]}",
        *([more] if more else []),
    ]
    return "\r\n".join([*headers, "", ""]).encode()
