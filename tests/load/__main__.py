"""`make load`: simulate many students on the site, and audit the seats afterwards.

SCENARIO is RegistrationDay, BrowsingDay or Stampede; STUDENTS, DEVICES (of one student in five), TIME (in seconds, like
90s) and PROCESSES (of Locust) set the extent. Without HOST everything runs on this machine, and bare Quart is measured
first: the goals are in bare responses. With HOST, the site there gets the requests; MONGO_URI must name its empty
database, and SECRET_KEY must be its key. Exits with 1 if a section is over capacity, if a confirmed seat is missing, or
if a request got a 5xx or no response.
"""

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from tests.bench import machine, servers
from tests.load import audit, goals, school
from tests.support.processes import PROJECT, quart

LOCUST = PROJECT / ".venv-load" / "bin" / "python"
REPORTS = PROJECT / ".load"
EARLY_SHARE = 0.25
"""The fraction of the time in which students arrive, before enrollment opens."""

SIGN_INS_PER_SECOND = 5.0
"""Arrivals with a password each second, for each core: a third of a core's limit (docs/deploy.md)."""

STARTUP_SECONDS = 6.0
"""The time until Locust and its processes have started."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """The defaults of a scenario; `seats` is the capacity of each section, or 0 for a little less than the demand."""

    file: str
    students: int
    seats: int = 0
    is_open: bool = False


SCENARIOS = {
    "RegistrationDay": Scenario("registration_day", 400),
    "BrowsingDay": Scenario("browsing_day", 200, seats=30, is_open=True),
    "Stampede": Scenario("stampede", 600, seats=30),
}


@dataclass(frozen=True, slots=True)
class Target:
    """The site under load, the URI of its database, and the key that signs its cookies."""

    host: str
    uri: str
    key: str
    site: servers.Site | None = None


def main() -> None:
    name = os.environ.get("SCENARIO") or "RegistrationDay"
    if name not in SCENARIOS:
        sys.exit(f"There is no scenario {name}; there are {', '.join(SCENARIOS)}.")
    scenario = SCENARIOS[name]
    students, devices = int(os.environ.get("STUDENTS") or scenario.students), int(os.environ.get("DEVICES") or 1)
    seconds = float((os.environ.get("TIME") or "90s").removesuffix("s"))
    machine.raise_open_file_limit()
    REPORTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, _target(Path(temporary)) as target:
        folder = Path(temporary)
        bare_per_second = goals.measure_bare(folder) if target.site else 0.0
        arrival_seconds = _prepare(scenario, target, students, devices, seconds, folder)
        seconds += arrival_seconds - EARLY_SHARE * seconds
        report = REPORTS / f"{name}.html"
        print(f"{name}: {students} students, {seconds:g} s, {target.host}", flush=True)
        problems = _run(scenario, target, seconds, arrival_seconds, folder, report)
        problems += _audit_seats(target, folder)
        if target.site and name == "RegistrationDay":
            _print_goals(folder, students, bare_per_second)
        if target.site:
            shutil.copyfile(target.site.log, REPORTS / f"{name}.log")
    print(f"The report with its charts: {report.relative_to(PROJECT)}")
    print("\n".join(problems) or "No section is over capacity, no seat is lost, and there was no 5xx.")
    sys.exit(1 if problems else 0)


@contextmanager
def _target(folder: Path) -> Iterator[Target]:
    if host := os.environ.get("HOST"):
        missing = [name for name in ("MONGO_URI", "SECRET_KEY") if not os.environ.get(name)]
        if missing:
            sys.exit(f"With HOST, {' and '.join(missing)} of the site there must be in the environment.")
        yield Target(host, os.environ["MONGO_URI"], os.environ["SECRET_KEY"])
        return
    with local_mongod(folder / "mongodb") as uri, servers.serve_quart_enroll(folder, uri, "load") as site:
        yield Target(f"http://127.0.0.1:{site.port}", uri, servers.SECRET_KEY, site.wait())


def _prepare(scenario: Scenario, target: Target, students: int, devices: int, seconds: float, folder: Path) -> float:
    """Fill the database, schedule the opening of enrollment, and write the file that Locust's students read.

    Return the seconds in which the students arrive, before the opening.
    """

    async def prepare() -> float:
        async with open_database(target.uri, 20) as db:
            if await db.user.find_one() or await db.course.find_one():
                sys.exit("The database is not empty. A load test needs its own database, never the school’s.")
            opened = datetime.now(UTC) - timedelta(hours=1)
            description = await school.create_school(db, students, opened, scenario.seats, target.key, devices)
            arrival_seconds = max(EARLY_SHARE * seconds, _sign_in_seconds(description["people"]))
            if not scenario.is_open:
                opened = datetime.now(UTC) + timedelta(seconds=STARTUP_SECONDS + arrival_seconds)
                await school.open_at(db, opened)
            (folder / "school.json").write_text(json.dumps(description | {"opens_at": opened.timestamp()}))
            return arrival_seconds

    started = time.monotonic()
    arrival_seconds = asyncio.run(prepare())
    print(f"The school with {students} students was created in {time.monotonic() - started:.1f} s.")
    return arrival_seconds


def _sign_in_seconds(people: Sequence[dict[str, Any]]) -> float:
    """Return how long a server of this machine's size lets these people sign in, with room for everything else."""
    return sum(one["signs_in"] for one in people) / (SIGN_INS_PER_SECOND * (os.cpu_count() or 1))


