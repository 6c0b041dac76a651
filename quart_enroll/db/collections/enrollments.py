"""The collection `enrollment`: the courses in which students are enrolled, or were and have withdrawn."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from sys import intern
from typing import Any

from pymongo import IndexModel, InsertOne, UpdateOne

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.courses import to_courses
from quart_enroll.db.collections.sections import match_with_courses, to_sections
from quart_enroll.db.queries import multi_find
from quart_enroll.domain import grades, pools
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.models import (
    MAX_TERM_NAME_LENGTH,
    Course,
    Registration,
    RosterSeat,
    Section,
    SectionKey,
    deleted_section,
)
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
        "overrides": {"bsonType": "array", "items": {"bsonType": "string"}},
        "grade": {"bsonType": "string", "minLength": 1, "maxLength": grades.MAX_CHARACTERS},
        "anonymous": {"bsonType": "bool"},
        "pool": {"bsonType": "string", "minLength": 1, "maxLength": pools.MAX_NAME_LENGTH},
    },
}


async def put(
    db: Database,
    user_id: int,
    key: SectionKey,
    at: datetime,
    session: Session | None,
    overrides: Collection[Override] = NO_OVERRIDES,
    pool: str = "",
) -> None:
    """Enroll the student in the section; a withdrawn course becomes an enrolled one again.

    The `overrides` are the rules that staff set aside for the seat; `check-seats` reads them. The seat belongs to the
    `pool`, if it is given.
    """
    wanted, change = _put(user_id, key, at, pool)
    if overrides:
        change = {"$set": change["$set"] | {"overrides": sorted(overrides)}, "$unset": {"grade": ""}}
    await db.enrollment.update_one(wanted, change, upsert=True, session=session)


async def put_all(
    db: Database,
    new: Iterable[tuple[int, SectionKey, datetime, str]],
    withdrawn: Iterable[tuple[int, SectionKey, datetime, str]],
    session: Session,
) -> None:
    """Enroll each student in a section and pool, as `put` does; the `new` have no row for the course and the term yet.

    Raises BulkWriteError if one of them has. An insertion costs MongoDB half as much as an update that may insert.
    """
    inserts = [InsertOne(_course_filter(user_id, key) | _values(key, at, pool)) for user_id, key, at, pool in new]
    updates = [UpdateOne(*_put(*one), upsert=True) for one in withdrawn]
    await db.enrollment.bulk_write([*inserts, *updates], session=session)


async def remove(db: Database, user_id: int, key: SectionKey, session: Session | None) -> bool:
    """Remove the enrollment without a trace; return whether rules were set aside for it."""
    wanted, fields = _course_filter(user_id, key), {"overrides": 1}
    row: Document | None = await db.enrollment.find_one_and_delete(wanted, fields, session=session)
    return bool(row and row.get("overrides"))


async def remove_all(db: Database, key: SectionKey, user_ids: Collection[int], session: Session) -> None:
    """Remove these students' enrollments in the section without a trace; withdrawn ones stay."""
    wanted = section_keys.to_filter(key) | {"user_id": {"$in": list(user_ids)}, "status": "enrolled"}
    await db.enrollment.delete_many(wanted, session=session)


async def withdraw(db: Database, user_id: int, key: SectionKey, session: Session | None) -> None:
    """Mark the enrollment as withdrawn; it stays on the schedule."""
    change = {"$set": {"status": "withdrawn"}}
    await db.enrollment.update_one(_course_filter(user_id, key), change, session=session)


async def make_anonymous(db: Database, user_id: int, session: Session) -> None:
    """Note that the student's rows stay, although the account is removed."""
    await db.enrollment.update_many({"user_id": user_id}, {"$set": {"anonymous": True}}, session=session)


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


async def find_keys(db: Database, user_id: int, term: str, courseID: str) -> list[SectionKey]:
    """Return the section in which the student has the course in that term, withdrawn or not, if there is one."""
    found = db.enrollment.find({"user_id": user_id, "courseID": courseID, "term": term})
    return [section_keys.from_row(row) for row in await found.to_list(None)]


async def find_by_seats(db: Database, seats: Sequence[StudentSeat]) -> list[Registration]:
    """Return the registrations of these seats, except for deleted courses."""
    return await to_registrations(db, [asdict(seat.key) | {"status": seat.status} for seat in seats])


async def to_registrations(
    db: Database, rows: Sequence[Document], session: Session | None = None
) -> list[Registration]:
    """Join enrollments with their courses and sections, in the order of courseID; omit those of deleted courses.

    This happens in Python: MongoDB's own `$lookup` of three fields took four times as long.
    """
    keys = [section_keys.from_row(row) for row in rows if has_course(row)]
    if not keys:
        return []
    found = await multi_find.find(db, match_with_courses(keys), session)
    return join(rows, to_courses(found["course"]), to_sections(found["section"]))


def join(
    rows: Iterable[Document], courses: Mapping[str, Course], sections: Mapping[SectionKey, Section]
) -> list[Registration]:
    """Join enrollments with these courses and sections, as `to_registrations` does."""
    keys = [(row, section_keys.from_row(row)) for row in rows if has_course(row)]
    joined = [
        Registration(courses[key.courseID], sections.get(key) or deleted_section(key), _status(row), to_pool(row))
        for row, key in keys
        if key.courseID in courses
    ]
    return sorted(joined, key=lambda one: one.courseID)


