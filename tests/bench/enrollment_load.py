"""Many students enroll at once: requests per second, response times, and whether the seats add up."""

import asyncio
import sys
import time
from collections.abc import Sequence

from quart_enroll.db.client import Database, open_database
from tests.bench.figures import Goal, Row, Spread
from tests.bench.school_data import FALL, in_production
from tests.bench.servers import Site
from tests.failure.school import open_school
from tests.support.processes import quart
from tests.support.student_crowd import Crowd, FormResponse, Student, sign_in

MAX_CONCURRENT = 128
SECTIONS = 200
STAMPEDE_SEATS, STAMPEDE_STUDENTS = 30, 1000
WARM_UP_REQUESTS = 64
"""Requests before the measurement, so that each process has opened its database connections."""


FAILED_RESPONSES = "responses with 5xx, or none at all"


class InconsistentSeats(SystemExit):
    """A seat was given twice, or a student has no seat although the site confirmed it."""


async def create_school(uri: str, students: int, *, sections: int, seats: int) -> list[Student]:
    """Create a school with one-credit courses, and return signed-in students."""
    async with open_database(uri, 20) as db:
        await open_school(db, [f"C{number}" for number in range(sections)], capacity=seats, waitlist_capacity=1000)
        return in_production(await sign_in(db, range(10_001, 10_001 + students)))


async def enroll_everywhere(
    uri: str, site: Site, students: Sequence[Student], posts: int, times: int
) -> list[tuple[Crowd, float]]:
    """Enroll students in all sections, MAX_CONCURRENT at a time; return each crowd with its requests per second."""
    requests = []
    for number in range(WARM_UP_REQUESTS + posts * times):
        turn, student = divmod(number, len(students))
        # Consecutive students choose different courses, and no student chooses the same course twice.
        requests.append((students[student], f"C{(7 * student + turn) % SECTIONS}"))
    measured = []
    await _post(Crowd([site.port], connections=asyncio.Semaphore(MAX_CONCURRENT)), requests[:WARM_UP_REQUESTS])
    for first in range(WARM_UP_REQUESTS, len(requests), posts):
        crowd = Crowd([site.port], connections=asyncio.Semaphore(MAX_CONCURRENT))
        began = time.monotonic()
        responses = await _post(crowd, requests[first : first + posts])
        measured.append((crowd, posts / (time.monotonic() - began)))
        if not all(response.succeeded for response in responses):
            raise InconsistentSeats("A student was refused although there are enough seats.")
    async with open_database(uri, 20) as db:
        await _check_enrollments(db, {(student.user_id, courseID) for student, courseID in requests})
    return measured


async def stampede(uri: str, site: Site, students: Sequence[Student]) -> Crowd:
    """Send the enrollments of all students in one section at once; return the crowd after the last response."""
    crowd = Crowd([site.port], connections=asyncio.Semaphore(len(students)))
    responses = await _post(crowd, [(student, "C0") for student in students])
    confirmed = {
        (student.user_id, "C0") for student, response in zip(students, responses, strict=True) if response.succeeded
    }
    if len(confirmed) != STAMPEDE_SEATS:
        raise InconsistentSeats(
            f"{len(confirmed)} students were told that they are enrolled, and there are {STAMPEDE_SEATS} seats."
        )
    async with open_database(uri, 20) as db:
        await _check_enrollments(db, confirmed)
    return crowd


async def _post(crowd: Crowd, requests: Sequence[tuple[Student, str]]) -> list[FormResponse]:
    return await asyncio.gather(
        *(
            crowd.post(student, "/enrollment", courseID=courseID, term=FALL, section="01")
            for student, courseID in requests
        )
    )


async def _check_enrollments(db: Database, confirmed: set[tuple[int, str]]) -> None:
    """Compare the students whose enrollment the site confirmed with those who are enrolled."""
    enrolled = {(row["user_id"], row["courseID"]) async for row in db.enrollment.find({"status": "enrolled"})}
    if enrolled != confirmed:
        raise InconsistentSeats(
            f"Confirmed but not enrolled: {sorted(confirmed - enrolled)[:5]}; "
            f"enrolled but not confirmed: {sorted(enrolled - confirmed)[:5]}."
        )


def check_seats(uri: str) -> None:
    """Run `quart check-seats`, and exit if it finds a discrepancy."""
    measured = quart("check-seats", MONGO_URI=uri)
    if measured.returncode:
        raise InconsistentSeats(f"check-seats found: {measured.stdout}{measured.stderr}")


def enroll_row(crowds: Sequence[Crowd], rates: Sequence[float]) -> Row:
    rate, p99_seconds = (
        Spread(tuple(rates)),
        p99([response.response_seconds for crowd in crowds for response in crowd.responses]),
    )
    return Row(
        f"enroll posts over {SECTIONS} sections, {MAX_CONCURRENT} at once",
        "posts/s",
        rate,
        goals=[
            Goal("posts/s", rate.median, at_least=300),
            Goal("p99 in seconds", p99_seconds, at_most=1),
            _no_failures_goal(crowds),
        ],
        note="; ".join(crowd.report().partition("; until")[0] for crowd in crowds[-1:]),
    )


def stampede_row(crowds: Sequence[Crowd]) -> Row:
    p99_per_crowd = Spread(tuple(p99([response.response_seconds for response in crowd.responses]) for crowd in crowds))
    return Row(
        f"{STAMPEDE_STUDENTS:,} students for {STAMPEDE_SEATS} seats at once",
        "s (p99)",
        p99_per_crowd,
        goals=[Goal("p99 in seconds", p99_per_crowd.median, at_most=3), _no_failures_goal(crowds)],
        note=f"exactly {STAMPEDE_SEATS} got seats each time; {crowds[-1].report().partition('; until')[0]}",
    )


def _no_failures_goal(crowds: Sequence[Crowd]) -> Goal:
    """Return the goal that no request got a 5xx or was cut off."""
    failed = sum(
        crowd.cut_connections + sum(response.status >= 500 for response in crowd.responses) for crowd in crowds
    )
    return Goal(FAILED_RESPONSES, failed, at_most=0)


def p99(seconds: Sequence[float]) -> float:
    ordered = sorted(seconds) or sys.exit("There was no response.")
    return ordered[len(ordered) * 99 // 100]
