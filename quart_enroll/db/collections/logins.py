"""The collection `login`: one row for each sign-in that has not ended.

Its `_id` is the digest of what the cookie says: who reads the database can't make a cookie of it.
"""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pymongo import IndexModel

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections.users import to_user
from quart_enroll.db.queries import pipelines
from quart_enroll.db.queries.student_facts import hashable_row_id
from quart_enroll.domain.models import Login, User

INDEXES = [IndexModel("user_id"), IndexModel("expires_at", expireAfterSeconds=0)]

SCHEMA = {
    "bsonType": "object",
    "required": ["_id", "user_id", "created_at", "expires_at"],
    "properties": {
        "_id": {"bsonType": "string", "minLength": 32},
        "user_id": {"bsonType": ["int", "long"]},
        "created_at": {"bsonType": "date"},
        "last_used_at": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
        "remembered": {"bsonType": "bool"},
        "address": {"bsonType": "string", "maxLength": 50},
        "agent": {"bsonType": "string", "maxLength": 100},
        "held": {"bsonType": ["int", "long"]},
    },
}

IS_USABLE = {"last_used_at": {"$exists": True}}
"""Sign-ins of today; an earlier version of the site kept the cookie's own words in `_id`, which fit no cookie now."""


class LiveLogin(NamedTuple):
    """A live sign-in, whose it is, and whether notices wait for them."""

    login: Login
    user: User
    has_notices: bool
    user_row: Hashable

    @property
    def row_ids(self) -> frozenset[Hashable] | None:
        """What it came from, for who remembers it: that notices are waiting is to be told once and forgotten."""
        return None if self.has_notices else frozenset((self.user_row, self.user.user_id))

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return 1200


async def add(db: Database, login: Login, session: Session) -> None:
    """Store a new sign-in."""
    await db.login.insert_one(
        {
            "_id": login.key,
            "user_id": login.user_id,
            "created_at": login.created_at,
            "last_used_at": login.last_used_at,
            "expires_at": login.expires_at,
            "remembered": login.remembered,
            "address": login.address,
            "agent": login.agent,
        },
        session=session,
    )


async def find(db: Database, key: str, now: datetime) -> LiveLogin | None:
    """Return the sign-in and whose it is; None when it has ended or never was."""
    async for document in db.login.aggregate(pipelines.live_login(key, now)):
        owner = document["user"]
        return LiveLogin(_to_login(document), to_user(owner), bool(document["notices"]), hashable_row_id(owner["_id"]))
    return None


async def find_by_user(db: Database, user_id: int, now: datetime) -> list[Login]:
    """Return where the user is signed in, the sign-in that was used last first."""
    found = db.login.find(IS_USABLE | {"user_id": user_id, "expires_at": {"$gt": now}}).sort("last_used_at", -1)
    return [_to_login(document) async for document in found]


async def record_use(db: Database, login: Login, now: datetime, expires_at: datetime) -> None:
    """Write that the sign-in is in use, unless another request has just done so or it has ended."""
    await db.login.update_one(
        {"_id": login.key, "last_used_at": login.last_used_at},
        {"$set": {"last_used_at": now, "expires_at": expires_at}},
    )


async def lock(db: Database, key: str, session: Session) -> bool:
    """Let the sign-in not end before the transaction does; return False when it has ended already."""
    result = await db.login.update_one({"_id": key}, {"$inc": {"held": 1}}, session=session)
    return bool(result.matched_count)


async def end(db: Database, key: str) -> None:
    """End the sign-in; nothing happens when it has ended already."""
    await db.login.delete_one({"_id": key})


async def end_own(db: Database, user_id: int, key: str) -> None:
    """End the sign-in if it is this user's."""
    await db.login.delete_one({"_id": key, "user_id": user_id})


async def end_least_recent(db: Database, user_id: int, keep: int, session: Session) -> None:
    """End the user's sign-ins except the `keep` most recently used ones."""
    found = db.login.find({"user_id": user_id}, {"_id": 1}, session=session).sort("last_used_at", -1).skip(keep)
    if ended := [document["_id"] async for document in found]:
        await db.login.delete_many({"_id": {"$in": ended}}, session=session)


async def end_all(db: Database, user_id: int, session: Session | None) -> int:
    """End all sign-ins of the user and return how many there were."""
    return int((await db.login.delete_many({"user_id": user_id}, session=session)).deleted_count)


async def end_unusable(db: Database) -> int:
    """Remove the sign-ins of an earlier version of the site; return how many there were."""
    result = await db.login.delete_many({"last_used_at": {"$exists": False}})
    return int(result.deleted_count)


def _to_login(document: Mapping[str, Any]) -> Login:
    return Login(
        key=document["_id"],
        user_id=document["user_id"],
        created_at=document["created_at"],
        last_used_at=document["last_used_at"],
        expires_at=document["expires_at"],
        remembered=document["remembered"],
        address=document["address"],
        agent=document["agent"],
    )
