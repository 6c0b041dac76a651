"""Whether a process needs more memory for a long file than for a short one, while it checks and imports users."""

import asyncio
from collections.abc import Iterator
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
POLL_SECONDS = 0.1


def measure(run: BenchRun) -> list[Row]:
    """Import a short file and a long one with password hashes, each in a new process."""
    few, many = [_growth(run, rows) for rows in (FEW_ROWS, run.plan.imported_rows)]
    return [
        Row(
            f"memory for an import of {run.plan.imported_rows:,} users",
            "MiB",
            Spread((many,)),
            goals=[Goal(f"MiB more than for {FEW_ROWS:,}", many - few, at_most=MAX_MORE_MIB)],
            note="the peak above the memory before it",
        )
    ]


def _growth(run: BenchRun, rows: int) -> float:
    """Return by how many MiB the peak is above the memory before the import."""
    uri = run.database(f"import_{rows}")
    with run.serve(uri, f"import-{rows}", processes=1) as site:
        site.wait_until_idle()
        before = site.memory()[0]
        asyncio.run(_import(uri, rows))
        return (site.peak_memory() - before) / MEBIBYTE


async def _import(uri: str, rows: int) -> None:
    """Upload the file, let the site check it, and then import it."""
    async with open_database(uri, 20) as db:
        await build(db)
        await db.user.insert_one(to_row(RITA) | {"password": "!"})
        with TemporaryFile() as file:
            file.writelines(_lines(rows))
            now = datetime.now(UTC)
            import_id = await imports.upload(db, RITA.user_id, "user", "people.csv", file, now, columns={})
        await _wait(db, import_id, ImportState.CHECKED)
        assert await imports.begin(db, import_id, RITA.user_id, 1, now)
        await _wait(db, import_id, ImportState.DONE)


def _lines(rows: int) -> Iterator[bytes]:
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
