"""A small database as a Flask site with MongoEngine leaves it behind."""

from datetime import UTC, datetime, timedelta
from functools import cache

from bson import ObjectId
from werkzeug.security import generate_password_hash

from quart_enroll.db.client import Database, Document

PASSWORD = "correct horse"
FIRST_DAY = datetime(2024, 8, 19, 8, tzinfo=UTC)

COURSES = {
    "1111": ("PYT 101", "Introduction to Python", "3", "Fall, Spring"),
    "2222": ("JAV 201", "Intermediate Java Programming", "4", "Spring"),
    "3333": ("PHP 202", "Advanced PHP Programming", 4, "Fall"),
    "6666": ("LAB 110", "Soldering for Beginners", " 1.5 ", "Fall, Spring"),
    "7777": ("ART 300", "Drawing With a Plotter", "by arrangement", "Fall"),
}

METHODS = ("pbkdf2:sha256:150000", "pbkdf2:sha256:50000", "pbkdf2:sha1:1000")
"""Methods that Werkzeug has used over the years."""

PEOPLE = {
    1: ("Ada", "ada@school.example", METHODS[0]),
    2: ("Bob", "bob@school.example", METHODS[1]),
    5: ("Cleo", "cleo@school.example", METHODS[2]),
    6: ("Cleo", "Cleo@School.example", METHODS[0]),
    9: ("Dan", "DAN@school.example", METHODS[0]),
}

ENROLLMENTS: list[tuple[int, str | int | float]] = [
    (1, "1111"),
    (1, "1111"),
    (1, "3333"),
    (2, "1111"),
    (1, "1111"),
    (2, "9999"),
    (77, "1111"),
    (2, 3333),
    (9, 6666.0),
]

UNKNOWN_COURSE, UNKNOWN_USER = 5, 6
"""Indexes in ENROLLMENTS."""


async def fill(db: Database) -> None:
    """Fill an empty database with courses, people and enrollments, and the indexes that MongoEngine makes."""
    for collection, key in (("user", "user_id"), ("user", "email"), ("course", "courseID")):
        await db[collection].create_index(key, unique=True, background=False, sparse=False)
    await db.course.insert_many([_course(courseID) for courseID in COURSES])
    await db.user.insert_many([_user(user_id) for user_id in PEOPLE])
    await db.enrollment.insert_many(
        [
            {"_id": row_id(number), "user_id": user_id, "courseID": courseID}
            for number, (user_id, courseID) in enumerate(ENROLLMENTS)
        ]
    )


def made_at(number: int) -> datetime:
    """Return when the enrollment with that index was made: there is one each hour."""
    return FIRST_DAY + timedelta(hours=number)


def row_id(number: int) -> ObjectId:
    """Return the _id of the enrollment with that index, which contains its time."""
    return ObjectId(f"{int(made_at(number).timestamp()):08x}{number:016x}")


def _course(courseID: str) -> Document:
    title, description, credits, term = COURSES[courseID]
    return {
        "_id": ObjectId(f"{courseID:>024}"),
        "courseID": courseID,
        "title": title,
        "description": description,
        "credits": credits,
        "term": term,
    }


def _user(user_id: int) -> Document:
    first_name, email, method = PEOPLE[user_id]
    return {
        "_id": ObjectId(f"{user_id:024}"),
        "user_id": user_id,
        "first_name": first_name,
        "last_name": "Example",
        "email": email,
        "password": _hash(method),
    }


@cache
def _hash(method: str) -> str:
    return generate_password_hash(PASSWORD, method, salt_length=8)
