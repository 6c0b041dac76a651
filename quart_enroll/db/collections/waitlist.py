"""The collection `waitlist`: students who wait for a seat in a section, first come, first served."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel, UpdateOne

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.sections import to_int
from quart_enroll.db.collections.users import HAS_USER_ID
from quart_enroll.db.queries import message_codec, pipelines
from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SectionKey, WaitlistEntry
from quart_enroll.i18n.language import Sentence

INDEXES = [
    # Unique indexes begin with the shard key (see docs/deploy.md): MongoDB refuses any other on a sharded collection.
    IndexModel([("term", 1), ("courseID", 1), ("user_id", 1)], unique=True),
    IndexModel([("term", 1), ("courseID", 1), ("section", 1), ("place", 1)], unique=True),
    IndexModel([("user_id", 1), ("term", 1)]),
]

REPLACED_INDEXES = [IndexModel([("user_id", 1), ("term", 1), ("courseID", 1)], unique=True)]
"""The indexes of earlier versions whose promise one of INDEXES keeps now; `upgrade-db` drops them."""

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
        "skipped_because": message_codec.SENTENCE_SCHEMA,
        "moved_at": {"bsonType": "date"},
        "overrides": {"bsonType": "array", "items": {"bsonType": "string"}},
    },
}


HAS_SECTION_AND_USER = HAS_USER_ID | section_keys.HAS_KEY
"""Matches entries that name a student and a section; `check-seats` lists the others."""

UNKNOWN_JOINED_AT = datetime(1970, 1, 1, tzinfo=UTC)
"""When a student joined, if the row doesn't say."""


async def add(db: Database, entry: WaitlistEntry, session: Session | None) -> None:
    """Add an entry at its place, or at the end if a wrong counter of the section led to a place that is taken."""
    row = _row(entry)
    place = section_keys.to_filter(entry.key) | {"place": entry.place}
    # Not an insert: a violation of the unique index would abort the whole transaction.
    result = await db.waitlist.update_one(place, {"$setOnInsert": row}, upsert=True, session=session)
    if result.upserted_id is None:
        numbered = section_keys.to_filter(entry.key) | {"place": {"$type": "number"}}
        last: Document | None = await db.waitlist.find_one(numbered, sort=[("place", -1)], session=session)
        end = entry.place if last is None else to_int(last["place"]) + 1
        await db.waitlist.insert_one(place | row | {"place": end}, session=session)


async def add_all(db: Database, entries: Iterable[WaitlistEntry], session: Session) -> None:
    """Add several entries; raise BulkWriteError if one of their places is taken."""
    await db.waitlist.insert_many([to_row(one) for one in entries], session=session)


async def find(
    db: Database, user_id: int, term: str, courseID: str, session: Session | None = None
) -> WaitlistEntry | None:
    """Return the student's entry for the course, or None."""
    row = await db.waitlist.find_one(_course_filter(user_id, term, courseID), session=session)
    return None if row is None else to_entry(row)


async def find_terms(db: Database, user_id: int, courseID: str) -> set[str]:
    """Return the terms in which the student waits for the course."""
    return set(await db.waitlist.distinct("term", {"user_id": user_id, "courseID": courseID}))


async def find_by_section(db: Database, key: SectionKey, session: Session | None = None) -> list[WaitlistEntry]:
    """Return the section's waitlist, in order."""
    found = db.waitlist.find(section_keys.to_filter(key), session=session).sort("place")
    return [to_entry(row) async for row in found if isinstance(row.get("user_id"), int | float)]


async def has_swaps(db: Database, key: SectionKey) -> bool:
    """Return whether a student waits for the section to swap another course for it."""
    wanted = section_keys.to_filter(key) | {"drop_if_enrolled": {"$type": "string"}}
    return await db.waitlist.find_one(wanted, {"_id": 1}) is not None


async def find_in_term(db: Database, user_id: int, term: str, session: Session | None = None) -> list[WaitlistEntry]:
    """Return the student's entries in that term, in the order of courseID."""
    found = db.waitlist.find({"user_id": user_id, "term": term}, session=session).sort("courseID")
    return [to_entry(row) async for row in found if has_course(row)]


async def find_in_all_terms(db: Database, user_id: int, session: Session | None = None) -> list[WaitlistEntry]:
    """Return the student's entries in all terms."""
    found = db.waitlist.find({"user_id": user_id}, session=session)
    return [to_entry(row) async for row in found if has_course(row)]


async def find_by_students(
    db: Database, user_ids: Collection[int], session: Session | None = None
) -> list[WaitlistEntry]:
    """Return the entries of these students in all terms."""
    if not user_ids:
        return []
    found = db.waitlist.find({"user_id": {"$in": list(user_ids)}}, session=session)
    return [to_entry(row) async for row in found if has_course(row)]


