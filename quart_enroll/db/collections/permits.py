"""The collection `permit`: permits of students. `section` is empty for all sections of the course."""

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

from bson import ObjectId
from pymongo import IndexModel

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SectionKey
from quart_enroll.domain.permits import MAX_MESSAGE_LENGTH, Permit, PermitStatus, RecordedPermit

IS_REQUESTED: Document = {"status": PermitStatus.REQUESTED}
"""Matches requests that haven't been decided yet."""

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1)]),
    IndexModel([("term", 1), ("courseID", 1), ("at", -1)]),
    # A student has one open request for a section; staff look for those of many sections.
    IndexModel(
        [("term", 1), ("courseID", 1), ("section", 1), ("user_id", 1)],
        unique=True,
        partialFilterExpression=IS_REQUESTED,
    ),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "term", "courseID", "section", "overrides", "status", "at", "author", "reason"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "section": {"bsonType": "string", "maxLength": 10},
        "overrides": {"bsonType": "array", "minItems": 1, "items": {"enum": [*Override]}},
        "status": {"enum": [*PermitStatus]},
        "at": {"bsonType": "date"},
        "author": {"bsonType": ["int", "long"]},
        "reason": {"bsonType": "string"},
        "by_registrar": {"bsonType": "bool"},
        "message": {"bsonType": "string", "maxLength": MAX_MESSAGE_LENGTH},
        "expires_at": {"bsonType": "date"},
        "used_for": {"bsonType": "string", "minLength": 1, "maxLength": 10},
    },
}

IS_GRANTED: Document = {"status": PermitStatus.GRANTED}
"""Matches permits that were granted and not revoked, used ones included."""


def to_permit(row: Mapping[str, Any]) -> Permit:
    """Return the permit of a row."""
    return Permit(
        str(row["_id"]),
        row["term"],
        row["courseID"],
        row["section"],
        frozenset(map(Override, row["overrides"])),
        row.get("expires_at"),
        row.get("used_for", ""),
    )


def to_permits(rows: Iterable[Mapping[str, Any]]) -> list[Permit]:
    """Return the permits of these rows, the earliest first."""
    return [to_permit(row) for row in sorted(rows, key=lambda row: row["_id"])]


def to_record(row: Mapping[str, Any]) -> RecordedPermit:
    """Return the permit of a row, as staff see it on the record."""
    status = PermitStatus(row["status"])
    about = row["author"], row["reason"], row.get("by_registrar", True), row.get("message", "")
    return RecordedPermit(to_permit(row), row["user_id"], status, row["at"], *about)


async def add(db: Database, wanted: RecordedPermit, session: Session) -> RecordedPermit:
    """Add the permit, and return it with its key."""
    permit = wanted.permit
    row: Document = {
        "user_id": wanted.user_id,
        "term": permit.term,
        "courseID": permit.courseID,
        "section": permit.section,
        "overrides": sorted(permit.overrides),
        "status": wanted.status,
        "at": wanted.at,
        "author": wanted.author,
        "reason": wanted.reason,
        "by_registrar": wanted.by_registrar,
    }
    row |= {"expires_at": permit.expires_at} if permit.expires_at else {}
    row |= {"message": wanted.message} if wanted.message else {}
    await db.permit.insert_one(row, session=session)
    return to_record(row)


async def find(db: Database, permit_id: str, session: Session | None = None) -> RecordedPermit | None:
    """Return the permit, or None."""
    if not ObjectId.is_valid(permit_id):
        return None
    row = await db.permit.find_one({"_id": ObjectId(permit_id)}, session=session)
    return None if row is None else to_record(row)


async def find_of_student(
    db: Database, user_id: int, term: str = "", session: Session | None = None
) -> list[RecordedPermit]:
    """Return all permits of the student, or those for a term, the latest first."""
    wanted = {"user_id": user_id} | ({"term": term} if term else {})
    rows = await db.permit.find(wanted, session=session).to_list(None)
    return [to_record(row) for row in sorted(rows, key=lambda row: row["_id"], reverse=True)]


async def find_of_section(db: Database, key: SectionKey) -> list[RecordedPermit]:
    """Return the permits for the section or for its whole course, the latest first."""
    wanted = {"term": key.term, "courseID": key.courseID, "section": {"$in": ["", key.section]}}
    return [to_record(row) for row in await db.permit.find(wanted).sort("at", -1).to_list(None)]


async def find_requested(db: Database, keys: Set[SectionKey]) -> list[RecordedPermit]:
    """Return the open requests for these sections, the earliest first."""
    terms, courseIDs = {one.term for one in keys}, {one.courseID for one in keys}
    wanted = IS_REQUESTED | {"term": {"$in": sorted(terms)}, "courseID": {"$in": sorted(courseIDs)}}
    found = [to_record(row) async for row in db.permit.find(wanted).sort("_id")]
    return [one for one in found if one.key in keys]


async def decide(db: Database, decided: RecordedPermit, session: Session) -> bool:
    """Store what staff decided about a request; return False if it is no longer open."""
    change = {
        "status": decided.status,
        "at": decided.at,
        "author": decided.author,
        "reason": decided.reason,
        "by_registrar": decided.by_registrar,
    }
    wanted = IS_REQUESTED | {"_id": ObjectId(decided.permit.permit_id)}
    return (await db.permit.update_one(wanted, {"$set": change}, session=session)).modified_count == 1


async def remove_requests(db: Database, user_id: int, permit: Permit, session: Session) -> bool:
    """Remove the student's open requests for what the permit covers; return whether there was one."""
    where = {"term": permit.term, "courseID": permit.courseID} | ({"section": permit.section} if permit.section else {})
    result = await db.permit.delete_many(IS_REQUESTED | where | {"user_id": user_id}, session=session)
    return bool(result.deleted_count)


async def remove_all_requests(db: Database, key: SectionKey, session: Session) -> list[int]:
    """Remove all open requests for the section, and return the students."""
    wanted = IS_REQUESTED | section_keys.to_filter(key)
    students = [row["user_id"] async for row in db.permit.find(wanted, {"user_id": 1}, session=session)]
    await db.permit.delete_many(wanted, session=session)
    return students


async def use(db: Database, user_id: int, permits: Collection[Permit], key: SectionKey, session: Session) -> None:
    """Note that the student's seat in the section uses these permits up."""
    wanted = {"_id": {"$in": [ObjectId(one.permit_id) for one in permits]}, "user_id": user_id}
    await db.permit.update_many(wanted, {"$set": {"used_for": key.section}}, session=session)


async def give_back(db: Database, user_ids: Collection[int], key: SectionKey, session: Session | None) -> None:
    """Make the permits that these students' seats in the section used up usable again."""
    wanted = {
        "user_id": {"$in": list(user_ids)},
        "term": key.term,
        "courseID": key.courseID,
        "used_for": key.section,
    }
    await db.permit.update_many(wanted, {"$unset": {"used_for": ""}}, session=session)


async def revoke(db: Database, permit_id: str, session: Session) -> bool:
    """Revoke the permit; return False if there is none, or if it is revoked or used."""
    wanted = IS_GRANTED | {"_id": ObjectId(permit_id), "used_for": {"$exists": False}}
    result = await db.permit.update_one(wanted, {"$set": {"status": PermitStatus.REVOKED}}, session=session)
    return result.modified_count == 1
