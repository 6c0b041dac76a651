"""The collection `appointment`: enrollment appointments, at most one for each student and term.

`at` is when it was last assigned or changed, and `author` is who did it.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.appointments import Appointment, RecordedAppointment
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH

ORDER = [("starts_at", 1), ("user_id", 1)]
"""The order of a term's list."""

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1)], unique=True),
    IndexModel([("term", 1), *ORDER]),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "term", "starts_at", "at", "author"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "starts_at": {"bsonType": "date"},
        "ends_at": {"bsonType": "date"},
        "max_credits": {"bsonType": "number", "minimum": 0, "maximum": 100},
        "at": {"bsonType": "date"},
        "author": {"bsonType": ["int", "long"]},
    },
}

BATCH_SIZE = 500
"""Rows in memory at the same time."""


def to_appointment(row: Mapping[str, Any]) -> Appointment:
    """Return the appointment of a row."""
    return Appointment(row["term"], row["starts_at"], row.get("ends_at"), row.get("max_credits"))


def to_record(row: Mapping[str, Any]) -> RecordedAppointment:
    """Return the appointment of a row, with its student and its author."""
    return RecordedAppointment(row["user_id"], to_appointment(row), row["at"], row["author"])


async def put(
    db: Database, user_id: int, appointment: Appointment, author: int, at: datetime, session: Session
) -> Appointment | None:
    """Store the student's appointment in the term; return the one that it replaces, if any."""
    key = {"user_id": user_id, "term": appointment.term}
    row = _to_row(user_id, appointment, author, at)
    replaced: Document | None = await db.appointment.find_one_and_replace(key, row, upsert=True, session=session)
    return None if replaced is None else to_appointment(replaced)


async def remove(db: Database, user_id: int, term: str, session: Session) -> Appointment | None:
    """Remove the student's appointment in the term; return it, or None if there was none."""
    row: Document | None = await db.appointment.find_one_and_delete({"user_id": user_id, "term": term}, session=session)
    return None if row is None else to_appointment(row)


async def find(db: Database, user_id: int, term: str, session: Session | None = None) -> RecordedAppointment | None:
    """Return the student's appointment in the term, or None."""
    row = await db.appointment.find_one({"user_id": user_id, "term": term}, session=session)
    return None if row is None else to_record(row)


async def find_of_student(db: Database, user_id: int) -> list[RecordedAppointment]:
    """Return all appointments of the student."""
    return [to_record(row) for row in await db.appointment.find({"user_id": user_id}).to_list(None)]


async def find_in_terms(
    db: Database, terms: Collection[str], user_ids: Collection[int] | None = None
) -> dict[tuple[int, str], Appointment]:
    """Return all appointments in these terms, or those of some students, by user_id and term."""
    of_students = {} if user_ids is None else {"user_id": {"$in": list(user_ids)}}
    rows = db.appointment.find({"term": {"$in": list(terms)}} | of_students, batch_size=BATCH_SIZE)
    return {(row["user_id"], row["term"]): to_appointment(row) async for row in rows}


async def find_limited(db: Database, term: str, user_ids: Sequence[int]) -> list[int]:
    """Return those of the students whose appointment in the term has a credit limit of its own."""
    wanted = {"user_id": {"$in": list(user_ids)}, "term": term, "max_credits": {"$exists": True}}
    return [row["user_id"] for row in await db.appointment.find(wanted, {"user_id": 1}).to_list(None)]


async def count(db: Database, term: str, user_id: int | None = None) -> int:
    """Return how many appointments the term has, or 1 or 0 for a student."""
    return await db.appointment.count_documents(_to_filter(term, user_id))


async def find_page(
    db: Database, term: str, skip: int, at_most: int, user_id: int | None = None
) -> list[RecordedAppointment]:
    """Return a page of the term's appointments in ORDER, or of those of a student."""
    rows = db.appointment.find(_to_filter(term, user_id)).sort(ORDER).skip(skip).limit(at_most)
    return [to_record(row) for row in await rows.to_list(at_most)]


async def batches(
    db: Database, term: str, user_id: int | None = None
) -> AsyncGenerator[list[RecordedAppointment], None]:
    """Yield all appointments of the term in batches, in ORDER, or those of a student."""
    cursor = db.appointment.find(_to_filter(term, user_id), batch_size=BATCH_SIZE).sort(ORDER)
    try:
        while rows := await cursor.to_list(BATCH_SIZE):
            yield [to_record(row) for row in rows]
    finally:
        await cursor.close()


def _to_row(user_id: int, appointment: Appointment, author: int, at: datetime) -> Document:
    limits = {"ends_at": appointment.ends_at, "max_credits": appointment.max_credits}
    given = {name: value for name, value in limits.items() if value is not None}
    row: Document = {"user_id": user_id, "term": appointment.term, "starts_at": appointment.starts_at}
    return row | given | {"at": at, "author": author}


def _to_filter(term: str, user_id: int | None) -> Document:
    return {"term": term} | ({} if user_id is None else {"user_id": user_id})
