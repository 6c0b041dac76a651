"""The catalog page for a crowd: two thousand different students in turn, while seats move on that very page."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from quart_enroll.db.client import open_database
from tests.bench import browser, crowd_school, wrk
from tests.bench.bench_run import BARE, BenchRun, MeasuredPages
from tests.bench.crowd_school import Situation
from tests.bench.figures import WRONG_RESPONSES, Goal, Row, Spread
from tests.bench.moving_seats import MAX_STALENESS_SECONDS, MOVES_PER_SECOND, Report, moving_seats
from tests.bench.servers import MAX_MIB, MEBIBYTE, Site
from tests.bench.wrk import Request

IDENTITY = "uncompressed"
MIN_RATIO = 0.8
STALE_PAGES = f"pages not right to within {MAX_STALENESS_SECONDS:g} s"
MAX_PAGE_BYTES = 9000
MAX_COMPRESSION_COST = 1.1
"""The CPU time of a compressed page, as a multiple of that of an uncompressed one."""


def measure(run: BenchRun) -> list[Row]:
    """Measure the catalog page for the crowd, compressed and not, and bare Quart, in turn."""
    uri, plan = run.database("crowd"), run.plan
    situations = create_school(uri, plan.students)
    with run.serve(uri, "crowd") as site:
        requests = browser_requests(site, "/courses/", situations)
        plain = {user_id: {**headers, "Accept-Encoding": "identity"} for user_id, headers in requests.items()}
        compared = {
            "site": MeasuredPages(site, _script(run.folder, "crowd", requests)),
            BARE: run.bare_pages(),
            IDENTITY: MeasuredPages(site, _script(run.folder, "crowd-identity", plain)),
        }
        with moving_seats(run.folder, uri, site.port, situations, requests) as moving:
            for one in compared.values():
                one.warm_up(plan.warm_up)
            for _ in range(plan.rounds):
                for one in compared.values():
                    one.run(plan.seconds)
            mebibytes = site.memory()[0] / MEBIBYTE
    page_row = _page_row(plan.students, compared, moving.report, mebibytes)
    return [page_row, _wire_row(compared["site"], compared[IDENTITY])]


def create_school(uri: str, students: int) -> list[Situation]:
    """Create the crowd's school in an empty database."""

    async def create() -> list[Situation]:
        async with open_database(uri, 20) as db:
            return await crowd_school.create_school(db, students)

    return asyncio.run(create())


def browser_requests(site: Site, path: str, situations: Sequence[Situation]) -> dict[int, dict[str, str]]:
    """Let each student open the page once; return the headers that their browsers send from then on."""
    requests = {}
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
        for one in situations:
            headers = browser.headers_of(one.student.user_id, one.student.cookie)
            page = browser.fetch_over(connection, path, headers)
            if page.status != 200 or 'action="/logout"' not in page.text:
                raise SystemExit(f"{path} was answered with {page.status}: {page.text[:500]}")
            requests[one.student.user_id] = browser.with_cookies(headers, page.cookies)
    return requests


def _script(folder: Path, name: str, requests: Mapping[int, dict[str, str]]) -> Path:
    return wrk.write_script(folder, name, [Request("/courses/", headers) for headers in requests.values()])


def _page_row(students: int, compared: Mapping[str, MeasuredPages], report: Report, mebibytes: float) -> Row:
    site, bare = compared["site"], compared[BARE]
    rate, bare_rate = Spread(tuple(site.rates)), Spread(tuple(bare.rates))
    cpu_ratio = Spread(tuple(site.cpu_ms)).to(Spread(tuple(bare.cpu_ms)))
    moves, writer_share = report.moves / report.seconds, report.cpu_seconds / report.seconds
    return Row(
        f"catalog page, {students:,} different students, {MOVES_PER_SECOND} seats a second moving on it",
        "pages/s",
        rate,
        {BARE: bare_rate},
        goals=[
            Goal(f"ratio to {BARE}", rate.to(bare_rate).median, at_least=MIN_RATIO),
            Goal("MiB of memory of a process", mebibytes, at_most=MAX_MIB),
            Goal(WRONG_RESPONSES, site.wrong, at_most=0),
            Goal(STALE_PAGES, report.wrong, at_most=0),
            Goal("pages checked", report.checked, at_least=1),
            Goal("seats moved a second", moves, at_least=0.9 * MOVES_PER_SECOND),
        ],
        note="; ".join(
            [
                f"{cpu_ratio.median:.2f} × the CPU of a bare response",
                f"moving and checking take {100 * writer_share:.0f}% of a core, also while bare Quart is measured",
                *report.problems[:1],
            ]
        ),
        compared_by=BARE,
    )


def _wire_row(compressed: MeasuredPages, plain: MeasuredPages) -> Row:
    size, plain_size = Spread(tuple(compressed.sizes)), Spread(tuple(plain.sizes))
    cost = Spread(tuple(compressed.cpu_ms)).to(Spread(tuple(plain.cpu_ms)))
    return Row(
        "the same pages on the wire",
        "bytes",
        size,
        {IDENTITY: plain_size},
        goals=[
            Goal("bytes with headers", size.median, at_most=MAX_PAGE_BYTES),
            Goal("CPU time compared with uncompressed pages", cost.median, at_most=MAX_COMPRESSION_COST),
        ],
    )
