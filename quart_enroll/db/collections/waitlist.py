"""The collection `waitlist`: who waits for which section, first in, first out."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import sections
from quart_enroll.db.collections.sections import to_int
from quart_enroll.db.collections.users import HAS_USER_ID
from quart_enroll.db.queries import message_codec, pipelines
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SectionKey, WaitlistEntry
from quart_enroll.i18n.language import Sentence

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1), ("courseID", 1)], unique=True),
    IndexModel([("term", 1), ("courseID", 1), ("section", 1), ("place", 1)], unique=True),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "courseID", "term", "section", "place", "joined_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "place": {"bsonType": ["int", "long"], "minimum": 1},
        "joined_at": {"bsonType": "date"},
        "drop_if_enrolled": {"bsonType": ["string", "null"]},
        "skipped_because": message_codec.SCHEMA,
        "moved_at": {"bsonType": "date"},
    },
}


HAS_SECTION_AND_USER = HAS_USER_ID | sections.HAS_KEY
"""Places of somebody in some line; `check-seats` lists the others."""

UNKNOWN_JOINED_AT = datetime(1970, 1, 1, tzinfo=UTC)


async def add(db: Database, waiting: WaitlistEntry, session: Session | None) -> None:
    """Store a new place; when somebody has it already, because the section's count is wrong, the last of the line."""
    row = _row(waiting)
    place = _line(waiting.key) | {"place": waiting.place}
    # Not an insert: the unique index would refuse it, and the whole transaction with it.
    result = await db.waitlist.update_one(place, {"$setOnInsert": row}, upsert=True, session=session)
    if result.upserted_id is None:
        numbered = _line(waiting.key) | {"place": {"$type": "number"}}
        last: Document | None = await db.waitlist.find_one(numbered, sort=[("place", -1)], session=session)
        after = waiting.place if last is None else to_int(last["place"]) + 1
        await db.waitlist.insert_one(place | row | {"place": after}, session=session)


async def add_all(db: Database, places: Iterable[WaitlistEntry], session: Session) -> None:
    """Store new places; raise BulkWriteError when somebody has one of them already."""
    rows = [_line(one.key) | {"place": one.place} | _row(one) for one in places]
    await db.waitlist.insert_many(rows, session=session)


async def find(
    db: Database, user_id: int, term: str, courseID: str, session: Session | None = None
) -> WaitlistEntry | None:
    """Return the student's place for the course, or None."""
    document = await db.waitlist.find_one(_entry(user_id, term, courseID), session=session)
    return None if document is None else to_entry(document)


async def find_terms(db: Database, user_id: int, courseID: str) -> set[str]:
    """Return the terms in which the student waits for the course."""
    return set(await db.waitlist.distinct("term", {"user_id": user_id, "courseID": courseID}))


async def find_by_section(db: Database, key: SectionKey, session: Session | None = None) -> list[WaitlistEntry]:
    """Return who waits for the section, in the order of joining."""
    found = db.waitlist.find(_line(key), session=session).sort("place")
    return [to_entry(document) async for document in found if isinstance(document.get("user_id"), int | float)]


async def has_swaps(db: Database, key: SectionKey) -> bool:
    """Tell whether somebody waits for the section to give back another seat for it."""
    linked = _line(key) | {"drop_if_enrolled": {"$type": "string"}}
    return await db.waitlist.find_one(linked, {"_id": 1}) is not None


async def find_in_term(db: Database, user_id: int, term: str, session: Session | None = None) -> list[WaitlistEntry]:
    """Return where the student waits in that term, in the order of courseID."""
    found = db.waitlist.find({"user_id": user_id, "term": term}, session=session).sort("courseID")
    return [to_entry(document) async for document in found if has_course(document)]


async def find_in_all_terms(db: Database, user_id: int, session: Session | None = None) -> list[WaitlistEntry]:
    """Return where the student waits, in any term."""
    found = db.waitlist.find({"user_id": user_id}, session=session)
    return [to_entry(document) async for document in found if has_course(document)]


async def find_positions(db: Database, user_id: int) -> dict[SectionKey, tuple[int, int]]:
    """Return the student's position, from 1 and without gaps, and how many wait, for each section waited for."""
    found = db.waitlist.aggregate(pipelines.waitlist_positions(user_id))
    return {_key(row): (row["position"], row["of"]) async for row in found if has_course(row)}


async def remove(db: Database, waiting: WaitlistEntry, session: Session | None) -> None:
    """Take the student out of the line."""
    await db.waitlist.delete_one(_entry(waiting.user_id, waiting.key.term, waiting.key.courseID), session=session)


async def record_skip(db: Database, waiting: WaitlistEntry, because: Sentence, session: Session | None) -> None:
    """Note why the student could not take a seat that was open."""
    await db.waitlist.update_one(
        _entry(waiting.user_id, waiting.key.term, waiting.key.courseID),
        {"$set": {"skipped_because": message_codec.encode(because)}},
        session=session,
    )


def to_entry(document: Mapping[str, Any]) -> WaitlistEntry:
    """Read a stored place; one without a number is the first, for nobody knows who came before."""
    number, joined_at, moved_at = (document.get(name) for name in ("_id", "joined_at", "moved_at"))
    made = number.generation_time if isinstance(number, ObjectId) else UNKNOWN_JOINED_AT
    return WaitlistEntry(
        user_id=to_int(document["user_id"]),
        key=_key(document),
        place=to_int(document.get("place")),
        joined_at=joined_at if isinstance(joined_at, datetime) else made,
        drop_if_enrolled=document.get("drop_if_enrolled"),
        skipped_because=message_codec.decode(document.get("skipped_because")),
        moved_at=moved_at if isinstance(moved_at, datetime) else None,
    )


def has_course(document: Mapping[str, Any]) -> bool:
    """Tell whether the row says of which course it is a line; `check-seats` lists the others."""
    return all(isinstance(document.get(name), str) for name in ("term", "courseID"))


def _key(document: Mapping[str, Any]) -> SectionKey:
    return SectionKey(document["term"], document["courseID"], str(document.get("section", "")))


def _row(waiting: WaitlistEntry) -> Document:
    return {
        "user_id": waiting.user_id,
        "joined_at": waiting.joined_at,
        "drop_if_enrolled": waiting.drop_if_enrolled,
        "skipped_because": message_codec.encode(waiting.skipped_because),
    }


def _line(key: SectionKey) -> Document:
    return {"term": key.term, "courseID": key.courseID, "section": key.section}


def _entry(user_id: int, term: str, courseID: str) -> Document:
    return {"user_id": user_id, "term": term, "courseID": courseID}
