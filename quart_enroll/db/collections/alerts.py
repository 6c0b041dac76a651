"""The collection `alert`: students who want a notice when a seat opens in a section.

An alert is removed with its notice. MongoDB removes the others at `expires_at`, the end of the term.
"""

from collections.abc import Collection
from datetime import datetime

from pymongo import IndexModel

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SectionKey

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1), ("courseID", 1), ("section", 1)], unique=True),
    IndexModel([("term", 1), ("courseID", 1), ("section", 1)]),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "courseID", "term", "section", "asked_at", "expires_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "asked_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
    },
}


async def add(
    db: Database, user_id: int, key: SectionKey, at: datetime, expires_at: datetime, session: Session | None
) -> None:
    """Add an alert; an existing one stays as it is."""
    change = {"$setOnInsert": {"asked_at": at, "expires_at": expires_at}}
    await db.alert.update_one(_alert(user_id, key), change, upsert=True, session=session)


async def find_by_student(db: Database, user_id: int, session: Session | None = None) -> list[SectionKey]:
    """Return the sections for which the student has alerts, in the order of their keys."""
    found = db.alert.find({"user_id": user_id}, session=session).sort(section_keys.SORT_ORDER)
    return [section_keys.from_row(row) async for row in found]


async def remove(db: Database, user_id: int, key: SectionKey) -> None:
    """Remove the student's alert, if there is one."""
    await db.alert.delete_one(_alert(user_id, key))


async def find_students(db: Database, key: SectionKey, session: Session | None) -> list[int]:
    """Return the user_ids of the students who have an alert for the section."""
    found = db.alert.find(section_keys.to_filter(key), {"_id": 0, "user_id": 1}, session=session).sort("user_id")
    return [row["user_id"] async for row in found]


async def remove_all(db: Database, key: SectionKey, user_ids: Collection[int], session: Session | None) -> None:
    """Remove these students' alerts for the section."""
    wanted = section_keys.to_filter(key) | {"user_id": {"$in": list(user_ids)}}
    await db.alert.delete_many(wanted, session=session)


async def find_sections(db: Database, session: Session | None) -> list[SectionKey]:
    """Return all sections that have alerts."""
    key: Document = {name: f"${name}" for name in section_keys.KEY_FIELDS}
    found = db.alert.aggregate([{"$group": {"_id": key}}], session=session)
    return [section_keys.from_row(row["_id"]) async for row in found]


def _alert(user_id: int, key: SectionKey) -> Document:
    return section_keys.to_filter(key) | {"user_id": user_id}
