"""`make bench`: compare this site with a bare Quart response and with the Flask site, and check every goal.

Everything runs on this machine and shares its cores, so an otherwise idle machine gives the best figures.
QUICK=1 takes about four minutes and only shows that it works. SOAK sets for how many seconds memory is observed.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from tests.bench import crowds, invented, machine, memory, open_pages, pages, report, schools, signin, sites, wrk
from tests.bench.figures import Row, worse_than_before
from tests.support.crowd import Student
from tests.support.processes import PROJECT, with_database

STUDENTS = 40
"""Students who request the pages in turn."""


_faults: list[str] = []


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part is measured, in seconds; `posts` and `people` are counts."""

    rounds: int
    seconds: float
    warm_up: float
    crowds: int
    posts: int
    people: int
    open_pages: float
    memory: float
    folder: Path


WHOLE = Plan(5, 4, 2, 3, 3000, 150, 60, 300, PROJECT / "docs" / "bench")
QUICK = Plan(2, 1, 1, 1, 600, 40, 8, 6, PROJECT / ".bench")


def main() -> None:
    plan = QUICK if os.environ.get("QUICK") else WHOLE
    wrk.find()
    machine.lift_limits()
    facts = machine.description() | {"rounds": plan.rounds, "seconds": plan.seconds}
    print(f"{machine.in_a_line(facts)}; load before: {facts['load_before']}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with local_mongod(folder / "mongodb") as uri:
            for part in (_pages, _enroll, _stampede, _open_pages, _signin, _memory):
                began = time.monotonic()
                found = part(plan, folder, uri)
                rows += found
                print(f"{report.plain(found)}\n  [{time.monotonic() - began:.0f} s]", flush=True)
    worse = worse_than_before(rows, report.before(plan.folder, facts))
    report.write(plan.folder, facts, rows, [*worse, *_faults])
    print("\n".join(["", *report.missed(rows), *worse, *_faults]))
    print(f"Written to {plan.folder.relative_to(PROJECT)}/latest.md")
    sys.exit(_broken(rows))


def _broken(rows: list[Row]) -> bool:
    """Tell whether a response was wrong or missing or an error was logged; inconsistent seats end the run earlier."""
    grave = (crowds.WHOLE, pages.WRONG)
    return bool(_faults) or any(goal.what in grave and not goal.met for row in rows for goal in row.goals)


def _pages(plan: Plan, folder: Path, uri: str) -> list[Row]:
    school: dict[int, sites.Site] = {}
    students: dict[int, list[Student]] = {}
    with ExitStack() as stack:
        for courses in (50, 500, 5000):
            students[courses] = _found(with_database(uri, f"pages_{courses}"), courses)
            at = with_database(uri, f"pages_{courses}")
            school[courses] = stack.enter_context(sites.quart_enroll(folder, at, f"pages-{courses}"))
        schools.copy_for_flask(uri, "pages_500", "flask")
        bare = stack.enter_context(sites.bare_quart(folder))
        flask = stack.enter_context(sites.flask(folder, with_database(uri, "flask")))
        for site in (*school.values(), bare, flask):
            site.wait()
        found = list(pages.contests(pages.Sites(school, students, bare, flask, folder)))
        rows = pages.measure(found, plan.rounds, plan.seconds, plan.warm_up)
        for site in school.values():
            _note_faults(site)
        return rows


def _enroll(plan: Plan, folder: Path, uri: str) -> list[Row]:
    at = with_database(uri, "enroll")
    number = plan.posts * plan.crowds
    students = asyncio.run(crowds.prepare(at, 1000, sections=crowds.SECTIONS, seats=number))
    with _serving(folder, at, "enroll") as site:
        done = asyncio.run(crowds.enroll_everywhere(at, site, students, plan.posts, plan.crowds))
    crowds.check_seats(at)
    return [crowds.enroll_row([crowd for crowd, _ in done], [rate for _, rate in done])]


def _stampede(plan: Plan, folder: Path, uri: str) -> list[Row]:
    done = []
    for number in range(plan.crowds):
        at = with_database(uri, f"stampede_{number}")
        students = asyncio.run(crowds.prepare(at, crowds.STAMPEDE, sections=1, seats=crowds.SEATS))
        with _serving(folder, at, f"stampede-{number}") as site:
            done.append(asyncio.run(crowds.stampede(at, site, students)))
        crowds.check_seats(at)
    return [crowds.stampede_row(done)]


def _open_pages(plan: Plan, folder: Path, uri: str) -> list[Row]:
    at = with_database(uri, "open_pages")

    async def measure(site: sites.Site, students: list[Student]) -> Row:
        async with open_database(at, 20) as db:
            return await open_pages.measure(db, site, students, plan.open_pages)

    students = _found(at, 500)
    with _serving(folder, at, "open-pages") as site:
        return [asyncio.run(measure(site, students))]


def _signin(plan: Plan, folder: Path, uri: str) -> list[Row]:
    at = with_database(uri, "signin")
    people = asyncio.run(signin.prepare(at, plan.people))
    hashes = signin.hashes_per_second(2)
    with sites.flask(folder, with_database(uri, "flask")) as flask:
        port, known = flask.wait().port, schools.FIRST
        emails = [f"student{known + number % STUDENTS}@school.example" for number in range(plan.people)]
        began = time.monotonic()
        asyncio.run(signin.sign_in_all(port, emails))
        rate = len(emails) / (time.monotonic() - began)
    with _serving(folder, at, "signin") as site:
        return [signin.row(asyncio.run(signin.measure(site.port, people)), hashes, rate)]


def _memory(plan: Plan, folder: Path, uri: str) -> list[Row]:
    at = with_database(uri, "memory")
    students = _found(at, 5000)
    with _serving(folder, at, "memory", processes=1) as site:
        level = memory.measure(at, site, students, float(os.environ.get("SOAK") or plan.memory), folder)
        return [level, invented.measure(site, students, min(plan.memory, 40))]


def _found(at: str, courses: int) -> list[Student]:
    async def found() -> list[Student]:
        async with open_database(at, 20) as db:
            return await schools.create_school(db, courses, STUDENTS)

    return asyncio.run(found())


@contextmanager
def _serving(folder: Path, at: str, name: str, processes: int = sites.PROCESSES) -> Iterator[sites.Site]:
    """Serve the site with that database; afterwards, record the errors in its log."""
    with sites.quart_enroll(folder, at, name, processes=processes) as site:
        yield site.wait()
    _note_faults(site)


def _note_faults(site: sites.Site) -> None:
    if error_lines := site.error_lines():
        _faults.append(f"The site {site.name} logged {len(error_lines)} errors, the first: {error_lines[0]}")


if __name__ == "__main__":
    main()
