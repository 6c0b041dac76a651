"""The collection `feed`: digests of the tokens in the private links to students' calendars, one for each student."""

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


async def put(db: Database, user_id: int, digest: str, made_at: datetime, session: Session) -> None:
    """Store the digest of the student's token in place of the previous one."""
    change = {"$set": {"token": digest, "made_at": made_at}}
    await db.feed.update_one({"user_id": user_id}, change, upsert=True, session=session)


async def remove(db: Database, user_id: int, session: Session | None = None) -> int:
    """Remove the student's token and return how many there were: one or none."""
    return int((await db.feed.delete_one({"user_id": user_id}, session=session)).deleted_count)


async def find_owner(db: Database, digest: str) -> int | None:
    """Return the user_id of the student whose token has this digest, or None."""
    row: Document | None = await db.feed.find_one({"token": digest}, {"_id": 0, "user_id": 1})
    return None if row is None else row["user_id"]
