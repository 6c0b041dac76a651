"""How long other visitors wait while many students sign in at once: `make bench-signin` prints it and keeps nothing.

Two server processes and MongoDB run on this machine, with passwords hashed as in production. Everything shares the
cores, this program included, so an otherwise idle machine gives the best figures.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from pymongo import MongoClient
from werkzeug.security import check_password_hash, generate_password_hash

from config import Config
from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from quart_enroll.db.collections.users import to_row
from quart_enroll.domain.models import User
from tests.bench import machine, servers
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.support import school
from tests.support.people import PASSWORD, TERMS
from tests.support.processes import server
from tests.support.student_crowd import exchange, spread

STUDENTS = 150
PROCESSES = 2
OTHER_PATHS = ("/healthz", "/courses/")
PAUSE_SECONDS = 0.05
"""The pause of another visitor between two requests."""

MIN_HASHING_SHARE = 0.85
"""The share of the cores' full hashing rate to reach; the other visitors' pages and this program need the rest."""

QUIET_SECONDS = 3.0
"""How long the other visitors are measured alone, for comparison."""

PASSWORD_METHOD = Config.__dataclass_fields__["password_method"].default

_busy_responses: list[str] = []


@dataclass(frozen=True, slots=True)
class SignInTimes:
    """Response times in seconds.

    `quiet` and `busy` are those of other visitors, by path, before and during the sign-ins; `sign_in_seconds` are
    those of the sign-ins, which took `seconds` together.
    """

    quiet: dict[str, list[float]]
    busy: dict[str, list[float]]
    sign_in_seconds: list[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.sign_in_seconds) / self.seconds


async def main() -> None:
    print(f"{STUDENTS} sign-ins at once, {PROCESSES} processes, {PASSWORD_METHOD}")
    print(f"{machine.summary(machine.describe())}; load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, local_mongod(Path(folder) / "mongodb") as uri:
        emails = await create_students(uri, STUDENTS)
        with server(Path(folder) / "log", MONGO_URI=uri, WEB_CONCURRENCY=PROCESSES) as site:
            measured = await measure(site.port, emails)
    _print_waits("nobody signs in", measured.quiet)
    _print_waits(f"{len(emails)} sign in", measured.busy)
    rate = f"{measured.per_second:.1f} per second"
    print(f"  the sign-ins: {spread(measured.sign_in_seconds)}; {rate}; {len(_busy_responses)} 503 responses")


async def create_students(uri: str, count: int) -> list[str]:
    """Create the small school with that many further students, and return their emails."""
    async with open_database(uri, 20) as db:
        await school.build(db)
        await school.fill(db, TERMS)
        emails = [f"student{number}@school.example" for number in range(count)]
        hashed = generate_password_hash(PASSWORD, PASSWORD_METHOD)
        users = [User(1000 + number, email, "Stu", "Dent") for number, email in enumerate(emails)]
        await db.user.insert_many([to_row(user) | {"password": hashed} for user in users])
    return emails


async def measure(port: int, emails: list[str]) -> SignInTimes:
    """Measure the pages of other visitors, first alone, then while all these students sign in at once."""
    async with _other_visitors(port) as quiet:
        await asyncio.sleep(QUIET_SECONDS)
    started = time.monotonic()
    async with _other_visitors(port) as busy:
        sign_in_seconds = await sign_in_all(port, emails)
    return SignInTimes(quiet, busy, sign_in_seconds, time.monotonic() - started)


async def sign_in_all(port: int, emails: list[str]) -> list[float]:
    """Sign in all students at once; return the seconds that each took."""
    return await asyncio.gather(*(_timed(partial(_sign_in, port, email)) for email in emails))


def measure_rows(run: BenchRun) -> list[Row]:
    """Let everyone sign in at once to the site, and to the Flask site for comparison."""
    uri, people = run.database("signin"), run.plan.people
    emails = asyncio.run(create_students(uri, people))
    hashes = hashes_per_second(min(2, run.plan.seconds))
    flask_rate = _flask_rate(run, people)
    with run.serve(uri, "signin") as site:
        return [row(asyncio.run(measure(site.port, emails)), hashes, flask_rate)]


def _flask_rate(run: BenchRun, people: int) -> float:
    """Return the Flask site's sign-ins per second."""
    emails = [f"student{number}@school.example" for number in range(people)]
    with MongoClient[dict[str, object]](run.uri) as client:
        hashed = generate_password_hash(PASSWORD)
        users = [
            {"user_id": number, "first_name": "Stu", "last_name": "Dent", "email": email, "password": hashed}
            for number, email in enumerate(emails)
        ]
        client["flask_signin"].user.insert_many(users)
    with servers.serve_flask(run.folder, run.database("flask_signin")) as flask:
        port, started = flask.wait().port, time.monotonic()
        asyncio.run(sign_in_all(port, emails))
        return people / (time.monotonic() - started)


