"""Many students in front of one section, or of seven, at the same moment."""

import asyncio
from statistics import median

from tests.bench.bench_run import BenchRun
from tests.bench.enrollment_load import (
    InconsistentSeats,
    check_enrollments,
    client_share,
    create_school,
    enroll_press,
    no_failures,
    open_pages,
    p99,
    read_outcomes,
    send,
)
from tests.bench.figures import Goal, Row, Spread
from tests.bench.prepared_requests import Sent

SEATS = 30
BARE_RESPONSES_PER_STUDENT = 7
"""The time within which everyone has an answer, in bare responses for each student: 7,000 for a thousand students."""


def measure(run: BenchRun) -> list[Row]:
    """Send a crowd to one section, and one three times as large to several sections."""
    crowd = run.plan.stampeding
    return [_stampede(run, crowd, 1), _stampede(run, 3 * crowd, run.plan.hot_sections)]


def _stampede(run: BenchRun, students: int, sections: int) -> Row:
    sent, bare_responses = [], []
    for number in range(run.plan.repeats):
        bare_rate, one = _enroll_all(run, f"stampede_{sections}_{number}", students, sections)
        sent.append(one)
        bare_responses.append(one.seconds * bare_rate)
    return Row(
        f"{students:,} students for {SEATS} seats{f' in each of {sections} sections' if sections > 1 else ''} at once",
        "bare responses until the last answer",
        Spread(tuple(bare_responses)),
        goals=[
            Goal("bare responses", median(bare_responses), at_most=BARE_RESPONSES_PER_STUDENT * students),
            no_failures(sent),
        ],
        note=f"{median(one.seconds for one in sent):.2f} s, p99 {p99(sent):.2f} s; exactly {SEATS * sections} got "
        f"seats each time; {client_share(sent)}",
    )


def _enroll_all(run: BenchRun, name: str, students: int, sections: int) -> tuple[float, Sent]:
    """Return the rate of bare Quart and the exchanges."""
    uri = run.database(name)
    crowd = asyncio.run(create_school(uri, students, sections=sections, seats=SEATS))
    presses = [enroll_press(one, f"C{index % sections}") for index, one in enumerate(crowd)]
    with run.serve(uri, name) as site:
        open_pages(site, crowd, "/course/C0")
        [bare_rate] = run.measure_bare().rates
        sent = send(site, presses, students)
        confirmed = read_outcomes(site, presses, sent)
    if len(confirmed) != SEATS * sections:
        raise InconsistentSeats(f"{len(confirmed)} students were told of {SEATS * sections} seats.")
    check_enrollments(uri, confirmed)
    return bare_rate, sent
