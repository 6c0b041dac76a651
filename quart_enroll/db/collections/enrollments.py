"""The collection `enrollment`: the courses in which students are enrolled, or were and have withdrawn."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from pymongo import IndexModel, UpdateOne

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import match_with_courses, to_section
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, Registration, SectionKey, deleted_section
from quart_enroll.domain.student import StudentSeat

INDEXES = [
    # The Flask site's rows have no term until `upgrade-db` can tell which; those may stay.
    IndexModel(
        [("user_id", 1), ("courseID", 1), ("term", 1)],
        name="one_seat",
        unique=True,
        partialFilterExpression={"term": {"$exists": True}},
    ),
    IndexModel([("user_id", 1), ("term", 1)]),
    IndexModel([("term", 1), ("courseID", 1), ("section", 1)]),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "courseID", "term", "section", "enrolled_at", "status"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "enrolled_at": {"bsonType": "date"},
        "status": {"enum": ["enrolled", "withdrawn"]},
        "moved_at": {"bsonType": "date"},
    },
}


async def put(db: Database, user_id: int, key: SectionKey, at: datetime, session: Session | None) -> None:
    """Enroll the student in the section; a withdrawn course becomes an enrolled one again."""
    await db.enrollment.update_one(*_put(user_id, key, at), upsert=True, session=session)


async def put_all(db: Database, seats: Iterable[tuple[int, SectionKey, datetime]], session: Session) -> None:
    """Enroll each student in a section, as `put` does."""
    await db.enrollment.bulk_write([UpdateOne(*_put(*one), upsert=True) for one in seats], session=session)


async def remove(db: Database, user_id: int, key: SectionKey, session: Session | None) -> None:
    """Remove the enrollment without a trace."""
    await db.enrollment.delete_one(_course_filter(user_id, key), session=session)


async def withdraw(db: Database, user_id: int, key: SectionKey, session: Session | None) -> None:
    """Mark the enrollment as withdrawn; it stays on the schedule."""
    change = {"$set": {"status": "withdrawn"}}
    await db.enrollment.update_one(_course_filter(user_id, key), change, session=session)


async def find_in_term(db: Database, user_id: int, term: str, session: Session | None = None) -> list[Registration]:
    """Return the student's registrations in that term, withdrawn ones included, in the order of courseID.

    A deleted section is returned without meetings.
    """
    return await find_in_terms(db, user_id, [term], session)


async def find_in_terms(
    db: Database, user_id: int, terms: Sequence[str], session: Session | None = None
) -> list[Registration]:
    """Return the student's registrations in those terms, as `find_in_term` does."""
    wanted = {"user_id": user_id, "term": {"$in": list(terms)}}
    return await to_registrations(db, await db.enrollment.find(wanted, session=session).to_list(None), session)


async def find_by_seats(db: Database, seats: Sequence[StudentSeat]) -> list[Registration]:
    """Return the registrations of these seats, except for deleted courses."""
    return await to_registrations(db, [asdict(seat.key) | {"status": seat.status} for seat in seats])


async def to_registrations(
    db: Database, rows: Sequence[Document], session: Session | None = None
) -> list[Registration]:
    """Join enrollments with their courses and sections, in the order of courseID; omit those of deleted courses."""
    return [registration for _, registration in await _join(db, rows, session)]


async def to_registrations_by_student(
    db: Database, rows: Sequence[Document], session: Session | None
) -> list[tuple[int, Registration]]:
    """Join the enrollments of several students, as `to_registrations` does; return each with its user_id."""
    return [(row["user_id"], registration) for row, registration in await _join(db, rows, session)]


async def _join(db: Database, rows: Sequence[Document], session: Session | None) -> list[tuple[Document, Registration]]:
    """Join in Python: MongoDB's own `$lookup` of three fields took four times as long."""
    rows = [row for row in rows if isinstance(row.get("courseID"), str)]
    keys = [section_keys.from_row(row) for row in rows]
    if not keys:
        return []
    found = await multi_find.find(db, match_with_courses(keys), session)
    courses = {row["courseID"]: to_course(row) for row in found["course"]}
    sections = {one.key: one for one in map(to_section, found["section"])}
    joined = [
        (row, Registration(courses[key.courseID], sections.get(key) or deleted_section(key), _status(row)))
        for row, key in zip(rows, keys, strict=True)
        if key.courseID in courses
    ]
    return sorted(joined, key=lambda one: one[1].courseID)


async def find_section_keys(db: Database, user_id: int, session: Session | None = None) -> list[SectionKey]:
    """Return the sections in which the student is enrolled, in any term."""
    wanted = {"user_id": user_id, "status": "enrolled", "term": {"$exists": True}, "section": {"$exists": True}}
    return [section_keys.from_row(row) async for row in db.enrollment.find(wanted, session=session)]


async def find_terms(db: Database, user_id: int, courseID: str) -> set[str]:
    """Return the terms in which the student is enrolled in the course."""
    return set(await db.enrollment.distinct("term", {"user_id": user_id, "courseID": courseID, "status": "enrolled"}))


async def find_enrolled(db: Database, key: SectionKey, user_ids: Collection[int], session: Session | None) -> set[int]:
    """Return those of the users who are enrolled in the section."""
    wanted = section_keys.to_filter(key) | {"status": "enrolled", "user_id": {"$in": list(user_ids)}}
    return {row["user_id"] async for row in db.enrollment.find(wanted, {"_id": 0, "user_id": 1}, session=session)}


def _status(row: Document) -> str:
    return "withdrawn" if row.get("status") == "withdrawn" else "enrolled"


def _put(user_id: int, key: SectionKey, at: datetime) -> tuple[Document, Document]:
    change = {"$set": {"section": key.section, "enrolled_at": at, "status": "enrolled"}}
    return _course_filter(user_id, key), change


def _course_filter(user_id: int, key: SectionKey) -> Document:
    return {"user_id": user_id, "courseID": key.courseID, "term": key.term}
