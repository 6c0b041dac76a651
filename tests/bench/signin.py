"""How long other visitors wait while a crowd signs in, as printed by `make bench-signin`.

Two server processes and a MongoDB run on this machine, with passwords hashed as in production. Everything shares the
cores, including the program that plays the crowd, so an otherwise idle machine gives the best figures.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from werkzeug.security import check_password_hash, generate_password_hash

from config import Config
from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from quart_enroll.domain.models import User
from tests.bench import machine
from tests.bench.figures import Goal, Row, Spread
from tests.support import school
from tests.support.crowd import exchange, spread
from tests.support.people import PASSWORD, TERMS
from tests.support.processes import server

AT_ONCE = 150
PROCESSES = 2
OTHERS = ("/healthz", "/courses/")
PAUSE_SECONDS = 0.05
"""Seconds between two requests of another visitor."""

MIN_HASHING_SHARE = 0.85
"""Share of the cores' full hashing rate; the other visitors' pages and the crowd itself need the rest."""

QUIET_SECONDS = 3.0
"""Seconds in which nobody signs in, for comparison."""

METHOD = Config.__dataclass_fields__["password_method"].default

_sent_away: list[str] = []


@dataclass(frozen=True, slots=True)
class Measured:
    """The seconds that others waited while nobody and while everybody signed in, by path, and those of the sign-ins:
    each one, and all together."""

    quiet: dict[str, list[float]]
    busy: dict[str, list[float]]
    took: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.took) / self.seconds


async def main() -> None:
    print(f"{AT_ONCE} sign-ins at once, {PROCESSES} processes, {METHOD}")
    print(f"{machine.in_a_line(machine.description())}; load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, local_mongod(Path(folder) / "mongodb") as uri:
        people = await prepare(uri, AT_ONCE)
        with server(Path(folder) / "log", MONGO_URI=uri, WEB_CONCURRENCY=PROCESSES) as site:
            measured = await measure(site.port, people)
    _print("nobody signs in", measured.quiet)
    _print(f"{len(people)} sign in", measured.busy)
    rate = f"{measured.per_second:.1f} per second"
    print(f"  the sign-ins: {spread(measured.took)}; {rate}; {len(_sent_away)} 503 responses")


async def prepare(uri: str, number: int) -> list[str]:
    """Create a small school and that many students, and return their emails."""
    async with open_database(uri, 20) as db:
        await school.build(db)
        await school.fill(db, TERMS)
        emails = [f"student{one}@school.example" for one in range(number)]
        hashed = generate_password_hash(PASSWORD, METHOD)
        users = [User(1000 + one, email, "Stu", "Dent", "student") for one, email in enumerate(emails)]
        await db.user.insert_many([asdict(user) | {"password": hashed} for user in users])
    return emails


async def measure(port: int, people: list[str]) -> Measured:
    """Let others request pages, first alone, then while all these people sign in at once."""
    async with _watching(port) as quiet:
        await asyncio.sleep(QUIET_SECONDS)
    began = time.monotonic()
    async with _watching(port) as busy:
        took = await sign_in_all(port, people)
    return Measured(quiet, busy, took, time.monotonic() - began)


async def sign_in_all(port: int, people: list[str]) -> list[float]:
    """Let all sign in at once; return the seconds of each."""
    return await asyncio.gather(*(_timed(partial(_sign_in, port, email)) for email in people))


def hashes_per_second(seconds: float) -> float:
    """Return how many passwords all cores can check per second if they do nothing else."""
    hashed = generate_password_hash(PASSWORD, METHOD)
    cores = os.cpu_count() or 1
    began = time.monotonic()

    def check_until_the_end(_: int) -> int:
        number = 0
        while time.monotonic() < began + seconds:
            check_password_hash(hashed, PASSWORD)
            number += 1
        return number

    with ThreadPoolExecutor(cores) as threads:
        checked = sum(threads.map(check_until_the_end, range(cores)))
    return checked / (time.monotonic() - began)


def row(measured: Measured, hashes: float, flask: float) -> Row:
    """Return the row of `make bench`; `hashes` is the rate of the cores, `flask` that of the Flask site."""
    waits = sorted(second for seconds in measured.busy.values() for second in seconds)
    late = waits[len(waits) * 99 // 100]
    rate = Spread((measured.per_second,))
    return Row(
        f"{len(measured.took)} sign-ins at once",
        "sign-ins/s",
        rate,
        {"the cores alone": Spread((hashes,)), "Flask": Spread((flask,))},
        goals=[
            Goal("share of the full hashing rate", measured.per_second / hashes, at_least=MIN_HASHING_SHARE),
            Goal("p99 of other people's pages, in seconds", late, at_most=0.1),
            Goal("503 responses", len(_sent_away), at_most=0),
        ],
        note=f"the sign-ins: {spread(measured.took)}",
        compared_by="the cores alone",
    )


@asynccontextmanager
async def _watching(port: int) -> AsyncIterator[dict[str, list[float]]]:
    """Let others request pages during the block, and yield the seconds that they waited."""
    waits: dict[str, list[float]] = {path: [] for path in OTHERS}

    async def look(path: str) -> None:
        while True:
            waits[path].append(await _timed(partial(_get, port, path)))
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(path)) for path in OTHERS]
        yield waits
        for task in tasks:
            task.cancel()


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.monotonic()
    await work()
    return time.monotonic() - began


async def _get(port: int, path: str) -> None:
    await _ask(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200)


async def _sign_in(port: int, email: str) -> None:
    body = urlencode({"email": email, "password": PASSWORD})
    head = (
        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    while retry_after := await _ask(port, head + body, 303, 503):
        _sent_away.append(email)
        await asyncio.sleep(retry_after)


async def _ask(port: int, request: str, *wanted: int) -> int:
    """Send a request, and return the seconds after which to retry it, or 0 if it was answered."""
    status, headers, body = await exchange(port, request.encode())
    if status not in wanted:
        sys.exit(f"{status} instead of {wanted[0]}: {body[:500]!r}")
    return int(headers.get("retry-after", 0))


def _print(when: str, waits: dict[str, list[float]]) -> None:
    print(f"{when}:")
    for path, seconds in waits.items():
        print(f"  {path}: {len(seconds)} times, {spread(seconds)}")


if __name__ == "__main__":
    asyncio.run(main())
