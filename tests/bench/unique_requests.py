"""How much memory a process needs while visitors make up URLs, searches, cookies, languages and tokens."""

import asyncio
import time
from collections.abc import Sequence
from itertools import count
from random import Random

from tests.bench.figures import WRONG_RESPONSES, Goal, Row, Spread
from tests.bench.school_data import course
from tests.bench.servers import MAX_MIB, MEBIBYTE, Site
from tests.support.student_crowd import Student

CONNECTIONS = 16
MEASUREMENT_SECONDS = 2.0
"""Seconds between two measurements of the memory."""


def measure(site: Site, students: Sequence[Student], seconds: float) -> Row:
    """Send one process requests that it has never received before, and measure its memory meanwhile."""
    before = site.memory()[0] / MEBIBYTE
    mebibytes, responses, errors = asyncio.run(_send_unique_requests(site, students, seconds))
    return Row(
        "memory of one process while visitors invent requests",
        "MiB",
        Spread(tuple(mebibytes[-3:])),
        goals=[Goal("MiB at most", max(mebibytes), at_most=MAX_MIB), Goal(WRONG_RESPONSES, errors, at_most=0)],
        note=f"{before:.0f} before, at most {max(mebibytes):.0f}, {responses:,} requests in {seconds:.0f} s",
    )


async def _send_unique_requests(
    site: Site, students: Sequence[Student], seconds: float
) -> tuple[list[float], int, int]:
    """Return the memory in MiB at each measurement, the number of responses, and the number of errors."""
    end, numbers, statuses = time.monotonic() + seconds, count(), [0] * 600

    async def send_requests(rng: Random) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=2**24)
        while time.monotonic() < end:
            writer.write(_request(next(numbers), rng, students))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            statuses[int(head[9:12])] += 1
            if b"content-length: " in head:
                length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
        writer.close()

    mebibytes: list[float] = []

    async def measure_memory() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(MEASUREMENT_SECONDS)
            mebibytes.append(site.memory()[0] / MEBIBYTE)

    await asyncio.gather(measure_memory(), *(send_requests(Random(number)) for number in range(CONNECTIONS)))  # noqa: S311  # no secret
    return mebibytes, sum(statuses), sum(statuses[500:])


def _request(number: int, rng: Random, students: Sequence[Student]) -> bytes:
    """Return a request that has never been sent before."""
    word = rng.randbytes(rng.randrange(4, 40)).hex()
    long = rng.randbytes(1500).hex()
    cookie = f"Cookie: {students[number % len(students)].cookie}"
    paths = [
        *((f"/api/?{number}", ""), (f"/courses/?q={word}", ""), (f"/courses/?page={number % 200}&{number}", "")),
        *(
            (f"/courses/?q={word[0]}&page={number % 90}&sort=title", cookie),
            (f"/courses/?days=MW&q={word[:2]}", cookie),
        ),
        *((f"/enrollment?{number}", cookie), (f"/plan?{number}", cookie), (f"/?{long}", cookie)),
        *((f"/course/{course(number % 5000).courseID}?{word}", ""), (f"/course/{word}", ""), (f"/{long}", "")),
        *((f"/password/reset/{long}", ""), (f"/login?next=/{word}", ""), ("/register", f"Cookie: x={long}")),
        *(("/courses/", f"Cookie: __Host-session={word}; {'a=b; ' * rng.randrange(150)}"), (f"/api/{word}", "")),
        *((f"/api/v1/courses?q={word[:2]}", ""), (f"/api/v1/sections?limit={number % 100 + 1}", "")),
        *(("/api/v1/me", f"Authorization: Bearer qe_{word}"), (f"/api/v1/terms?{number}", f"If-None-Match: W/{word}")),
    ]
    path, extra_header = rng.choice(paths)
    headers = [
        f"GET {path} HTTP/1.1",
        "Host: school.example",
        "X-Forwarded-Proto: https",
        f"Accept-Language: {word[:2]}-{word[2:6]}, {rng.choice(('en', 'es'))};q=0.{number % 9 + 1}",
        f"Accept-Encoding: {rng.choice(('br', 'gzip', 'identity'))}, x{word}",
        f"User-Agent: Mozilla/5.0 ({word}) {long[:200]}",
        *([extra_header] if extra_header else []),
    ]
    return "\r\n".join([*headers, "", ""]).encode()
