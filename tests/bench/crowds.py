"""Crowds of students who enroll: requests per second, response times, and whether the seats add up."""

import asyncio
import sys
import time
from collections.abc import Sequence

from quart_enroll.db.client import Database, open_database
from tests.bench.figures import Goal, Row, Spread
from tests.bench.schools import FALL, in_production
from tests.bench.sites import Site
from tests.failure.school import open_school
from tests.support.crowd import Answer, Crowd, Student, sign_in
from tests.support.processes import quart

AT_ONCE = 128
SECTIONS = 200
SEATS, STAMPEDE = 30, 1000
WARM_UP = 64
"""Requests before the measurement, so that each process has opened its database connections."""


WHOLE = "responses with 5xx, or none at all"


class InconsistentSeats(SystemExit):
    """A seat was given twice, or a student who was told "enrolled" has none."""


async def prepare(uri: str, students: int, *, sections: int, seats: int) -> list[Student]:
    """Create a school with one-credit courses, and return students who are signed in."""
    async with open_database(uri, 20) as db:
        await open_school(db, [f"C{number}" for number in range(sections)], capacity=seats, waitlist_capacity=1000)
        return in_production(await sign_in(db, range(10_001, 10_001 + students)))


async def enroll_everywhere(
    uri: str, site: Site, students: Sequence[Student], posts: int, times: int
) -> list[tuple[Crowd, float]]:
    """Enroll students in all sections, 128 at a time; return each crowd with its requests per second."""
    requests = []
    for number in range(WARM_UP + posts * times):
        turn, student = divmod(number, len(students))
        # Consecutive students choose different courses, and no student chooses the same course twice.
        requests.append((students[student], f"C{(7 * student + turn) % SECTIONS}"))
    done = []
    await _post(Crowd([site.port], room=asyncio.Semaphore(AT_ONCE)), requests[:WARM_UP])
    for first in range(WARM_UP, len(requests), posts):
        crowd = Crowd([site.port], room=asyncio.Semaphore(AT_ONCE))
        began = time.monotonic()
        answers = await _post(crowd, requests[first : first + posts])
        done.append((crowd, posts / (time.monotonic() - began)))
        if not all(answer.done for answer in answers):
            raise InconsistentSeats("A student was refused although there are enough seats.")
    async with open_database(uri, 20) as db:
        await _compare(db, {(student.user_id, courseID) for student, courseID in requests})
    return done


async def stampede(uri: str, site: Site, students: Sequence[Student]) -> Crowd:
    """Let all students enroll in the same section at once; return the crowd after the last response."""
    crowd = Crowd([site.port], room=asyncio.Semaphore(len(students)))
    answers = await _post(crowd, [(student, "C0") for student in students])
    told = {(student.user_id, "C0") for student, answer in zip(students, answers, strict=True) if answer.done}
    if len(told) != SEATS:
        raise InconsistentSeats(f"{len(told)} students were told that they are enrolled, and there are {SEATS} seats.")
    async with open_database(uri, 20) as db:
        await _compare(db, told)
    return crowd


async def _post(crowd: Crowd, requests: Sequence[tuple[Student, str]]) -> list[Answer]:
    return await asyncio.gather(
        *(
            crowd.post(student, "/enrollment", courseID=courseID, term=FALL, section="01")
            for student, courseID in requests
        )
    )


async def _compare(db: Database, told: set[tuple[int, str]]) -> None:
    """Compare the students who were told that they are enrolled with those who are."""
    have = {(row["user_id"], row["courseID"]) async for row in db.enrollment.find({"status": "enrolled"})}
    if have != told:
        raise InconsistentSeats(
            f"Told but not enrolled: {sorted(told - have)[:5]}; enrolled but not told: {sorted(have - told)[:5]}."
        )


def check_seats(uri: str) -> None:
    """Run `quart check-seats`, and end the program if it finds a discrepancy."""
    done = quart("check-seats", MONGO_URI=uri)
    if done.returncode:
        raise InconsistentSeats(f"check-seats found: {done.stdout}{done.stderr}")


def enroll_row(crowds: Sequence[Crowd], rates: Sequence[float]) -> Row:
    rate, late = Spread(tuple(rates)), p99([answer.took for crowd in crowds for answer in crowd.answers])
    return Row(
        f"enroll posts over {SECTIONS} sections, {AT_ONCE} at once",
        "posts/s",
        rate,
        goals=[Goal("posts/s", rate.median, at_least=300), Goal("p99 in seconds", late, at_most=1), _whole(crowds)],
        note="; ".join(crowd.report().partition("; until")[0] for crowd in crowds[-1:]),
    )


def stampede_row(crowds: Sequence[Crowd]) -> Row:
    lates = Spread(tuple(p99([answer.took for answer in crowd.answers]) for crowd in crowds))
    return Row(
        f"{STAMPEDE:,} students for {SEATS} seats at once",
        "s (p99)",
        lates,
        goals=[Goal("p99 in seconds", lates.median, at_most=3), _whole(crowds)],
        note=f"exactly {SEATS} got seats each time; {crowds[-1].report().partition('; until')[0]}",
    )


def _whole(crowds: Sequence[Crowd]) -> Goal:
    """Return the goal that no request got a 5xx or was cut off."""
    wrong = sum(crowd.cuts + sum(answer.status >= 500 for answer in crowd.answers) for crowd in crowds)
    return Goal(WHOLE, wrong, at_most=0)


def p99(seconds: Sequence[float]) -> float:
    ordered = sorted(seconds) or sys.exit("There was no response.")
    return ordered[len(ordered) * 99 // 100]
