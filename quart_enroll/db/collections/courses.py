"""The collection `course`: the catalog."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from math import isfinite, nan
from typing import Any

from pymongo import IndexModel, UpdateOne

from quart_enroll.db.client import Database, Document, Session, shuffle
from quart_enroll.domain.models import Course

INDEXES = [IndexModel("courseID", unique=True)]

SCHEMA = {
    "bsonType": "object",
    "required": ["courseID", "title", "description", "credits", "term"],
    "properties": {
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "title": {"bsonType": "string", "minLength": 1, "maxLength": 100},
        "description": {"bsonType": "string", "maxLength": 2000},
        # Files of the Flask site have them as text, like "3"; they are read as numbers, and `upgrade-db` makes them so.
        "credits": {
            "bsonType": ["number", "string"],
            "minimum": 0,
            "maximum": 30,
            "pattern": r"^\s*([012]?\d(\.\d{1,2})?|30(\.0{1,2})?)\s*$",
        },
        "term": {"bsonType": "string", "maxLength": 100},
        "subject": {"bsonType": "string", "maxLength": 50},
        "prerequisites": {"bsonType": "array", "items": {"bsonType": "string"}},
        "corequisites": {"bsonType": "array", "items": {"bsonType": "string"}},
    },
}


DERIVED_FIELDS = ("needs", "corequisite_names")
"""What a course knows of others; each of them has its own row."""

HAS_COURSE_ID = {"courseID": {"$type": "string"}}
"""Courses as they should be; `upgrade-db` lists those whose courseID is something else."""


async def find(db: Database, courseID: str, session: Session | None = None) -> Course | None:
    """Return the course, or None when the catalog has no such key."""
    document = await db.course.find_one({"courseID": courseID}, session=session)
    return None if document is None else to_course(document)


async def find_all(db: Database, session: Session | None = None) -> list[Course]:
    """Return the whole catalog in the order of courseID."""
    return [to_course(document) async for document in db.course.find(HAS_COURSE_ID, session=session).sort("courseID")]


async def find_names(db: Database, courseIDs: Sequence[str], session: Session | None = None) -> list[str]:
    """Return what these courses are called; one that is gone by its number."""
    found = db.course.find({"courseID": {"$in": list(courseIDs)}}, session=session)
    known = {course.courseID: course.name for course in [to_course(document) async for document in found]}
    return [known.get(courseID, courseID) for courseID in courseIDs]


async def is_corequisite(db: Database, courseID: str, among: Collection[str], session: Session | None) -> bool:
    """Tell whether one of the courses `among` has that one as a corequisite."""
    wanted = {"courseID": {"$in": list(among)}, "corequisites": courseID}
    return await db.course.find_one(wanted, {"_id": 1}, session=session) is not None


async def is_empty(db: Database) -> bool:
    """Tell whether the catalog has no course at all."""
    return await db.course.find_one({}, {"_id": 1}) is None


async def put_all(db: Database, courses: Sequence[Course], session: Session) -> tuple[int, int]:
    """Store each course under its courseID; return how many were added and how many changed."""
    writes = [UpdateOne({"courseID": course.courseID}, {"$set": to_row(course)}, upsert=True) for course in courses]
    result = await db.course.bulk_write(shuffle(writes), session=session)
    return result.upserted_count, result.modified_count


def to_course(document: Mapping[str, Any]) -> Course:
    """Read a stored course; what the Flask site left out or wrote as text is read as it was meant."""
    return Course(
        courseID=str(document["courseID"]),
        title=str(document.get("title") or ""),
        description=str(document.get("description") or ""),
        credits=_number(document.get("credits", 0)),
        term=str(document.get("term") or ""),
        subject=str(document.get("subject") or ""),
        prerequisites=_names(document.get("prerequisites")),
        corequisites=_names(document.get("corequisites")),
    )


def to_row(course: Course) -> Document:
    """Return the course as a row; what others are called stands in their own."""
    return {name: fact for name, fact in asdict(course).items() if name not in DERIVED_FIELDS}


def _names(stored: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in stored) if isinstance(stored, list) else ()


def _number(stored: Any) -> int | float:
    try:
        number = float(str(stored))  # a Decimal128 too
    except ValueError:
        number = nan
    if not isfinite(number):
        return 0  # `upgrade-db` lists such a course
    return int(number) if number.is_integer() else number
