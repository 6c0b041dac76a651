"""Whether a process needs more memory for the file of a long list than for that of a short one."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection

from quart_enroll.db.client import open_database
from quart_enroll.db.collections.users import to_row
from quart_enroll.domain.models import User
from quart_enroll.services.staff.spreadsheets import FORMATS
from tests.bench import browser
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.bench.school_data import in_production
from tests.bench.servers import MEBIBYTE
from tests.support.people import RITA
from tests.support.school import build
from tests.support.student_crowd import sign_in_device

FEW_ROWS = 1000
FIRST_USER_ID = 1001
ROWS_PER_BATCH = 1000
MAX_MORE_MIB = 15.0
PIECE_BYTES = 64 * 1024


def measure(run: BenchRun) -> list[Row]:
    """Export a short list of people and a long one in each format, each from a new process."""
    few, many = [_growths(run, rows) for rows in (FEW_ROWS, run.plan.imported_rows)]
    return [
        Row(
            f"memory for an export of {run.plan.imported_rows:,} people, {name.upper()}",
            "MiB",
            Spread((many[name],)),
            goals=[Goal(f"MiB more than for {FEW_ROWS:,}", many[name] - few[name], at_most=MAX_MORE_MIB)],
            note="the peak above the memory before it",
        )
        for name in FORMATS
    ]


def _growths(run: BenchRun, rows: int) -> dict[str, float]:
    """Return by how many MiB the peak is above the memory before the export, by format."""
    uri = run.database(f"export_{rows}")
    headers = asyncio.run(_create_people(uri, rows))
    found = {}
    for name in FORMATS:
        with run.serve(uri, f"export-{rows}-{name}", processes=1) as site:
            site.wait_until_idle()
            before = site.memory()[0]
            _download(site.port, f"/staff/people?format={name}", headers)
            found[name] = (site.peak_memory() - before) / MEBIBYTE
    return found


def _download(port: int, path: str, headers: Mapping[str, str]) -> None:
    """Read the file to its end, piece by piece."""
    with closing(HTTPConnection("127.0.0.1", port)) as client:
        client.request("GET", path, headers=dict(headers))
        response = client.getresponse()
        assert response.status == 200, response.read(500)
        while response.read(PIECE_BYTES):
            pass


async def _create_people(uri: str, rows: int) -> Mapping[str, str]:
    """Create a school with that many students, and return the headers of the registrar's browser."""
    async with open_database(uri, 20) as db:
        await build(db)
        await db.user.insert_one(to_row(RITA) | {"password": "!"})
        for first in range(0, rows, ROWS_PER_BATCH):
            numbers = range(FIRST_USER_ID + first, FIRST_USER_ID + min(first + ROWS_PER_BATCH, rows))
            people = [User(number, f"person{number}@school.example", "Pat", f"Person{number}") for number in numbers]
            await db.user.insert_many([to_row(one) | {"password": "!"} for one in people])
        [signed_in] = in_production(await sign_in_device(db, [RITA.user_id], 1))
        return browser.headers_of(0, signed_in.cookie)