def has_course(row: Document) -> bool:
    """Return whether the row names a course; `check-seats` lists the others."""
    return isinstance(row.get("courseID"), str)


async def find_terms_by_course(
    db: Database, user_ids: Collection[int], courseIDs: Collection[str], session: Session | None
) -> dict[int, list[tuple[str, str, str]]]:
    """Return, for each student, the courses of `courseIDs` that they take or took, each with its term and grade.

    Those from which they have withdrawn have the grade WITHDRAWN.
    """
    wanted = {"user_id": {"$in": list(user_ids)}, "courseID": {"$in": list(courseIDs)}, "term": {"$exists": True}}
    found = db.enrollment.find(wanted | {"status": {"$in": ["enrolled", "withdrawn"]}}, session=session)
    by_student = defaultdict(list)
    for row in await found.to_list(None):
        grade = grades.WITHDRAWN if row["status"] == "withdrawn" else to_grade(row)
        by_student[row["user_id"]].append((row["courseID"], str(row["term"]), grade))
    return by_student


async def find_taken(db: Database, user_id: int, session: Session | None = None) -> list[tuple[str, str, str]]:
    """Return the courses in which the student is enrolled, in any term, each with its term and grade."""
    wanted = {"user_id": user_id, "status": "enrolled", "term": {"$exists": True}}
    rows = await db.enrollment.find(wanted, session=session).to_list(None)
    return [(row["courseID"], str(row["term"]), to_grade(row)) for row in rows if has_course(row)]


async def find_grades(
    db: Database, user_ids: Collection[int], terms: Collection[str], session: Session | None
) -> dict[tuple[int, str, str], str]:
    """Return the grades of these students, by user_id, term and courseID; empty where none is recorded."""
    wanted = {"user_id": {"$in": list(user_ids)}, "term": {"$in": list(terms)}}
    rows = await db.enrollment.find(wanted, session=session).to_list(None)
    return {(row["user_id"], row["term"], row["courseID"]): to_grade(row) for row in rows if has_course(row)}


async def set_grades(db: Database, new: Mapping[tuple[int, str, str], str], session: Session) -> None:
    """Record grades by user_id, term and courseID; an empty grade removes the recorded one."""
    writes = [
        UpdateOne(
            {"user_id": user_id, "courseID": courseID, "term": term},
            {"$set": {"grade": grade}} if grade else {"$unset": {"grade": ""}},
        )
        for (user_id, term, courseID), grade in new.items()
    ]
    if writes:
        await db.enrollment.bulk_write(writes, session=session)


def to_pool(row: Mapping[str, Any]) -> str:
    """Return the name of the pool to which the seat belongs; empty for an unreserved one."""
    pool = row.get("pool")
    return pool if isinstance(pool, str) else ""


def to_grade(row: Mapping[str, Any]) -> str:
    """Return the recorded grade; empty for none."""
    grade = row.get("grade")
    return intern(grade) if isinstance(grade, str) else ""


async def count_pools(db: Database, key: SectionKey, user_ids: Collection[int], session: Session) -> Counter[str]:
    """Count the seats that these students have in pools of the section, by the names of the pools."""
    wanted = section_keys.to_filter(key) | {"user_id": {"$in": list(user_ids)}, "status": "enrolled"}
    rows = await db.enrollment.find(wanted, {"pool": 1}, session=session).to_list(None)
    return Counter(pool for row in rows if (pool := to_pool(row)))


async def find_section_keys(db: Database, user_id: int, session: Session | None = None) -> list[SectionKey]:
    """Return the sections in which the student is enrolled, in any term."""
    wanted = {"user_id": user_id, "status": "enrolled", "term": {"$exists": True}, "section": {"$exists": True}}
    return [section_keys.from_row(row) async for row in db.enrollment.find(wanted, session=session)]


async def find_enrolled(db: Database, key: SectionKey, user_ids: Collection[int], session: Session | None) -> set[int]:
    """Return those of the users who are enrolled in the section."""
    wanted = section_keys.to_filter(key) | {"status": "enrolled", "user_id": {"$in": list(user_ids)}}
    return {row["user_id"] async for row in db.enrollment.find(wanted, {"_id": 0, "user_id": 1}, session=session)}


async def find_by_section(db: Database, key: SectionKey, session: Session | None = None) -> list[RosterSeat]:
    """Return the seats of the section's students, withdrawn ones included."""
    found = db.enrollment.find(section_keys.to_filter(key), session=session)
    return [
        RosterSeat(row["user_id"], _status(row), row["enrolled_at"])
        async for row in found
        if isinstance(row.get("user_id"), int | float)
    ]


def _status(row: Document) -> str:
    return "withdrawn" if row.get("status") == "withdrawn" else "enrolled"


def _put(user_id: int, key: SectionKey, at: datetime, pool: str) -> tuple[Document, Document]:
    outdated = {"overrides": "", "grade": ""} | ({} if pool else {"pool": ""})
    return _course_filter(user_id, key), {"$set": _values(key, at, pool), "$unset": outdated}


def _values(key: SectionKey, at: datetime, pool: str) -> Document:
    values: Document = {"section": key.section, "enrolled_at": at, "status": "enrolled"}
    return values | {"pool": pool} if pool else values


def _course_filter(user_id: int, key: SectionKey) -> Document:
    return {"user_id": user_id, "courseID": key.courseID, "term": key.term}
