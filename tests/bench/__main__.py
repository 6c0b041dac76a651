"""`make bench`: compare this site with a bare Quart response and with the Flask site, and check every goal.

Everything runs on this machine and shares its cores, so an otherwise idle machine gives the best figures.
QUICK=1 takes about four minutes and only shows that it works. ONLY="crowd enroll" runs these parts, without a report.
SOAK sets for how many seconds memory is observed; PAGES and CHANGES set how many pages are open, and how many sections
change in a second meanwhile.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from tests.bench import (
    crowd_pages,
    enrollment_load,
    machine,
    memory,
    open_pages,
    own_pages,
    pages,
    report,
    school_data,
    servers,
    signin,
    unique_requests,
    wrk,
)
from tests.bench.figures import Row, find_regressions
from tests.bench.run_plan import FULL_RUN, QUICK_RUN, RunPlan
from tests.support.processes import PROJECT, with_database
from tests.support.student_crowd import Student

STUDENTS = 40
"""Students who request the pages in turn."""


_logged_errors: list[str] = []


def main() -> None:
    plan = QUICK_RUN if os.environ.get("QUICK") else FULL_RUN
    names = os.environ.get("ONLY", "").replace(",", " ").split()
    if unknown := set(names) - PARTS.keys():
        sys.exit(f"There is no part {' or '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    wrk.find()
    machine.raise_open_file_limit()
    facts = machine.describe() | {"rounds": plan.rounds, "seconds": plan.seconds}
    print(f"{machine.summary(facts)}; load before: {facts['load_before']}")
    rows = _measure([PARTS[name] for name in names or PARTS], plan)
    regressions = []
    if not names:
        regressions = find_regressions(rows, report.previous_figures(plan.folder, facts))
        report.write(plan.folder, facts, rows, [*regressions, *_logged_errors])
    print("\n".join(["", *report.missed(rows), *regressions, *_logged_errors]))
    if not names:
        print(f"Written to {plan.folder.relative_to(PROJECT)}/latest.md")
    sys.exit(_has_failed(rows))


def _measure(parts: Sequence["Part"], plan: RunPlan) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with local_mongod(folder / "mongodb") as uri:
            for measure_part in parts:
                started = time.monotonic()
                found = measure_part(plan, folder, uri)
                rows += found
                print(f"{report.plain(found)}\n  [{time.monotonic() - started:.0f} s]", flush=True)
    return rows


def _has_failed(rows: list[Row]) -> bool:
    """Tell whether a response was wrong or missing or an error was logged; inconsistent seats end the run at once."""
    critical_goals = (enrollment_load.FAILED_RESPONSES, pages.WRONG_RESPONSES, crowd_pages.STALE_PAGES)
    return bool(_logged_errors) or any(
        goal.what in critical_goals and not goal.met for row in rows for goal in row.goals
    )


def _pages(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    sites_by_size: dict[int, servers.Site] = {}
    students: dict[int, list[Student]] = {}
    with ExitStack() as stack:
        for courses in (50, 500, 5000):
            students[courses] = _create_school(with_database(uri, f"pages_{courses}"), courses)
            database_uri = with_database(uri, f"pages_{courses}")
            sites_by_size[courses] = stack.enter_context(
                servers.serve_quart_enroll(folder, database_uri, f"pages-{courses}")
            )
        school_data.copy_for_flask(uri, "pages_500", "flask")
        bare = stack.enter_context(servers.serve_bare_quart(folder))
        flask = stack.enter_context(servers.serve_flask(folder, with_database(uri, "flask")))
        for site in (*sites_by_size.values(), bare, flask):
            site.wait()
        compared = list(pages.comparisons(pages.RunningSites(sites_by_size, students, bare, flask, folder)))
        rows = pages.measure(compared, plan.rounds, plan.seconds, plan.warm_up)
        for site in sites_by_size.values():
            _record_errors(site)
        return rows


def _crowd(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    return crowd_pages.measure(folder, with_database(uri, "crowd"), plan)


def _own_pages(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    return own_pages.measure(folder, with_database(uri, "own_pages"), plan)


def _enroll(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    database_uri = with_database(uri, "enroll")
    number = plan.posts * plan.repeats
    students = asyncio.run(
        enrollment_load.create_school(database_uri, 1000, sections=enrollment_load.SECTIONS, seats=number)
    )
    with _serving(folder, database_uri, "enroll") as site:
        crowds = asyncio.run(enrollment_load.enroll_everywhere(database_uri, site, students, plan.posts, plan.repeats))
    enrollment_load.check_seats(database_uri)
    return [enrollment_load.enroll_row([crowd for crowd, _ in crowds], [rate for _, rate in crowds])]


def _stampede(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    crowds = []
    for number in range(plan.repeats):
        database_uri = with_database(uri, f"stampede_{number}")
        students = asyncio.run(
            enrollment_load.create_school(
                database_uri, enrollment_load.STAMPEDE_STUDENTS, sections=1, seats=enrollment_load.STAMPEDE_SEATS
            )
        )
        with _serving(folder, database_uri, f"stampede-{number}") as site:
            crowds.append(asyncio.run(enrollment_load.stampede(database_uri, site, students)))
        enrollment_load.check_seats(database_uri)
    return [enrollment_load.stampede_row(crowds)]


def _open_pages(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    database_uri = with_database(uri, "open_pages")
    extent = open_pages.Extent(
        int(os.environ.get("PAGES") or plan.open_pages),
        float(os.environ.get("CHANGES") or open_pages.CHANGES_PER_SECOND),
        plan.open_pages_seconds,
    )

    async def measure(site: servers.Site, students: list[Student], bare_cpu_ms: float) -> Row:
        async with open_database(database_uri, 20) as db:
            return await open_pages.measure(db, site, students, bare_cpu_ms, extent)

    students = [one.student for one in crowd_pages.create_school(database_uri, plan.students)]
    with _serving(folder, database_uri, "open-pages") as site:
        bare_cpu_ms = crowd_pages.bare_cpu_ms(folder, plan.seconds)
        return [asyncio.run(measure(site, students, bare_cpu_ms))]


def _signin(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    database_uri = with_database(uri, "signin")
    people = asyncio.run(signin.create_students(database_uri, plan.people))
    hashes = signin.hashes_per_second(2)
    with servers.serve_flask(folder, with_database(uri, "flask")) as flask:
        port, first_student = flask.wait().port, school_data.FIRST_STUDENT_ID
        emails = [f"student{first_student + number % STUDENTS}@school.example" for number in range(plan.people)]
        started = time.monotonic()
        asyncio.run(signin.sign_in_all(port, emails))
        rate = len(emails) / (time.monotonic() - started)
    with _serving(folder, database_uri, "signin") as site:
        return [signin.row(asyncio.run(signin.measure(site.port, people)), hashes, rate)]


def _memory(plan: RunPlan, folder: Path, uri: str) -> list[Row]:
    database_uri = with_database(uri, "memory")
    students = _create_school(database_uri, 5000)
    with _serving(folder, database_uri, "memory", processes=1) as site:
        memory_row = memory.measure(
            database_uri, site, students, float(os.environ.get("SOAK") or plan.memory_seconds), folder
        )
        return [memory_row, unique_requests.measure(site, students, min(plan.memory_seconds, 40))]


def _create_school(database_uri: str, courses: int) -> list[Student]:
    async def found() -> list[Student]:
        async with open_database(database_uri, 20) as db:
            return await school_data.create_school(db, courses, STUDENTS)

    return asyncio.run(found())


@contextmanager
def _serving(folder: Path, database_uri: str, name: str, processes: int = servers.PROCESSES) -> Iterator[servers.Site]:
    """Serve the site with that database; afterwards, record the errors in its log."""
    with servers.serve_quart_enroll(folder, database_uri, name, processes=processes) as site:
        yield site.wait()
    _record_errors(site)


def _record_errors(site: servers.Site) -> None:
    if errors := site.error_lines():
        _logged_errors.append(f"The site {site.name} logged {len(errors)} errors, the first: {errors[0]}")


Part = Callable[[RunPlan, Path, str], list[Row]]

PARTS: dict[str, Part] = {
    "crowd": _crowd,
    "own": _own_pages,
    "pages": _pages,
    "enroll": _enroll,
    "stampede": _stampede,
    "open": _open_pages,
    "signin": _signin,
    "memory": _memory,
}
"""What is measured, by the name for ONLY."""


if __name__ == "__main__":
    main()
