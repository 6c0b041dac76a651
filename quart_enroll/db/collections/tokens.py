"""The collection `token`: what lets programs act for a user; of the token itself only the hash is stored."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Session, duplicate_key_fields
from quart_enroll.db.collections.users import to_user
from quart_enroll.db.queries import pipelines
from quart_enroll.domain.errors import TokenNameTaken
from quart_enroll.domain.models import Token, User

INDEXES = [
    IndexModel([("user_id", 1), ("name", 1)], unique=True),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["_id", "token_id", "user_id", "name", "scope", "created_at", "expires_at", "last_used_at"],
    "properties": {
        "_id": {"bsonType": "string", "minLength": 64, "maxLength": 64},
        "token_id": {"bsonType": "string", "minLength": 16},
        "user_id": {"bsonType": ["int", "long"]},
        "name": {"bsonType": "string", "minLength": 1, "maxLength": 50},
        "scope": {"enum": ["read", "enroll"]},
        "created_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
        "last_used_at": {"bsonType": ["date", "null"]},
    },
}


async def add(db: Database, token: Token, digest: str, session: Session | None = None) -> None:
    """Store a new token under its hash; raise TokenNameTaken when the user has one of that name."""
    try:
        await db.token.insert_one({"_id": digest} | asdict(token), session=session)
    except DuplicateKeyError as error:
        if "name" not in duplicate_key_fields(error):
            raise
        raise TokenNameTaken(token.name) from error


async def find_by_user(db: Database, user_id: int, now: datetime) -> list[Token]:
    """Return the user's tokens that have not ended, in the order of their names."""
    found = db.token.find({"user_id": user_id, "expires_at": {"$gt": now}}).sort("name")
    return [to_token(document) async for document in found]


async def find(db: Database, digest: str, now: datetime) -> tuple[Token, User] | None:
    """Return the token with this hash and whose it is; None when it has ended or never was."""
    async for document in db.token.aggregate(pipelines.token_owner(digest, now)):
        return to_token(document), to_user(document["user"])
    return None


async def record_use(db: Database, token: Token, now: datetime) -> None:
    """Note that the token was used, unless another request did so in the meantime."""
    unchanged = {"user_id": token.user_id, "name": token.name, "last_used_at": token.last_used_at}
    await db.token.update_one(unchanged, {"$set": {"last_used_at": now}})


async def revoke(db: Database, user_id: int, token_id: str) -> bool:
    """End the user's token; return False when there is none to end."""
    return bool((await db.token.delete_one({"user_id": user_id, "token_id": token_id})).deleted_count)


async def revoke_all(db: Database, user_id: int, session: Session | None = None) -> int:
    """End every token of the user and return how many there were."""
    return int((await db.token.delete_many({"user_id": user_id}, session=session)).deleted_count)


async def remove_expired(db: Database, user_id: int, now: datetime) -> None:
    """Remove those that are over, which MongoDB does only once a minute: their names are free again."""
    await db.token.delete_many({"user_id": user_id, "expires_at": {"$lte": now}})


def to_token(document: Mapping[str, Any]) -> Token:
    """Read a stored token."""
    return Token(**{name: document[name] for name in Token.__dataclass_fields__})