def hashes_per_second(seconds: float) -> float:
    """Return how many passwords the cores check in a second when they do nothing else."""
    hashed = generate_password_hash(PASSWORD, PASSWORD_METHOD)
    cores = os.cpu_count() or 1
    started = time.monotonic()

    def check_repeatedly(_: int) -> int:
        number = 0
        while time.monotonic() < started + seconds:
            check_password_hash(hashed, PASSWORD)
            number += 1
        return number

    with ThreadPoolExecutor(cores) as threads:
        checked = sum(threads.map(check_repeatedly, range(cores)))
    return checked / (time.monotonic() - started)


def row(measured: SignInTimes, hashes: float, flask: float) -> Row:
    """Return the row for `make bench`; `hashes` is the full hashing rate, and `flask` the Flask site's sign-in rate."""
    waits = sorted(second for seconds in measured.busy.values() for second in seconds)
    p99_seconds = waits[len(waits) * 99 // 100]
    rate = Spread((measured.per_second,))
    return Row(
        f"{len(measured.sign_in_seconds)} sign-ins at once",
        "sign-ins/s",
        rate,
        {"the cores alone": Spread((hashes,)), "Flask": Spread((flask,))},
        goals=[
            Goal("share of the full hashing rate", measured.per_second / hashes, at_least=MIN_HASHING_SHARE),
            Goal("p99 of other people's pages, in seconds", p99_seconds, at_most=0.1),
            Goal("503 responses", len(_busy_responses), at_most=0),
        ],
        note=f"the sign-ins: {spread(measured.sign_in_seconds)}",
        compared_by="the cores alone",
    )


@asynccontextmanager
async def _other_visitors(port: int) -> AsyncIterator[dict[str, list[float]]]:
    """Request pages as other visitors during the block, and yield the seconds that they waited, by path."""
    waits: dict[str, list[float]] = {path: [] for path in OTHER_PATHS}

    async def request_repeatedly(path: str) -> None:
        while True:
            waits[path].append(await _timed(partial(_get, port, path)))
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(request_repeatedly(path)) for path in OTHER_PATHS]
        yield waits
        for task in tasks:
            task.cancel()


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    started = time.monotonic()
    await work()
    return time.monotonic() - started


async def _get(port: int, path: str) -> None:
    await _request(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200)


async def _sign_in(port: int, email: str) -> None:
    body = urlencode({"email": email, "password": PASSWORD})
    head = (
        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    while retry_after := await _request(port, head + body, 303, 503):
        _busy_responses.append(email)
        await asyncio.sleep(retry_after)


async def _request(port: int, request: str, *expected: int) -> int:
    """Send a request; return the seconds after which to send it again, or 0 if it was answered."""
    status, headers, body = await exchange(port, request.encode())
    if status not in expected:
        sys.exit(f"{status} instead of {expected[0]}: {body[:500]!r}")
    return int(headers.get("retry-after", 0))


def _print_waits(when: str, waits: dict[str, list[float]]) -> None:
    print(f"{when}:")
    for path, seconds in waits.items():
        print(f"  {path}: {len(seconds)} times, {spread(seconds)}")


if __name__ == "__main__":
    asyncio.run(main())
