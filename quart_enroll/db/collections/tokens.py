"""The collection `token`: access tokens with which programs act for a user. Only their digests are stored."""

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
from quart_enroll.domain.scopes import Scope

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
        "scope": {"enum": [*Scope]},
        "created_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
        "last_used_at": {"bsonType": ["date", "null"]},
    },
}


async def add(db: Database, token: Token, digest: str, session: Session | None = None) -> None:
    """Add a token under its digest; raise TokenNameTaken if the user has one of that name."""
    try:
        await db.token.insert_one({"_id": digest} | asdict(token), session=session)
    except DuplicateKeyError as error:
        if "name" not in duplicate_key_fields(error):
            raise
        raise TokenNameTaken(token.name) from error


async def find_by_user(db: Database, user_id: int, now: datetime) -> list[Token]:
    """Return the user's tokens that have not expired, in the order of their names."""
    found = db.token.find({"user_id": user_id, "expires_at": {"$gt": now}}).sort("name")
    return [to_token(row) async for row in found]


async def find(db: Database, digest: str, now: datetime) -> tuple[Token, User] | None:
    """Return the token with this digest and its user; None if it has expired or never existed."""
    async for row in db.token.aggregate(pipelines.token_owner(digest, now)):
        return to_token(row), to_user(row["user"])
    return None


async def record_use(db: Database, token: Token, now: datetime) -> None:
    """Record that the token was used, unless another request has just done so."""
    unchanged = {"user_id": token.user_id, "name": token.name, "last_used_at": token.last_used_at}
    await db.token.update_one(unchanged, {"$set": {"last_used_at": now}})


async def revoke(db: Database, user_id: int, token_id: str) -> bool:
    """Revoke the user's token; return False if there is none."""
    return bool((await db.token.delete_one({"user_id": user_id, "token_id": token_id})).deleted_count)


async def revoke_all(db: Database, user_id: int, session: Session | None = None) -> int:
    """Revoke all tokens of the user; return how many there were."""
    return int((await db.token.delete_many({"user_id": user_id}, session=session)).deleted_count)


async def remove_expired(db: Database, user_id: int, now: datetime) -> None:
    """Remove expired tokens, which MongoDB does only once a minute, so that their names can be used again."""
    await db.token.delete_many({"user_id": user_id, "expires_at": {"$lte": now}})


def to_token(row: Mapping[str, Any]) -> Token:
    """Read a stored token."""
    return Token(**{name: row[name] for name in Token.__dataclass_fields__} | {"scope": Scope(row["scope"])})
