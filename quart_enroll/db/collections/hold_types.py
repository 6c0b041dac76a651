"""The collection `hold_type`: the school's own list of types of holds. Each hold copies the facts of its type."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.holds import HoldBlock, HoldType

INDEXES = [IndexModel("name", unique=True)]

SCHEMA = {
    "bsonType": "object",
    "required": ["name", "office", "contact", "blocks"],
    "properties": {
        "name": {"bsonType": "string"},
        "office": {"bsonType": "string"},
        "contact": {"bsonType": "string"},
        "blocks": {"bsonType": "array", "minItems": 1, "items": {"enum": [*HoldBlock]}},
    },
}


def to_row(type: HoldType) -> Document:
    """Return the row of the type."""
    return asdict(type) | {"blocks": sorted(type.blocks)}


async def find_all(db: Database, session: Session | None = None) -> list[HoldType]:
    """Return all types, sorted by name."""
    return [_to_type(row) async for row in db.hold_type.find({}, session=session).sort("name", 1)]


async def find(db: Database, name: str, session: Session | None = None) -> HoldType | None:
    """Return the type, or None."""
    row = await db.hold_type.find_one({"name": name}, session=session)
    return None if row is None else _to_type(row)


async def put(db: Database, type: HoldType, session: Session | None = None) -> HoldType | None:
    """Add the type, or replace the one of its name; return the one that was there before, or None."""
    row: Document | None = await db.hold_type.find_one_and_update(
        {"name": type.name}, {"$set": to_row(type)}, upsert=True, session=session
    )
    return None if row is None else _to_type(row)


async def remove(db: Database, name: str, session: Session) -> bool:
    """Remove the type; return False if there is none of that name."""
    return bool((await db.hold_type.delete_one({"name": name}, session=session)).deleted_count)


def _to_type(row: Mapping[str, Any]) -> HoldType:
    return HoldType(row["name"], row["office"], row["contact"], frozenset(map(HoldBlock, row["blocks"])))
