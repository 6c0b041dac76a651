"""The collection `hold`: what offices block for students. Lifted holds stay on record."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.holds import Hold, HoldBlock

INDEXES = [IndexModel([("user_id", 1), ("lifted_at", 1)])]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "type", "office", "reason", "contact", "blocks", "placed_at", "placed_by"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "type": {"bsonType": "string"},
        "office": {"bsonType": "string"},
        "reason": {"bsonType": "string"},
        "contact": {"bsonType": "string"},
        "blocks": {"bsonType": "array", "items": {"enum": [*HoldBlock]}},
        "placed_at": {"bsonType": "date"},
        "placed_by": {"bsonType": ["int", "long"]},
        "lifted_at": {"bsonType": "date"},
        "lifted_by": {"bsonType": ["int", "long"]},
        "lift_reason": {"bsonType": "string"},
    },
}

IS_ACTIVE: Document = {"lifted_at": None}
"""Matches holds that nobody has lifted."""


def to_hold(row: Mapping[str, Any]) -> Hold:
    """Return the hold of a row."""
    blocks = frozenset(map(HoldBlock, row["blocks"]))
    return Hold(row["type"], row["office"], row["reason"], row["contact"], blocks)


async def add(db: Database, user_id: int, hold: Hold, by: int, at: datetime, session: Session) -> str:
    """Add the student's hold, and return its key."""
    row = {
        "user_id": user_id,
        "type": hold.type,
        "office": hold.office,
        "reason": hold.reason,
        "contact": hold.contact,
        "blocks": sorted(hold.blocks),
        "placed_at": at,
        "placed_by": by,
    }
    return str((await db.hold.insert_one(row, session=session)).inserted_id)


async def lift(db: Database, user_id: int, hold_id: str, by: int, at: datetime, reason: str, session: Session) -> bool:
    """Lift the student's hold; return False if there is no such hold or it is lifted already."""
    if not ObjectId.is_valid(hold_id):
        return False
    wanted = IS_ACTIVE | {"_id": ObjectId(hold_id), "user_id": user_id}
    change = {"$set": {"lifted_at": at, "lifted_by": by, "lift_reason": reason}}
    return bool((await db.hold.update_one(wanted, change, session=session)).modified_count)
