"""Create schools of any size for measurements, directly in a database and with consistent counts."""

import asyncio
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient
from werkzeug.security import generate_password_hash

from quart_enroll.db.client import Database, open_database
from quart_enroll.db.collections import terms
from quart_enroll.domain.models import Course, Meeting, Section, Term
from tests.support.people import PASSWORD
from tests.support.school import build
from tests.support.student_crowd import Student, sign_in

FALL = "Fall 2026"
FIRST_STUDENT_ID = 10_001
"""The number of the first student; all have the same number of digits, so that their pages have the same size."""

COURSES_EACH = 5
SUBJECTS = (
    "Algebra",
    "Biology",
    "Chemistry",
    "Drawing",
    "Economics",
    "Finance",
    "Geology",
    "History",
    "Italian",
    "Justice",
)
DAYS = ("MWF", "TR")
TIMES = (("08:00", "08:50"), ("09:30", "10:20"), ("11:00", "11:50"), ("13:00", "13:50"), ("14:30", "15:20"))
PRODUCTION_COOKIE = "__Host-"


def course(number: int) -> Course:
    """Return the course with that number, counted from 0."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    description = (
        f"What {subject.lower()} is about, what it asks, and how people have answered; with exercises every week."
    )
    return Course(str(10_000 + number), f"{subject} {1000 + number}", description, 3, "Fall", subject=subject)


def section(number: int, seats_taken: int) -> Section:
    """Return the only section of the course with that number; neighboring courses meet at different times."""
    start, end = TIMES[number % len(TIMES)]
    meetings = (Meeting(DAYS[number // len(TIMES) % len(DAYS)], start, end),)
    teacher, room = f"T. Teacher {number % 40:02}", f"Hall {number % 30:02}"
    return Section(FALL, course(number).courseID, "01", 90, seats_taken, 10, 0, meetings, teacher, room)


def chosen_courses(student: int, courses: int) -> list[int]:
    """Return the numbers of a student's courses: five neighboring ones."""
    return [(student * COURSES_EACH + number) % courses for number in range(COURSES_EACH)]


def create(uri: str, courses: int, students: int) -> list[Student]:
    """Fill an empty database, as `create_school` does."""

    async def create_in() -> list[Student]:
        async with open_database(uri, 20) as db:
            return await create_school(db, courses, students)

    return asyncio.run(create_in())


async def create_school(db: Database, courses: int, students: int) -> list[Student]:
    """Fill an empty database with an open term, courses with one section each, and students with five courses each.

    Returns the students, each with the cookie of a sign-in to the site in production.
    """
    await build(db)
    now = datetime.now(UTC)
    deadline = now + timedelta(days=30)
    await terms.put_all(db, [Term("Fall 2026", now - timedelta(days=1), deadline, deadline, deadline)])
    await db.course.insert_many([asdict(course(number)) for number in range(courses)])
    taken = Counter(number for student in range(students) for number in chosen_courses(student, courses))
    await db.section.insert_many(
        [asdict(section(number, taken[number])) | {"queue_tail": 0} for number in range(courses)]
    )
    rows, schedules = [], []
    for student in range(students):
        user_id = FIRST_STUDENT_ID + student
        schedules.append({"user_id": user_id, "term": FALL, "credits": 3 * COURSES_EACH, "version": 1})
        for number in chosen_courses(student, courses):
            seat = {"user_id": user_id, "courseID": course(number).courseID, "term": FALL, "section": "01"}
            rows.append(seat | {"enrolled_at": now, "status": "enrolled"})
    if students:
        await db.enrollment.insert_many(rows)
        await db.schedule.insert_many(schedules)
    return in_production(await sign_in(db, range(FIRST_STUDENT_ID, FIRST_STUDENT_ID + students)))


def in_production(students: list[Student]) -> list[Student]:
    """Return the students with the cookie names of production."""
    return [Student(one.user_id, PRODUCTION_COOKIE + one.cookie) for one in students]


def copy_for_flask(uri: str, source: str, target: str) -> None:
    """Copy the fields that the Flask site uses from database `source` to database `target`."""
    copied_fields: dict[str, tuple[str, ...]] = {
        "course": ("courseID", "title", "description", "credits", "term"),
        "user": ("user_id", "first_name", "last_name", "email"),
        "enrollment": ("user_id", "courseID"),
    }
    password = generate_password_hash(PASSWORD)
    with MongoClient[dict[str, Any]](uri) as client:
        for name, fields in copied_fields.items():
            rows = client[source][name].find({}, {"_id": 0, **dict.fromkeys(fields, 1)})
            more = {"password": password} if name == "user" else {}
            client[target][name].insert_many([row | more for row in rows])
        client[target].enrollment.create_index("user_id")
        client[target].course.create_index("courseID", unique=True)
        client[target].user.create_index("user_id", unique=True)
        client[target].user.create_index("email", unique=True)
