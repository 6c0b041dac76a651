"""`python -m tests.bench.write_costs`: what one added course costs, in CPU time of the site and of MongoDB.

Every scenario runs on two server processes and a new database; in the end the seats must add up. CPU time depends
little on what else the machine does, so this compares two versions of the write path without an idle machine. The rates
do depend on it; they are printed beside the rate of a bare Quart response.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pymongo import MongoClient

from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from quart_enroll.system.usage import descendants
from tests.bench import enrollment_load, machine, servers, wrk
from tests.bench.school_data import FALL
from tests.support.processes import with_database
from tests.support.student_crowd import Crowd, Student

SECTIONS = 200
COURSES_PER_PLAN = 5
SINGLE_POSTS = 3000


@dataclass(frozen=True, slots=True)
class Scenario:
    """Students who all send one request, `at_once` of them at a time; `adds` is the number of seats they get."""

    name: str
    students: int
    sections: int
    seats: int
    at_once: int
    adds: int
    send: Callable[[Crowd, Student, int], Awaitable[object]]
    planned: int = 0


async def _press(crowd: Crowd, student: Student, _: int) -> None:
    await crowd.post(student, "/plan/enroll", term=FALL)


async def _enroll(crowd: Crowd, student: Student, number: int) -> None:
    await crowd.post(student, "/enrollment", courseID=f"C{number}", term=FALL, section="01")


SCENARIOS = [
    Scenario(
        f"1,000 students press “Enroll in all”, {COURSES_PER_PLAN} courses each",
        *(1000, SECTIONS, 1000, 1000, 1000 * COURSES_PER_PLAN, _press, COURSES_PER_PLAN),
    ),
    Scenario(
        "single enroll posts, 128 at once",
        *(SINGLE_POSTS, SECTIONS, SINGLE_POSTS, 128, SINGLE_POSTS),
        lambda crowd, student, number: _enroll(crowd, student, number % SECTIONS),
    ),
    Scenario("1,000 students for 30 seats", 1000, 1, 30, 1000, 30, lambda crowd, one, _: _enroll(crowd, one, 0)),
    Scenario(
        "3,000 students for 30 seats in each of seven sections",
        *(3000, 7, 30, 3000, 210),
        lambda crowd, student, number: _enroll(crowd, student, number % 7),
    ),
]


def main() -> None:
    machine.raise_open_file_limit()
    chosen = [SCENARIOS[int(number)] for number in sys.argv[1:]] or SCENARIOS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with local_mongod(folder / "mongodb") as uri:
            for number, scenario in enumerate(chosen):
                measure(scenario, folder, with_database(uri, f"writes_{number}"))
        print(f"bare Quart: {_bare_rate(folder):,.0f} responses/s")


def measure(scenario: Scenario, folder: Path, uri: str) -> None:
    """Play the scenario and print its costs."""
    students = asyncio.run(_create_school(scenario, uri))
    with servers.serve_quart_enroll(folder, uri, "writes") as site:
        site.wait()
        asyncio.run(_warm_up(site))
        before = _costs(site, uri)
        began = time.monotonic()
        crowd = asyncio.run(_play(scenario, site, students))
        seconds = time.monotonic() - began
        site_seconds, mongod_seconds, aborted = (
            after - start for after, start in zip(_costs(site, uri), before, strict=True)
        )
        errors = site.error_lines()
    with MongoClient[dict[str, object]](uri) as client:
        taken = client.get_default_database().enrollment.count_documents({})
    if taken != scenario.adds:
        raise enrollment_load.InconsistentSeats(f"{taken} seats were taken instead of {scenario.adds}.")
    enrollment_load.check_seats(uri)
    print(
        f"{scenario.name}: {seconds:.2f} s, {scenario.students / seconds:,.0f} requests/s, "
        f"{scenario.adds / seconds:,.0f} adds/s\n"
        f"  CPU per request: site {1000 * site_seconds / scenario.students:.2f} ms, "
        f"MongoDB {1000 * mongod_seconds / scenario.students:.2f} ms; per add: "
        f"{1000 * site_seconds / scenario.adds:.2f} + {1000 * mongod_seconds / scenario.adds:.2f} ms\n"
        f"  {aborted} aborted transactions; {crowd.report().partition('; until')[0]}"
        + (f"\n  {len(errors)} errors, the first: {errors[0]}" if errors else ""),
        flush=True,
    )


async def _create_school(scenario: Scenario, uri: str) -> list[Student]:
    students = await enrollment_load.create_school(
        uri, scenario.students, sections=scenario.sections, seats=scenario.seats
    )
    rows = []
    for student in students:
        rng = random.Random(student.user_id)  # noqa: S311  # the same plans in each run
        planned = enumerate(rng.sample(range(scenario.sections), scenario.planned), 1)
        row = {"user_id": student.user_id, "term": FALL, "section": "01", "added_at": datetime.now(UTC)}
        rows += [row | {"courseID": f"C{number}", "place": place} for place, number in planned]
    if rows:
        async with open_database(uri, 20) as db:
            await db.plan.insert_many(rows)
    return students


async def _warm_up(site: servers.Site) -> None:
    """Let each process open its database connections."""
    for _ in range(64):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"GET /courses/Fall HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()


async def _play(scenario: Scenario, site: servers.Site, students: Sequence[Student]) -> Crowd:
    crowd = Crowd([site.port], connections=asyncio.Semaphore(scenario.at_once))
    await asyncio.gather(*(scenario.send(crowd, student, number) for number, student in enumerate(students)))
    return crowd


def _costs(site: servers.Site, uri: str) -> tuple[float, float, int]:
    """Return the CPU seconds of the site and of mongod so far, and the number of aborted transactions."""
    [mongod] = [pid for pid in descendants(os.getpid()) if Path(f"/proc/{pid}/comm").read_text() == "mongod\n"]
    with MongoClient[dict[str, object]](uri) as client:
        aborted = int(client.admin.command("serverStatus")["transactions"]["totalAborted"])
    return site.cpu_seconds(), servers.cpu_seconds(mongod), aborted


def _bare_rate(folder: Path) -> float:
    with servers.serve_bare_quart(folder) as bare:
        script = wrk.write_script(folder, "bare", [wrk.Request("/", {})])
        return wrk.run(bare.wait().port, script, 3).per_second


if __name__ == "__main__":
    main()
