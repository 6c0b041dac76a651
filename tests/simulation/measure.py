"""Measures the costs of the simulation on this machine, and the small cases that check it (about a minute).

Costs are CPU times, from runs that differ in one thing only, so other programs on the machine hardly change them. The
cases are response times, which mean something only on an idle machine.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.security import check_password_hash, generate_password_hash

from config import Config
from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import Database, open_database
from tests.bench import machine
from tests.bench.school_data import FALL, in_production
from tests.bench.servers import Site, cpu_seconds, serve_quart_enroll
from tests.failure.school import open_school
from tests.simulation import costs
from tests.simulation.costs import Costs
from tests.simulation.model import CASES, Crowd, Outcome
from tests.support.processes import with_database
from tests.support.student_crowd import Crowd as Clients
from tests.support.student_crowd import Student, exchange, sign_in

FIRST_STUDENT_ID = 10_001
SECTIONS, SEATS = 200, 100_000
PLANNED_COURSES = 5
REQUESTS, AT_ONCE, ALONE = 480, 48, 120
"""Requests of most runs, of which so many at once wait for their responses, and of a run of one after the other."""

WARM_UP_PAGES = 128
"""Pages that are opened before a case, so that each process has opened its database connections."""

CHANGED_ROWS = 6000
SETTLE_SECONDS = 1.5
"""The time after which the site has heard of every change."""

Request = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Work:
    """What a run took, and what happened: CPU seconds, and numbers."""

    wall: float
    site: float
    database: float
    client: float
    transactions: float
    requests: int


def main() -> None:
    """Measure, and write costs.json."""
    machine.raise_open_file_limit()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # the folder in it has a random name
    # In memory, because the time of a disk depends on all programs; the simulation adds that of a replica set.
    with tempfile.TemporaryDirectory(dir=memory) as temporary, local_mongod(Path(temporary) / "mongodb") as uri:
        folder = Path(temporary)
        measured = asyncio.run(_measure_costs(folder, with_database(uri, "costs")))
        cases = {
            name: asyncio.run(_measure_case(folder, with_database(uri, f"case{number}"), crowd))
            for number, (name, crowd) in enumerate(CASES.items())
        }
    rounded = {name: round(seconds, 7) for name, seconds in asdict(measured).items()}
    facts = {"machine": machine.summary(machine.describe()), "costs": rounded, "cases": cases}
    costs.FILE.write_text(json.dumps(facts, indent=2) + "\n")


async def _measure_costs(folder: Path, uri: str) -> Costs:
    async with _school(uri, SEATS, 4 * REQUESTS + ALONE) as (db, students):
        groups = [students[first : first + REQUESTS] for first in range(0, 4 * REQUESTS, REQUESTS)]
        readers, small_plans, plans, singles = groups
        lonely = students[4 * REQUESTS :]
        await _plan(db, small_plans, 1)
        await _plan(db, [*plans, *lonely], PLANNED_COURSES)
        with serve_quart_enroll(folder, uri, "costs", processes=1) as site:
            run = _Runs(db, site.wait())
            pages = await run.measure([run.get(one, "/enrollment") for one in readers], 1)
            one_course = await run.measure([run.press(one) for one in small_plans], AT_ONCE)
            five_courses = await run.measure([run.press(one) for one in plans], AT_ONCE)
            alone = await run.measure([run.press(one) for one in lonely], 1)
            courses = [f"C{1 + 7 * number % (SECTIONS - 1)}" for number in range(REQUESTS)]
            enrolled = [run.enroll(*each) for each in zip(singles, courses, strict=True)]
            single = await run.measure(enrolled, AT_ONCE)
            await db.section.update_one({"courseID": "C0"}, {"$set": {"capacity": 1}})
            refused = await run.measure([run.enroll(one, "C0") for one in readers], REQUESTS)
            changes = await run.measure([lambda: _change_rows(db)], 1)
    runs = [(one_course, 1), (five_courses, PLANNED_COURSES), (alone, PLANNED_COURSES)]
    press, transaction, seat = _solve(runs, "site")
    database_press, database_transaction, database_seat = _solve(runs, "database")
    return Costs(
        page=pages.site / REQUESTS,
        press=press,
        enroll=(single.site - single.transactions * transaction) / REQUESTS - seat,
        refusal=(refused.site - refused.transactions * transaction) / REQUESTS,
        transaction=transaction,
        seat=seat,
        change=changes.site / CHANGED_ROWS,
        hash=_hash_seconds(),
        database_press=database_press,
        database_transaction=database_transaction,
        database_seat=database_seat,
        client=refused.client / REQUESTS,
        commit_wait_seconds=max(0.0, alone.wall - alone.site - alone.database - alone.client) / ALONE,
    )


def _solve(runs: Sequence[tuple[Work, int]], who: str) -> list[float]:
    """Return what a request, a transaction and a seat cost, from runs with different numbers of each."""
    numbers = [[one.requests, one.transactions, one.requests * seats] for one, seats in runs]
    took = [getattr(one, who) for one, _ in runs]
    determinant = _determinant(numbers)
    replaced = [
        [[took[row] if column == wanted else numbers[row][column] for column in range(3)] for row in range(3)]
        for wanted in range(3)
    ]
    return [_determinant(one) / determinant for one in replaced]


def _determinant(rows: Sequence[Sequence[float]]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


class _Runs:
    """Runs of requests to the site, and what each took."""

    def __init__(self, db: Database, site: Site) -> None:
        self.db = db
        self.site = site
        self._clients = Clients([site.port], connections=asyncio.Semaphore(REQUESTS))

    async def measure(self, requests: Sequence[Request], at_once: int) -> Work:
        """Send the requests, of which at most that many wait for their responses at any time."""
        waiting = iter(requests)

        async def send() -> None:
            for request in waiting:
                await request()

        before = await self._now()
        await asyncio.gather(*(send() for _ in range(at_once)))
        after = await self._now()
        return Work(*(later - earlier for earlier, later in zip(before, after, strict=True)), requests=len(requests))

    async def _now(self) -> list[float]:
        status = await self.db.client.admin.command("serverStatus")
        started = status["transactions"]["totalStarted"]
        return [time.monotonic(), self.site.cpu_seconds(), cpu_seconds(status["pid"]), time.process_time(), started]

    def press(self, student: Student) -> Request:
        return lambda: self._clients.post(student, "/plan/enroll", term=FALL)

    def enroll(self, student: Student, courseID: str) -> Request:
        return lambda: self._clients.post(student, "/enrollment", courseID=courseID, term=FALL, section="01")

    def get(self, student: Student, path: str) -> Request:
        head = {"Host": "localhost", "Connection": "close", "Cookie": student.cookie, "Accept": "text/html"}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        return lambda: exchange(self.site.port, "\r\n".join(lines).encode())


async def _measure_case(folder: Path, uri: str, crowd: Crowd) -> dict[str, float]:
    """Let the crowd of a case press at two processes, as the simulation does."""
    async with _school(uri, crowd.seats, crowd.students, crowd.sections) as (db, students):
        if crowd.courses > 1:
            await _plan(db, students, crowd.courses)
        with serve_quart_enroll(folder, uri, "case") as site:
            run = _Runs(db, site.wait())
            await run.measure([run.get(one, "/enrollment") for one in students[:WARM_UP_PAGES]], AT_ONCE)
            clients = Clients([site.port], connections=asyncio.Semaphore(crowd.students))
            outcome = Outcome()
            began = time.monotonic()

            async def press(number: int, student: Student) -> None:
                await asyncio.sleep(crowd.press_seconds * number / crowd.students)
                for turn in range(crowd.presses):
                    pressed = time.monotonic()
                    if crowd.courses > 1:
                        await clients.post(student, "/plan/enroll", term=FALL)
                    else:
                        course = f"C{(7 * number + turn) % crowd.sections}"
                        await clients.post(student, "/enrollment", courseID=course, term=FALL, section="01")
                    outcome.press_seconds.append(time.monotonic() - pressed)
                outcome.settled_at.append(time.monotonic() - began)

            everyone = [lambda each=each: press(*each) for each in enumerate(students)]
            work = await run.measure(everyone, len(everyone))
    outcome.busy = sum(response.status == 503 for response in clients.responses)
    outcome.cpu_seconds = work.site + work.database + work.client
    return {what: round(figure, 3) for what, figure in outcome.figures().items()} | {
        "transactions": work.transactions,
        "busy": outcome.busy,
    }


@asynccontextmanager
async def _school(
    uri: str, seats: int, students: int, sections: int = SECTIONS
) -> AsyncIterator[tuple[Database, list[Student]]]:
    async with open_database(uri, 20) as db:
        await open_school(db, [f"C{number}" for number in range(sections)], capacity=seats, waitlist_capacity=1000)
        numbers = range(FIRST_STUDENT_ID, FIRST_STUDENT_ID + students)
        yield db, in_production(await sign_in(db, numbers))


async def _plan(db: Database, students: Sequence[Student], courses: int) -> None:
    """Let each student plan neighboring courses."""
    now = datetime.now(UTC)
    sections = await db.section.count_documents({})
    await db.plan.insert_many(
        {
            "user_id": student.user_id,
            "term": FALL,
            "courseID": f"C{(7 * number + place) % sections}",
            "section": "01",
            "place": place + 1,
            "added_at": now,
            "expires_at": now + timedelta(days=100),
        }
        for number, student in enumerate(students)
        for place in range(courses)
    )


async def _change_rows(db: Database) -> None:
    """Change sections, enrollments and plans as batches do, and wait until the site has heard of all changes."""
    for first in range(0, CHANGED_ROWS // 3, 50):
        rows = [
            {"user_id": first + number, "courseID": f"C{number}", "term": FALL, "section": "01", "status": "enrolled"}
            for number in range(50)
        ]
        now = datetime.now(UTC)
        await db.enrollment.insert_many(row | {"enrolled_at": now} for row in rows)
        await db.section.update_many({"courseID": {"$in": [row["courseID"] for row in rows]}}, {"$inc": {"version": 1}})
        await db.alert.insert_many(
            {name: row[name] for name in ("user_id", "courseID", "term", "section")}
            | {"asked_at": now, "expires_at": now + timedelta(days=1)}
            for row in rows
        )
    await asyncio.sleep(SETTLE_SECONDS)


def _hash_seconds() -> float:
    """Return the CPU seconds of checking a password."""
    hashed = generate_password_hash("password", Config.password_method)
    began = time.process_time()
    for _ in range(10):
        check_password_hash(hashed, "password")
    return (time.process_time() - began) / 10


if __name__ == "__main__":
    main()