async def find_skipped_students(db: Database, term: str) -> list[int]:
    """Return the students who couldn't take an open seat in that term, and are still waiting for it."""
    found = await db.waitlist.distinct("user_id", {"term": term, "skipped_because": {"$exists": True}})
    return [user_id for user_id in found if isinstance(user_id, int)]


async def find_positions(db: Database, user_id: int) -> dict[SectionKey, tuple[int, int]]:
    """Return the student's position, from 1 and without gaps, and how many wait, for each of the student's entries."""
    found = db.waitlist.aggregate(pipelines.waitlist_positions(user_id))
    return {section_keys.from_row(row): (row["position"], row["of"]) async for row in found if has_course(row)}


async def remove(db: Database, entry: WaitlistEntry, session: Session | None) -> None:
    """Remove the entry."""
    await db.waitlist.delete_one(_course_filter(entry.user_id, entry.key.term, entry.key.courseID), session=session)


async def remove_all(db: Database, key: SectionKey, user_ids: Collection[int], session: Session) -> None:
    """Remove these students from the section's waitlist."""
    wanted = section_keys.to_filter(key) | {"user_id": {"$in": list(user_ids)}}
    await db.waitlist.delete_many(wanted, session=session)


async def move(db: Database, entry: WaitlistEntry, position: int, session: Session | None) -> tuple[int, int]:
    """Move the entry to the position, from 1 or else the last; return the positions before and after.

    The places stay the same; those between the two positions get other students.
    """
    line = await find_by_section(db, entry.key, session)
    before = next(index for index, one in enumerate(line) if one.user_id == entry.user_id)
    after = min(position, len(line)) - 1
    if before != after:
        await db.waitlist.bulk_write(_moves(line, before, after), session=session)
    return before + 1, after + 1


def _moves(line: Sequence[WaitlistEntry], before: int, after: int) -> list[UpdateOne]:
    """Return the writes that move one entry: it makes room first, because two rows can't have the same place."""
    step = 1 if after > before else -1
    places = [(line[before], line[-1].place + 1)]
    places += [(line[index], line[index - step].place) for index in range(before + step, after + step, step)]
    places.append((line[before], line[after].place))
    return [
        UpdateOne(_course_filter(one.user_id, one.key.term, one.key.courseID), {"$set": {"place": place}})
        for one, place in places
    ]


async def record_skip(db: Database, entry: WaitlistEntry, reason: Sentence, session: Session | None) -> None:
    """Record why the student could not take a seat that was open."""
    await db.waitlist.update_one(
        _course_filter(entry.user_id, entry.key.term, entry.key.courseID),
        {"$set": {"skipped_because": message_codec.encode(reason)}},
        session=session,
    )


def to_row(entry: WaitlistEntry) -> Document:
    """Return the entry as a row."""
    return section_keys.to_filter(entry.key) | {"place": entry.place} | _row(entry)


def to_entry(row: Mapping[str, Any]) -> WaitlistEntry:
    """Read a stored entry; one without a place is the first, as nobody knows who was before."""
    row_id, joined_at, moved_at = (row.get(name) for name in ("_id", "joined_at", "moved_at"))
    created_at = row_id.generation_time if isinstance(row_id, ObjectId) else UNKNOWN_JOINED_AT
    return WaitlistEntry(
        user_id=to_int(row["user_id"]),
        key=section_keys.from_row(row),
        place=to_int(row.get("place")),
        joined_at=joined_at if isinstance(joined_at, datetime) else created_at,
        drop_if_enrolled=row.get("drop_if_enrolled"),
        skipped_because=message_codec.decode(row.get("skipped_because")),
        moved_at=moved_at if isinstance(moved_at, datetime) else None,
        overrides=frozenset(map(Override, row.get("overrides", ()))),
    )


def has_course(row: Mapping[str, Any]) -> bool:
    """Return whether the row names a term and a course; `check-seats` lists the others."""
    return all(isinstance(row.get(name), str) for name in ("term", "courseID"))


def _row(entry: WaitlistEntry) -> Document:
    overrides = {"overrides": sorted(entry.overrides)} if entry.overrides else {}
    return {
        "user_id": entry.user_id,
        "joined_at": entry.joined_at,
        "drop_if_enrolled": entry.drop_if_enrolled,
        "skipped_because": message_codec.encode(entry.skipped_because),
    } | overrides


def _course_filter(user_id: int, term: str, courseID: str) -> Document:
    return {"user_id": user_id, "term": term, "courseID": courseID}
