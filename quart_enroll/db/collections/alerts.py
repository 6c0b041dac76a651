"""The collection `alert`: who wants to be told when a seat opens in which section; what was told is gone.

MongoDB removes what nobody was told by the end of the term, at `expires_at`.
"""

from collections.abc import Collection
from datetime import datetime

from pymongo import IndexModel

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
    """Store that the student asks; who has asked before has asked since then."""
    facts = {"asked_at": at, "expires_at": expires_at}
    asked = _section(key) | {"user_id": user_id}
    await db.alert.update_one(asked, {"$setOnInsert": facts}, upsert=True, session=session)


async def find_by_student(db: Database, user_id: int, session: Session | None = None) -> list[SectionKey]:
    """Return the sections that the student asks about, in the order of term, courseID and number."""
    found = db.alert.find({"user_id": user_id}, session=session).sort([("term", 1), ("courseID", 1), ("section", 1)])
    return [_key(document) async for document in found]


async def remove(db: Database, user_id: int, key: SectionKey) -> None:
    """Forget that the student asks; nothing happens when it is forgotten already."""
    await db.alert.delete_one(_section(key) | {"user_id": user_id})


async def find_students(db: Database, key: SectionKey, session: Session | None) -> list[int]:
    """Return who asks about the section."""
    found = db.alert.find(_section(key), {"_id": 0, "user_id": 1}, session=session).sort("user_id")
    return [document["user_id"] async for document in found]


async def remove_all(db: Database, key: SectionKey, users: Collection[int], session: Session | None) -> None:
    """Forget that these students ask about the section."""
    await db.alert.delete_many(_section(key) | {"user_id": {"$in": list(users)}}, session=session)


async def find_sections(db: Database, session: Session | None) -> list[SectionKey]:
    """Return the sections that anybody asks about."""
    each: Document = {name: f"${name}" for name in ("term", "courseID", "section")}
    found = db.alert.aggregate([{"$group": {"_id": each}}], session=session)
    return [_key(document["_id"]) async for document in found]


def _section(key: SectionKey) -> Document:
    return {"term": key.term, "courseID": key.courseID, "section": key.section}


def _key(document: Document) -> SectionKey:
    return SectionKey(document["term"], document["courseID"], document["section"])
