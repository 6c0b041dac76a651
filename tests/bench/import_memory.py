"""How long imports take, and whether a process needs more memory for a long file than for a short one."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha512
from tempfile import TemporaryFile

from quart_enroll.db.client import Database, open_database
from quart_enroll.db.collections.users import to_row
from quart_enroll.domain.stored_import import ImportState
from quart_enroll.services.staff import imports
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.bench.servers import MEBIBYTE
from tests.support.people import RITA
from tests.support.school import build

FEW_ROWS = 1000
MAX_MORE_MIB = 15.0
MAX_USERS_SECONDS, USERS = 60.0, 50_000
MAX_SECTIONS_SECONDS, SECTIONS = 15.0, 5000
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """An import: its seconds, with the check, and by how many MiB the peak is above the memory before it."""

    seconds: float
    mebibytes: float


def measure(run: BenchRun) -> list[Row]:
    """Import a short and a long file of users with password hashes, and one of sections, each in a new process."""
    rows = run.plan.imported_rows
    few, many = [_measure(run, "user", _users(number), number) for number in (FEW_ROWS, rows)]
    sections = _measure(run, "section", _sections(), SECTIONS)
    return [
        Row(
            f"memory for an import of {rows:,} users",
            "MiB",
            Spread((many.mebibytes,)),
            goals=[Goal(f"MiB more than for {FEW_ROWS:,}", many.mebibytes - few.mebibytes, at_most=MAX_MORE_MIB)],
            note="the peak above the memory before it",
        ),
        Row(
            f"check and import of {rows:,} users",
            "s",
            Spread((many.seconds,)),
            goals=[Goal(f"s for {USERS:,}", many.seconds * USERS / rows, at_most=MAX_USERS_SECONDS)],
        ),
        Row(
            f"check and import of {SECTIONS:,} sections",
            "s",
            Spread((sections.seconds,)),
            goals=[Goal(f"s for {SECTIONS:,}", sections.seconds, at_most=MAX_SECTIONS_SECONDS)],
        ),
    ]


def _measure(run: BenchRun, kind: str, lines: Iterator[bytes], rows: int) -> Measured:
    uri = run.database(f"import_{kind}_{rows}")
    with run.serve(uri, f"import-{kind}-{rows}", processes=1) as site:
        site.wait_until_idle()
        before = site.memory()[0]
        seconds = asyncio.run(_import(uri, kind, lines))
        return Measured(seconds, (site.peak_memory() - before) / MEBIBYTE)


async def _import(uri: str, kind: str, lines: Iterator[bytes]) -> float:
    """Upload the file, let the site check it, and then import it; return the seconds of both."""
    async with open_database(uri, 20) as db:
        await build(db)
        await db.user.insert_one(to_row(RITA) | {"password": "!"})
        with TemporaryFile() as file:
            file.writelines(lines)
            now, started = datetime.now(UTC), time.monotonic()
            import_id = await imports.upload(db, RITA.user_id, kind, f"{kind}.csv", file, now, columns={})
        await _wait(db, import_id, ImportState.CHECKED)
        assert await imports.begin(db, import_id, RITA.user_id, 1, now)
        await _wait(db, import_id, ImportState.DONE)
        return time.monotonic() - started


def _sections() -> Iterator[bytes]:
    yield b"term,courseID,section,capacity,waitlist_capacity,meetings,room\n"
    for number in range(SECTIONS):
        hour = 8 + number % 10
        yield f"Fall 2026,1111,{1000 + number},30,10,MWF {hour:02}:00-{hour:02}:50,Hall {number}\n".encode()


def _users(rows: int) -> Iterator[bytes]:
    yield b"email,first_name,last_name,password\n"
    for number in range(rows):
        digest = sha512(str(number).encode()).hexdigest()
        yield f"person{number}@school.example,Pat,Person{number},scrypt:32768:8:1${number:016}${digest}\n".encode()


async def _wait(db: Database, import_id: str, state: ImportState) -> None:
    """Wait until the site has brought the import to this state."""
    while True:
        found = await imports.find(db, import_id)
        assert found is not None
        assert found.state not in (ImportState.REFUSED, ImportState.FAILED), found.failures
        if found.state is state:
            return
        await asyncio.sleep(POLL_SECONDS)
