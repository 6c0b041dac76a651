"""The collection `email_change`: users who are changing their email, until both addresses have confirmed the change.

MongoDB removes a row when its links expire.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pymongo import IndexModel, ReturnDocument

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import EmailChange, EmailChangeSide

INDEXES = [IndexModel("user_id", unique=True), IndexModel("expires_at", expireAfterSeconds=0)]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "asked_at", "expires_at", "old_email", "new_email", "asks_old", "agreed"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "asked_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
        "old_email": {"bsonType": "string", "maxLength": 254},
        "new_email": {"bsonType": "string", "minLength": 3, "maxLength": 254},
        "asks_old": {"bsonType": "bool"},
        "agreed": {"bsonType": "array", "uniqueItems": True, "items": {"enum": [*EmailChangeSide]}},
    },
}


async def put(db: Database, change: EmailChange, session: Session) -> None:
    """Store the change in place of the user's previous one."""
    await db.email_change.replace_one({"user_id": change.user_id}, _row(change), upsert=True, session=session)


async def find(db: Database, user_id: int, now: datetime, session: Session | None = None) -> EmailChange | None:
    """Return the user's change, or None if there is none or it has expired."""
    row = await db.email_change.find_one({"user_id": user_id, "expires_at": {"$gt": now}}, session=session)
    return None if row is None else _to_change(row)


async def agree(db: Database, change: EmailChange, side: EmailChangeSide, session: Session) -> EmailChange | None:
    """Record that one of the addresses confirmed the change; return it, or None if another one has replaced it."""
    row: Document | None = await db.email_change.find_one_and_update(
        {"user_id": change.user_id, "asked_at": change.asked_at},
        {"$addToSet": {"agreed": side}},
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    return None if row is None else _to_change(row)


async def remove(db: Database, user_id: int, session: Session | None = None) -> None:
    """Remove the user's change, if there is one."""
    await db.email_change.delete_one({"user_id": user_id}, session=session)


def _to_change(row: Mapping[str, Any]) -> EmailChange:
    facts = {name: row[name] for name in EmailChange.__dataclass_fields__}
    return EmailChange(**facts | {"agreed": frozenset(map(EmailChangeSide, row["agreed"]))})


def _row(change: EmailChange) -> Document:
    return asdict(change) | {"agreed": sorted(change.agreed)}
