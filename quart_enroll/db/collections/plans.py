"""The collection `plan`: the sections that a student means to take in a term, in the order of `place`.

MongoDB removes what is still planned at the end of the term, at `expires_at`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import message_codec
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, PlannedSection, SectionKey
from quart_enroll.i18n.language import Sentence

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1), ("courseID", 1)], unique=True),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "courseID", "term", "section", "place", "added_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "place": {"bsonType": ["int", "long"], "minimum": 1},
        "added_at": {"bsonType": "date"},
        "because": message_codec.SCHEMA,
        "expires_at": {"bsonType": "date"},
    },
}


async def find_by_student(
    db: Database, user_id: int, term: str, session: Session | None = None
) -> list[PlannedSection]:
    """Return the student's plan for the term, in its order."""
    found = db.plan.find({"user_id": user_id, "term": term}, session=session).sort([("place", 1), ("courseID", 1)])
    return [_to_planned(document) async for document in found]


async def find_terms(db: Database, user_id: int, courseID: str | None = None) -> set[str]:
    """Return the terms for which the student has planned something, or that course."""
    return set(await db.plan.distinct("term", {"user_id": user_id} | ({"courseID": courseID} if courseID else {})))


async def put(
    db: Database, user_id: int, planned: PlannedSection, session: Session | None, *, expires_at: datetime
) -> None:
    """Plan the section; one in place of another section of the course keeps the place of that one."""
    change = {
        "$set": {"section": planned.key.section, "expires_at": expires_at},
        "$setOnInsert": {"place": planned.place, "added_at": planned.added_at},
        "$unset": {"because": ""},
    }
    await db.plan.update_one(_course(user_id, planned.key), change, upsert=True, session=session)


async def swap_places(
    db: Database, user_id: int, one: PlannedSection, other: PlannedSection, session: Session | None
) -> None:
    """Let each of the two have the other's place."""
    for planned, place in ((one, other.place), (other, one.place)):
        await db.plan.update_one(_course(user_id, planned.key), {"$set": {"place": place}}, session=session)


async def set_reason(db: Database, user_id: int, key: SectionKey, because: Sentence) -> None:
    """Write why the section could not be had, if it is planned still."""
    change = {"$set": {"because": message_codec.encode(because)}}
    await db.plan.update_one(_course(user_id, key) | {"section": key.section}, change)


async def remove(db: Database, user_id: int, key: SectionKey, session: Session | None = None) -> None:
    """Take the section out of the plan; nothing happens when it is not there."""
    await db.plan.delete_one(_course(user_id, key) | {"section": key.section}, session=session)


async def remove_course(db: Database, user_id: int, term: str, courseID: str) -> bool:
    """Take the course out of the plan; return whether it was there."""
    result = await db.plan.delete_one({"user_id": user_id, "term": term, "courseID": courseID})
    return bool(result.deleted_count)


def _course(user_id: int, key: SectionKey) -> Document:
    return {"user_id": user_id, "term": key.term, "courseID": key.courseID}


def _to_planned(document: Mapping[str, Any]) -> PlannedSection:
    because = message_codec.decode(document.get("because"))
    return PlannedSection(_key(document), document["place"], document["added_at"], because)


def _key(document: Mapping[str, Any]) -> SectionKey:
    return SectionKey(document["term"], document["courseID"], document["section"])
