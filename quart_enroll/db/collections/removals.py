"""The collection `removal`: users who have asked the registrar to remove their account, until there is a decision."""

from datetime import datetime

from pymongo import IndexModel

from quart_enroll.db.client import Database, Session
from quart_enroll.domain.models import RemovalRequest

INDEXES = [
    IndexModel("user_id", unique=True),
    IndexModel([("asked_at", 1), ("user_id", 1)]),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "asked_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "asked_at": {"bsonType": "date"},
    },
}


async def add(db: Database, user_id: int, at: datetime, session: Session | None) -> None:
    """Add the user's request; an existing one stays as it is."""
    await db.removal.update_one({"user_id": user_id}, {"$setOnInsert": {"asked_at": at}}, upsert=True, session=session)


async def find(db: Database, user_id: int) -> RemovalRequest | None:
    """Return the user's request, or None."""
    row = await db.removal.find_one({"user_id": user_id})
    return None if row is None else RemovalRequest(row["user_id"], row["asked_at"])


async def find_all(db: Database) -> list[RemovalRequest]:
    """Return all requests, the oldest first."""
    found = db.removal.find().sort([("asked_at", 1), ("user_id", 1)])
    return [RemovalRequest(row["user_id"], row["asked_at"]) async for row in found]


async def remove(db: Database, user_id: int, session: Session | None = None) -> bool:
    """Remove the user's request; return whether there was one."""
    return bool((await db.removal.delete_one({"user_id": user_id}, session=session)).deleted_count)
