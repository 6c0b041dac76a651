"""The school of the load tests: any number of students, created in seconds, each with a plan and a way to sign in.

Hashing a password takes a core a tenth of a second, so all students share one password and its hash, which costs the
site as much to check as any other. One student in five signs in with the form; the others have a sign-in that is
written directly to the database, as if they had signed in earlier.
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
from tests.bench.school_data import FALL, course, in_production, section
from tests.support.people import PASSWORD
from tests.support.school import build
from tests.support.student_crowd import sign_in, sign_in_device

COURSES = 60
SECTIONS = ("01", "02")
COURSES_PER_PLAN = 4
"""Courses in each plan."""

SEATS_PER_PLANNED_COURSE = 0.9
"""Seats for each planned course, if the plans were spread evenly over the courses, which they are not."""

FIRST_STUDENT_ID = 10_001
FORM_SIGN_IN_INTERVAL = MULTI_DEVICE_INTERVAL = 5
PASSWORD_METHOD = Config.__dataclass_fields__["password_method"].default


async def create_school(
    db: Database, students: int, opens_at: datetime, seats: int, key: str, devices: int = 1
) -> dict[str, Any]:
    """Fill an empty database, and return the description of the school that Locust's students read.

    `seats` is the capacity of each section, or 0 for a little less than the demand; `key` is the site's SECRET_KEY. One
    student in MULTI_DEVICE_INTERVAL has that many `devices`; each is listed as a person of its own.
    """
    await build(db)
    await open_at(db, opens_at)
    courses = [course(number) for number in range(COURSES)]
    await db.course.insert_many([asdict(one) for one in courses])
    seats = seats or max(1, round(students * COURSES_PER_PLAN * SEATS_PER_PLANNED_COURSE / (COURSES * len(SECTIONS))))
    sections = [one for number in range(COURSES) for one in _sections(number, seats, students)]
    await db.section.insert_many([asdict(one) | {"queue_tail": 0} for one in sections])
    user_ids = range(FIRST_STUDENT_ID, FIRST_STUDENT_ID + students)
    people = in_production(await sign_in(db, user_ids, key))
    await db.user.update_many({}, {"$set": {"password": generate_password_hash(PASSWORD, PASSWORD_METHOD)}})
    plans = {one.user_id: _plan(one.user_id) for one in people}
    await db.plan.insert_many([row for user_id, plan in plans.items() for row in _rows(user_id, plan)])
    with_device = [(one, 1) for one in people]
    for device in range(2, devices + 1):
        owners = [user_id for user_id in user_ids if user_id % MULTI_DEVICE_INTERVAL == 1]
        with_device += [(one, device) for one in in_production(await sign_in_device(db, owners, device, key))]
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
                "device": device,
                "signs_in": device == 1 and one.user_id % FORM_SIGN_IN_INTERVAL == 0,
                "plan": plans[one.user_id],
            }
            for one, device in with_device
        ],
    }


async def open_at(db: Database, moment: datetime) -> None:
    """Set the opening of enrollment; a running site notices the change."""
    ends = moment + timedelta(days=30)
    await terms.put_all(db, [Term("Fall 2026", moment, ends, ends, ends)])


def _sections(number: int, seats: int, students: int) -> list[Section]:
    """Return both sections of a course, which meet at different times."""
    first = replace(section(number, 0), capacity=seats, waitlist_capacity=max(10, students // 20))
    return [first, replace(first, section=SECTIONS[1], meetings=section(number + 3, 0).meetings)]


def _plan(user_id: int) -> list[str]:
    """Return the courses that a student plans; the first ones in the catalog are the most popular."""
    rng = random.Random(user_id)  # the same plans in each run
    planned: dict[str, None] = {}
    while len(planned) < COURSES_PER_PLAN:
        planned[course(min(COURSES - 1, int(rng.expovariate(3 / COURSES)))).courseID] = None
    return list(planned)


def _rows(user_id: int, plan: Sequence[str]) -> list[dict[str, Any]]:
    common = {"user_id": user_id, "term": FALL, "added_at": datetime.now(UTC)}
    return [
        common | {"courseID": courseID, "section": SECTIONS[user_id % 2], "place": index}
        for index, courseID in enumerate(plan, 1)
    ]
