"""The collection `enrollment`: a student holds a seat, or held it and withdrew."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime

from pymongo import IndexModel, UpdateOne

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import match_with_courses, to_section
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, Registration, SectionKey, deleted_section
from quart_enroll.domain.student import StudentSeat

INDEXES = [
    # Rows of the Flask site have a term as soon as `upgrade-db` could place them; the others may stay.
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
    """Give the student a seat; a course that was withdrawn is enrolled again."""
    await db.enrollment.update_one(*_put(user_id, key, at), upsert=True, session=session)


async def put_all(db: Database, seats: Iterable[tuple[int, SectionKey, datetime]], session: Session) -> None:
    """Give each student a seat, as `put` does."""
    await db.enrollment.bulk_write([UpdateOne(*_put(*one), upsert=True) for one in seats], session=session)


async def remove(db: Database, user_id: int, key: SectionKey, session: Session | None) -> None:
    """Take the course off the schedule without a trace."""
    await db.enrollment.delete_one(_course_filter(user_id, key.term, key.courseID), session=session)


async def withdraw(db: Database, user_id: int, key: SectionKey, session: Session | None) -> None:
    """Let the course stay on the schedule as withdrawn."""
    await db.enrollment.update_one(
        _course_filter(user_id, key.term, key.courseID), {"$set": {"status": "withdrawn"}}, session=session
    )


async def find_in_term(db: Database, user_id: int, term: str, session: Session | None = None) -> list[Registration]:
    """Return what the student has in that term, withdrawn courses included, in the order of courseID.

    A seat in a section that was deleted counts; it is one without meetings.
    """
    return await find_in_terms(db, user_id, [term], session)


async def find_in_terms(
    db: Database, user_id: int, terms: Sequence[str], session: Session | None = None
) -> list[Registration]:
    """Return what the student has in those terms, as `find_in_term` does."""
    asked = {"user_id": user_id, "term": {"$in": list(terms)}}
    return await to_registrations(db, await db.enrollment.find(asked, session=session).to_list(None), session)


async def find_by_seats(db: Database, seats: Sequence[StudentSeat]) -> list[Registration]:
    """Return what these seats are; one whose course is gone is none."""
    return await to_registrations(db, [asdict(seat.key) | {"status": seat.status} for seat in seats])


async def to_registrations(
    db: Database, rows: Sequence[Document], session: Session | None = None
) -> list[Registration]:
    """Return what the rows say, in the order of courseID; one whose course is gone says nothing."""
    return [held for _, held in await _join(db, rows, session)]


async def to_registrations_by_student(
    db: Database, rows: Sequence[Document], session: Session | None
) -> list[tuple[int, Registration]]:
    """Return the same for rows of many students, each with its user_id."""
    return [(row["user_id"], held) for row, held in await _join(db, rows, session)]


async def _join(db: Database, rows: Sequence[Document], session: Session | None) -> list[tuple[Document, Registration]]:
    """Look up by hand: MongoDB's own `$lookup` of three fields took four times as long."""
    rows = [row for row in rows if isinstance(row.get("courseID"), str)]
    keys = [SectionKey(row["term"], row["courseID"], str(row.get("section") or "")) for row in rows]
    if not keys:
        return []
    found = await multi_find.find(db, match_with_courses(keys), session)
    courses = {row["courseID"]: to_course(row) for row in found["course"]}
    sections = {one.key: one for one in map(to_section, found["section"])}
    held = [
        (row, Registration(courses[key.courseID], sections.get(key) or deleted_section(key), _status(row)))
        for row, key in zip(rows, keys, strict=True)
        if key.courseID in courses
    ]
    return sorted(held, key=lambda one: one[1].courseID)


async def find_section_keys(db: Database, user_id: int, session: Session | None = None) -> list[SectionKey]:
    """Return the sections in which the student has a seat, in any term."""
    placed = {"user_id": user_id, "status": "enrolled", "term": {"$exists": True}, "section": {"$exists": True}}
    found = db.enrollment.find(placed, session=session)
    return [SectionKey(row["term"], row["courseID"], row["section"]) async for row in found]


async def find_terms(db: Database, user_id: int, courseID: str) -> set[str]:
    """Return the terms in which the student has the course."""
    return set(await db.enrollment.distinct("term", {"user_id": user_id, "courseID": courseID, "status": "enrolled"}))


async def find_enrolled(db: Database, key: SectionKey, users: Collection[int], session: Session | None) -> set[int]:
    """Return those of the users who have a seat in the section."""
    asked = {"term": key.term, "courseID": key.courseID, "section": key.section, "status": "enrolled"}
    found = db.enrollment.find(asked | {"user_id": {"$in": list(users)}}, {"_id": 0, "user_id": 1}, session=session)
    return {row["user_id"] async for row in found}


def _status(enrollment: Document) -> str:
    return "withdrawn" if enrollment.get("status") == "withdrawn" else "enrolled"


def _put(user_id: int, key: SectionKey, at: datetime) -> tuple[Document, Document]:
    change = {"$set": {"section": key.section, "enrolled_at": at, "status": "enrolled"}}
    return _course_filter(user_id, key.term, key.courseID), change


def _course_filter(user_id: int, term: str, courseID: str) -> Document:
    return {"user_id": user_id, "courseID": courseID, "term": term}