def _run(
    scenario: Scenario, target: Target, seconds: float, arrival_seconds: float, folder: Path, report: Path
) -> list[str]:
    """Run Locust; return the problems found."""
    processes = int(os.environ.get("PROCESSES") or 1)
    command = [
        *(str(LOCUST), "-m", "locust", "-f", f"tests/load/{scenario.file}.py", "--headless", "--only-summary"),
        *("--html", str(report), "--stop-timeout", "35", "--loglevel", "WARNING"),
        *(("--processes", str(processes)) if processes > 1 else ()),
        *shlex.split(os.environ.get("OPTIONS", "")),
    ]
    settings = {
        "PYTHONPATH": str(PROJECT),
        "LOAD_FOLDER": str(folder),
        "LOAD_HOST": target.host,
        "LOAD_SECONDS": str(seconds),
        "LOAD_ARRIVAL_SECONDS": str(arrival_seconds),
    }
    completed = subprocess.run(command, cwd=PROJECT, env={**os.environ, **settings}, check=False)
    return ["Some requests failed: see the table of failures."] if completed.returncode else []


def _print_goals(folder: Path, students: int, bare_per_second: float) -> None:
    opened_at = json.loads((folder / "school.json").read_text())["opens_at"]
    print(f"Bare Quart gave {bare_per_second:,.0f} responses a second on this machine, before the test.")
    for goal in goals.goals(list(audit.read(folder, "presses")), students, opened_at, bare_per_second):
        print(f"  {goal}")


def _audit_seats(target: Target, folder: Path) -> list[str]:
    """Count all seats, and compare them with what the site told the students; return the problems found."""

    async def seated() -> set[audit.Seat]:
        async with open_database(target.uri, 20) as db:
            return {(row["user_id"], row["courseID"]) async for row in db.enrollment.find({"status": "enrolled"})}

    records = list(audit.read(folder))
    enrolled = asyncio.run(seated())
    check_result = quart("check-seats", MONGO_URI=target.uri)
    print(f"check-seats: {check_result.stdout.strip()}")
    print(f"{len(enrolled)} seats are taken; the students recorded {len(records)} outcomes.")
    problems = audit.find_discrepancies(records, enrolled)
    if check_result.returncode:
        problems.append("check-seats found a discrepancy.")
    if not records:
        problems.append("The students recorded no outcome, so the load test did not work.")
    if target.site and (error_lines := target.site.error_lines()):
        print(f"Worth a look, in the site's log: {len(error_lines)} lines report errors, the first: {error_lines[0]}")
    return problems


if __name__ == "__main__":
    main()
