"""The collection `hold`: holds that offices place on students. Lifted holds stay on record.

`at` is when a hold was placed. A hold that has ended is lifted by the system soon after `ends_at`.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel

from quart_enroll.db import cursors, log_pages
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.holds import Hold, HoldBlock, HoldFilter, RecordedHold

INDEXES = [
    IndexModel([("user_id", 1), ("lifted_at", 1)]),
    IndexModel([("lifted_at", 1), ("ends_at", 1)]),
    IndexModel(cursors.LATEST_FIRST),
    IndexModel([("type", 1), *cursors.LATEST_FIRST]),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "type", "office", "reason", "contact", "blocks", "at", "placed_by"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "type": {"bsonType": "string"},
        "office": {"bsonType": "string"},
        "reason": {"bsonType": "string"},
        "contact": {"bsonType": "string"},
        "blocks": {"bsonType": "array", "minItems": 1, "items": {"enum": [*HoldBlock]}},
        "begins_at": {"bsonType": "date"},
        "ends_at": {"bsonType": "date"},
        "at": {"bsonType": "date"},
        "placed_by": {"bsonType": ["int", "long"]},
        "lifted_at": {"bsonType": "date"},
        "lifted_by": {"bsonType": ["int", "long"]},
        "lift_reason": {"bsonType": "string"},
    },
}

IS_NOT_LIFTED: Document = {"lifted_at": None}
"""Matches holds that haven't been lifted."""


def to_hold(row: Mapping[str, Any]) -> Hold:
    """Return the hold of a row."""
    blocks = frozenset(map(HoldBlock, row["blocks"]))
    period = row.get("begins_at"), row.get("ends_at")
    return Hold(row["type"], row["office"], row["reason"], row["contact"], blocks, *period)


def to_record(row: Mapping[str, Any]) -> RecordedHold:
    """Return the hold of a row, with the staff who placed and lifted it."""
    return RecordedHold(
        str(row["_id"]),
        row["user_id"],
        to_hold(row),
        row["at"],
        row["placed_by"],
        row.get("lifted_at"),
        row.get("lifted_by"),
        row.get("lift_reason", ""),
    )


def to_row(user_id: int, hold: Hold, by: int, at: datetime) -> Document:
    """Return the row of a hold that this person places on the student."""
    given = {name: value for name, value in asdict(hold).items() if value is not None}
    return given | {"user_id": user_id, "blocks": sorted(hold.blocks), "at": at, "placed_by": by}


async def add(db: Database, user_id: int, hold: Hold, by: int, at: datetime, session: Session) -> str:
    """Add the student's hold, and return its key."""
    row = to_row(user_id, hold, by, at)
    return str((await db.hold.insert_one(row, session=session)).inserted_id)


async def lift(
    db: Database, user_id: int, hold_id: str, by: int | None, at: datetime, reason: str, session: Session
) -> Hold | None:
    """Lift the student's hold, and return it; return None if there is no such hold or it is lifted already.

    `by` is None for a hold that has ended on its date.
    """
    if not ObjectId.is_valid(hold_id):
        return None
    wanted = IS_NOT_LIFTED | {"_id": ObjectId(hold_id), "user_id": user_id}
    lifted = {"lifted_at": at} | ({} if by is None else {"lifted_by": by, "lift_reason": reason})
    row: Document | None = await db.hold.find_one_and_update(wanted, {"$set": lifted}, session=session)
    return None if row is None else to_hold(row)


async def find(db: Database, user_id: int, hold_id: str) -> RecordedHold | None:
    """Return the student's hold, or None."""
    if not ObjectId.is_valid(hold_id):
        return None
    row = await db.hold.find_one({"_id": ObjectId(hold_id), "user_id": user_id})
    return None if row is None else to_record(row)


async def find_of_student(
    db: Database, user_id: int, type: str = "", session: Session | None = None
) -> list[RecordedHold]:
    """Return all holds of the student, or those of a type, lifted ones included, the latest first."""
    wanted = {"user_id": user_id} | ({"type": type} if type else {})
    rows = await db.hold.find(wanted, session=session).to_list(None)
    return sorted(map(to_record, rows), key=lambda one: (one.placed_at, one.hold_id), reverse=True)


async def find_ended(db: Database, now: datetime, at_most: int) -> list[RecordedHold]:
    """Return holds that have ended and are not lifted yet, those that ended first."""
    wanted = IS_NOT_LIFTED | {"ends_at": {"$lte": now}}
    rows = await db.hold.find(wanted).sort("ends_at", 1).limit(at_most).to_list(at_most)
    return [to_record(row) for row in rows]


async def find_next_end(db: Database, now: datetime) -> datetime | None:
    """Return when the next hold ends after now; None if no hold does."""
    row = await db.hold.find_one(IS_NOT_LIFTED | {"ends_at": {"$gt": now}}, {"ends_at": 1}, sort=[("ends_at", 1)])
    return None if row is None else row["ends_at"]


async def find_page(db: Database, wanted: HoldFilter, after: str, at_most: int) -> tuple[list[RecordedHold], str]:
    """Return a page of these holds and the cursor of the next page, as `log_pages.find_page` does."""
    rows, cursor = await log_pages.find_page(db.hold, _to_filter(wanted), after, at_most)
    return [to_record(row) for row in rows], cursor


async def batches(db: Database, wanted: HoldFilter) -> AsyncGenerator[list[RecordedHold], None]:
    """Yield all these holds in batches, the latest first."""
    async for rows in log_pages.batches(db.hold, _to_filter(wanted)):
        yield [to_record(row) for row in rows]


def _to_filter(wanted: HoldFilter) -> Document:
    found: Document = {}
    if wanted.user_id is not None:
        found["user_id"] = wanted.user_id
    if wanted.type:
        found["type"] = wanted.type
    if wanted.is_lifted is not None:
        found["lifted_at"] = {"$ne": None} if wanted.is_lifted else None
    return found
