"""The collection `feed`: the secret address of a student's calendar, one for each who made it, as a hash alone."""

from datetime import datetime

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session

INDEXES = [IndexModel("user_id", unique=True), IndexModel("token", unique=True)]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "token", "made_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "token": {"bsonType": "string", "minLength": 64, "maxLength": 64},
        "made_at": {"bsonType": "date"},
    },
}


async def put(db: Database, user_id: int, token: str, made_at: datetime, session: Session) -> None:
    """Store the hash of the student's token; that of the one before goes in the same moment."""
    change = {"$set": {"token": token, "made_at": made_at}}
    await db.feed.update_one({"user_id": user_id}, change, upsert=True, session=session)


async def remove(db: Database, user_id: int, session: Session | None = None) -> int:
    """Remove the student's token and return how many there were, one or none."""
    return int((await db.feed.delete_one({"user_id": user_id}, session=session)).deleted_count)


async def find_owner(db: Database, token: str) -> int | None:
    """Return whose token has this hash, or None."""
    found: Document | None = await db.feed.find_one({"token": token}, {"_id": 0, "user_id": 1})
    return None if found is None else found["user_id"]
