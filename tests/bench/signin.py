"""How long others wait while a crowd signs in: `make bench-signin` prints it, and changes nothing that stays.

Two server processes and a MongoDB on this machine's loopback, passwords hashed as in production. Everything shares the
cores, the crowd's own program included, so a machine that does nothing else tells most.
"""

import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

from werkzeug.security import generate_password_hash

from config import Config
from quart_enroll.commands.local_mongod import local_mongod
from quart_enroll.models import User
from quart_enroll.mongo import Database, open_database
from tests import school
from tests.crowd import exchange, spread
from tests.local import server
from tests.people import PASSWORD, TERMS

AT_ONCE = 150
PROCESSES = 2
OTHERS = ("/healthz", "/courses/")
PAUSE = 0.02
"""Seconds between two requests of somebody else."""

QUIET = 3.0
"""Seconds in which nobody signs in, for comparison."""

_sent_away: list[str] = []


async def main() -> None:
    method = Config.__dataclass_fields__["password_method"].default
    print(f"{AT_ONCE} sign-ins at once, {PROCESSES} processes, {method}")
    print(f"{_machine()}; load before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, local_mongod(Path(folder) / "mongodb") as uri:
        async with open_database(uri, 20) as db:
            people = await _school(db, method)
        with server(Path(folder) / "log", MONGO_URI=uri, WEB_CONCURRENCY=PROCESSES) as site:
            await _measure(site.port, people)


async def _school(db: Database, method: str) -> list[str]:
    """Make a small school, and students whose addresses are returned."""
    await school.build(db)
    await school.fill(db, TERMS)
    emails = [f"student{number}@school.example" for number in range(AT_ONCE)]
    hashed = generate_password_hash(PASSWORD, method)
    users = [User(1000 + number, email, "Stu", "Dent", "student") for number, email in enumerate(emails)]
    await db.user.insert_many([asdict(user) | {"password": hashed} for user in users])
    return emails


async def _measure(port: int, people: list[str]) -> None:
    async with _watching(port) as waits:
        await asyncio.sleep(QUIET)
    _print("nobody signs in", waits)
    began = time.monotonic()
    async with _watching(port) as waits:
        took = await asyncio.gather(*(_timed(partial(_sign_in, port, email)) for email in people))
    seconds = time.monotonic() - began
    _print(f"{len(people)} sign in", waits)
    print(f"  the sign-ins: {spread(took)}; {len(people) / seconds:.1f} a second; {len(_sent_away)} times 503")


@asynccontextmanager
async def _watching(port: int) -> AsyncIterator[dict[str, list[float]]]:
    """Let others look at pages meanwhile; give the seconds that they waited."""
    waits: dict[str, list[float]] = {path: [] for path in OTHERS}

    async def look(path: str) -> None:
        while True:
            waits[path].append(await _timed(partial(_get, port, path)))
            await asyncio.sleep(PAUSE)

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
    """Ask, and return after how many seconds to ask again: 0 when that is the answer."""
    status, headers, body = await exchange(port, request.encode())
    if status not in wanted:
        sys.exit(f"{status} instead of {wanted[0]}: {body[:500]!r}")
    return int(headers.get("retry-after", 0))


def _print(when: str, waits: dict[str, list[float]]) -> None:
    print(f"{when}:")
    for path, seconds in waits.items():
        print(f"  {path}: {len(seconds)} times, {spread(seconds)}")


def _machine() -> str:
    model = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    versions = ", ".join(f"{name} {version(name)}" for name in ("quart", "hypercorn", "werkzeug", "motor"))
    return f"{os.cpu_count()} × {model.partition(':')[2].strip()}, Python {platform.python_version()}, {versions}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    asyncio.run(main())
