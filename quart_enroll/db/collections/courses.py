"""The collection `course`: the catalog."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from math import isfinite, nan
from typing import Any

from pymongo import IndexModel, UpdateOne

from quart_enroll.db.client import Database, Document, Session, shuffle
from quart_enroll.domain.models import Course, RepeatAction
from quart_enroll.domain.requisite_rules import counted_as

INDEXES = [
    IndexModel("courseID", unique=True),
    IndexModel("equivalents", partialFilterExpression={"equivalents": {"$exists": True}}),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["courseID", "title", "description", "credits", "term"],
    "properties": {
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "title": {"bsonType": "string", "minLength": 1, "maxLength": 100},
        "description": {"bsonType": "string", "maxLength": 2000},
        # The Flask site's import files have text like "3"; it is read as a number, and `upgrade-db` converts it.
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
        # The form allows 500 characters in the usual spelling; courseIDs in another one may be longer.
        "requisite": {"bsonType": "string", "maxLength": 10_000},
        "restriction": {"bsonType": "string", "maxLength": 1000},
        "max_attempts": {"bsonType": ["int", "long"], "minimum": 0},
        "withdrawals_count": {"bsonType": "bool"},
        "repeat_action": {"enum": [*RepeatAction]},
        "equivalents": {"bsonType": "array", "items": {"bsonType": "string"}},
    },
}


DERIVED_FIELDS = ("needs", "corequisite_names")
"""Fields of Course that hold the names of other courses, and aren't stored."""

_RULES = ("requisite", "restriction", "max_attempts", "withdrawals_count", "repeat_action", "equivalents")

DEFAULT_RULES = {one.name: one.default for one in fields(Course) if one.name in _RULES}
"""Fields that most courses don't have: storing the default would change every old course in the next import."""

HAS_COURSE_ID = {"courseID": {"$type": "string"}}
"""Matches courses with a proper courseID; `upgrade-db` lists the others."""


async def find(db: Database, courseID: str, session: Session | None = None) -> Course | None:
    """Return the course, or None."""
    row = await db.course.find_one({"courseID": courseID}, session=session)
    return None if row is None else to_course(row)


async def find_all(db: Database, session: Session | None = None) -> list[Course]:
    """Return all courses in the order of courseID."""
    return [to_course(row) async for row in db.course.find(HAS_COURSE_ID, session=session).sort("courseID")]


async def find_names(db: Database, courseIDs: Sequence[str], session: Session | None = None) -> list[str]:
    """Return the names of these courses, in their order; for a deleted course its courseID."""
    found = db.course.find({"courseID": {"$in": list(courseIDs)}}, session=session)
    names = {course.courseID: course.name for course in [to_course(row) async for row in found]}
    return [names.get(courseID, courseID) for courseID in courseIDs]


async def is_needed_beside(db: Database, courseID: str, courseIDs: Collection[str], session: Session | None) -> bool:
    """Return whether one of the courses `courseIDs` may need this one in the same term."""
    found = db.course.find({"courseID": {"$in": list(courseIDs)}}, session=session)
    return any(courseID in to_course(row).same_term_courses for row in await found.to_list(None))


async def find_equivalents(db: Database, courseIDs: Collection[str], session: Session | None) -> dict[str, list[str]]:
    """Return the equivalents of the courses that have any."""
    wanted = {"courseID": {"$in": list(courseIDs)}, "equivalents": {"$exists": True}}
    found = db.course.find(wanted, {"_id": 0, "courseID": 1, "equivalents": 1}, session=session)
    return {row["courseID"]: list(_names(row["equivalents"])) for row in await found.to_list(None)}


async def find_counted_as(db: Database, courseIDs: Collection[str], session: Session | None) -> dict[str, list[str]]:
    """Return what each of these courses counts as, if anything."""
    found = db.course.find({"equivalents": {"$in": list(courseIDs)}}, session=session)
    return counted_as({row["courseID"]: _names(row["equivalents"]) for row in await found.to_list(None)})


async def is_empty(db: Database) -> bool:
    """Return whether there are no courses."""
    return await db.course.find_one({}, {"_id": 1}) is None


async def put_all(db: Database, courses: Sequence[Course], session: Session) -> tuple[int, int]:
    """Store courses by courseID; return how many were added and how many changed."""
    writes = [UpdateOne({"courseID": course.courseID}, _update(course), upsert=True) for course in courses]
    result = await db.course.bulk_write(shuffle(writes), session=session)
    return result.upserted_count, result.modified_count


def to_course(row: Mapping[str, Any]) -> Course:
    """Read a stored course; fields that the Flask site left out, or stored as text, are converted."""
    return Course(
        courseID=str(row["courseID"]),
        title=str(row.get("title") or ""),
        description=str(row.get("description") or ""),
        credits=_number(row.get("credits", 0)),
        term=str(row.get("term") or ""),
        subject=str(row.get("subject") or ""),
        prerequisites=_names(row.get("prerequisites")),
        corequisites=_names(row.get("corequisites")),
        requisite=str(row.get("requisite") or ""),
        restriction=str(row.get("restriction") or ""),
        max_attempts=_whole_number(row.get("max_attempts")),
        withdrawals_count=row.get("withdrawals_count") is True,
        repeat_action=RepeatAction.WARN if row.get("repeat_action") == "warn" else RepeatAction.REFUSE,
        equivalents=_names(row.get("equivalents")),
    )


def to_courses(rows: Iterable[Mapping[str, Any]]) -> dict[str, Course]:
    """Read stored courses, by courseID."""
    return {course.courseID: course for course in map(to_course, rows)}


def to_row(course: Course) -> Document:
    """Return the course as a row, without DERIVED_FIELDS, and without DEFAULT_RULES."""
    left_out = {name for name, default in DEFAULT_RULES.items() if getattr(course, name) == default}
    return {name: value for name, value in asdict(course).items() if name not in left_out.union(DERIVED_FIELDS)}


def _update(course: Course) -> Document:
    row = to_row(course)
    empty = {name: "" for name in DEFAULT_RULES if name not in row}
    return {"$set": row} | ({"$unset": empty} if empty else {})


def _names(stored: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in stored) if isinstance(stored, list) else ()


def _whole_number(stored: Any) -> int:
    """Return a stored number of attempts; 0 for what another program may have stored wrongly."""
    return stored if isinstance(stored, int) and stored > 0 else 0


def _number(stored: Any) -> int | float:
    try:
        number = float(str(stored))  # a Decimal128 too
    except ValueError:
        number = nan
    if not isfinite(number):
        return 0  # `upgrade-db` lists such a course
    return int(number) if number.is_integer() else number
