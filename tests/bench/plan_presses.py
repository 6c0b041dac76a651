"""Everyone presses "Enroll in all" within a second; a bare script writes the same into MongoDB for comparison."""

import asyncio
import random
from collections.abc import Sequence
from statistics import median

from tests.bench import bare_writes
from tests.bench.bench_run import BARE, BenchRun
from tests.bench.enrollment_load import (
    SECTIONS,
    check_enrollments,
    client_share,
    create_school,
    no_failures,
    open_pages,
    p99,
    plan_press,
    planned_courses,
    read_outcomes,
    send,
)
from tests.bench.figures import Goal, Row, Spread
from tests.bench.prepared_requests import Sent

COURSES_PER_PLAN = 5
STUDENTS_PER_SECTION = 5
"""Students in the crowd for each section: 1,000 for 200, so that 25 plan each section on average."""

SEATS_PER_PLANNED_COURSE = 1.1
"""Some sections fill up, so that some students are refused, as on any registration day."""

PRESS_SECONDS = 1.0
MIN_RATIO, MIN_SHARE_OF_BARE_WRITES = 0.35, 0.5
BARE_SCRIPT = "a bare script"


def measure(run: BenchRun) -> list[Row]:
    """Let a crowd press the button, and a bare script write everything that it planned, several times."""
    sent, bare_rates, add_rates, written_rates = [], [], [], []
    for number in range(run.plan.repeats):
        bare_rate, confirmed, presses = _press(run, number)
        sent.append(presses)
        bare_rates.append(bare_rate)
        add_rates.append(confirmed / presses.seconds)
        written_rates.append(_write_same(run, number))
    adds, bare, written = (Spread(tuple(rates)) for rates in (add_rates, bare_rates, written_rates))
    return [_row(run.plan.pressing, adds, bare, sent), _written_row(adds, written)]


def _press(run: BenchRun, number: int) -> tuple[float, int, Sent]:
    """Return the rate of bare Quart, the number of courses that students were told of, and the exchanges."""
    uri, students = run.database(f"plans_{number}"), run.plan.pressing
    seats = round(SEATS_PER_PLANNED_COURSE * COURSES_PER_PLAN * STUDENTS_PER_SECTION)
    crowd = asyncio.run(
        create_school(uri, students, sections=_sections(students), seats=seats, planned=COURSES_PER_PLAN)
    )
    presses, rng = [plan_press(one) for one in crowd], random.Random(number)  # noqa: S311  # no secret
    delays = sorted(rng.uniform(0, PRESS_SECONDS) for _ in presses)
    with run.serve(uri, f"plans-{number}") as site:
        open_pages(site, crowd, "/plan")
        [bare_rate] = run.measure_bare().rates
        sent = send(site, presses, students, delays)
        confirmed = read_outcomes(site, presses, sent)
    check_enrollments(uri, confirmed)
    return bare_rate, len(confirmed), sent


def _sections(students: int) -> int:
    return min(SECTIONS, students // STUDENTS_PER_SECTION)


def _write_same(run: BenchRun, number: int) -> float:
    """Let a bare script write everything that the students planned into a new database; return the adds per second."""
    uri, students = run.database(f"bare_writes_{number}"), run.plan.pressing
    sections = _sections(students)
    crowd = asyncio.run(create_school(uri, students, sections=sections, seats=students, planned=COURSES_PER_PLAN))
    plans = {one.user_id: planned_courses(one, sections, COURSES_PER_PLAN) for one in crowd}
    seconds = bare_writes.write_plans(uri, plans)
    check_enrollments(uri, {(user_id, courseID) for user_id, courses in plans.items() for courseID in courses})
    return students * COURSES_PER_PLAN / seconds


def _row(students: int, adds: Spread, bare: Spread, sent: Sequence[Sent]) -> Row:
    times, sections = [one.seconds for each in sent for one in each.exchanges], _sections(students)
    return Row(
        f"{students:,} students press “Enroll in all” with {COURSES_PER_PLAN} courses over {sections} sections",
        "adds/s",
        adds,
        {BARE: bare},
        goals=[Goal(f"ratio to {BARE}", adds.to(bare).median, at_least=MIN_RATIO), no_failures(sent)],
        note=f"all within {PRESS_SECONDS:g} s; answered after a median of {median(times):.2f} s, "
        f"p99 {p99(sent):.2f} s; {client_share(sent)}",
        compared_by=BARE,
    )


def _written_row(adds: Spread, written: Spread) -> Row:
    return Row(
        "the same writes by a bare script straight into MongoDB",
        "adds/s",
        adds,
        {BARE_SCRIPT: written},
        goals=[Goal(f"ratio to {BARE_SCRIPT}", adds.to(written).median, at_least=MIN_SHARE_OF_BARE_WRITES)],
        compared_by=BARE_SCRIPT,
    )
