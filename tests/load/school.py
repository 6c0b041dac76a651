"""The school for load tests: any number of students, created in seconds, each with a plan and a way to sign in.

Hashing a password takes a tenth of a second of a core, so it is done only once: all students have the same password and
the same hash, which the site checks at the full cost. One in five signs in with the form; the others have a sign-in
that is already in the database.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.security import generate_password_hash

from config import Config
from quart_enroll.db.client import Database
from quart_enroll.db.collections import terms
from quart_enroll.domain.models import Section, Term
from tests.bench.schools import FALL, course, in_production, section
from tests.support.crowd import sign_in
from tests.support.people import PASSWORD
from tests.support.school import build

COURSES = 60
SECTIONS = ("01", "02")
COURSES_PER_PLAN = 4
"""Courses in each plan."""

SEATS = 0.9
"""Seats for each planned course of a student, if demand were spread evenly, which it is not."""

FIRST = 10_001
EVERY_FIFTH = 5
METHOD = Config.__dataclass_fields__["password_method"].default


async def create_school(db: Database, students: int, opens_at: datetime, seats: int, key: str) -> dict[str, Any]:
    """Fill an empty database, and return what the crowd must know.

    `seats` are those of each section, or 0 for nearly as many as are planned; `key` is the site's SECRET_KEY.
    """
    await build(db)
    await open_at(db, opens_at)
    courses = [course(number) for number in range(COURSES)]
    await db.course.insert_many([asdict(one) for one in courses])
    seats = seats or max(1, round(students * COURSES_PER_PLAN * SEATS / (COURSES * len(SECTIONS))))
    taught = [one for number in range(COURSES) for one in _sections(number, seats, students)]
    await db.section.insert_many([asdict(one) | {"queue_tail": 0} for one in taught])
    people = in_production(await sign_in(db, range(FIRST, FIRST + students), key))
    await db.user.update_many({}, {"$set": {"password": generate_password_hash(PASSWORD, METHOD)}})
    plans = {one.user_id: _plan(one.user_id) for one in people}
    await db.plan.insert_many([row for user_id, plan in plans.items() for row in _rows(user_id, plan)])
    return {
        "term": FALL,
        "password": PASSWORD,
        "courses": {one.courseID: one.title for one in courses},
        "sections": SECTIONS,
        "people": [
            {
                "user_id": one.user_id,
                "email": f"student{one.user_id}@school.example",
                "cookie": one.cookie,
                "signs_in": one.user_id % EVERY_FIFTH == 0,
                "plan": plans[one.user_id],
            }
            for one in people
        ],
    }


async def open_at(db: Database, moment: datetime) -> None:
    """Let enrollment open at that moment; a running site learns of it."""
    ends = moment + timedelta(days=30)
    await terms.put_all(db, [Term("Fall 2026", moment, ends, ends, ends)])


def _sections(number: int, seats: int, students: int) -> list[Section]:
    """Return both sections of a course; the second meets at another time."""
    first = replace(section(number, 0), capacity=seats, waitlist_capacity=max(10, students // 20))
    return [first, replace(first, section=SECTIONS[1], meetings=section(number + 3, 0).meetings)]


def _plan(user_id: int) -> list[str]:
    """Return the courses that a student plans; the first ones of the catalog are the most wanted."""
    chance = random.Random(user_id)  # the same plans in each run
    wanted: dict[str, None] = {}
    while len(wanted) < COURSES_PER_PLAN:
        wanted[course(min(COURSES - 1, int(chance.expovariate(3 / COURSES)))).courseID] = None
    return list(wanted)


def _rows(user_id: int, plan: Sequence[str]) -> list[dict[str, Any]]:
    common = {"user_id": user_id, "term": FALL, "added_at": datetime.now(UTC)}
    return [
        common | {"courseID": courseID, "section": SECTIONS[user_id % 2], "place": place}
        for place, courseID in enumerate(plan, 1)
    ]
