"""The collection `login`: the sign-ins that have not ended.

The `_id` is the digest of the token in the cookie, so the database alone is not enough to make a cookie.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.users import to_user
from quart_enroll.db.queries import pipelines
from quart_enroll.db.queries.student_facts import hashable_row_id
from quart_enroll.domain.models import Login, User, Viewing

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
        "confirmed_at": {"bsonType": "date"},
        "remembered": {"bsonType": "bool"},
        "address": {"bsonType": "string", "maxLength": 50},
        "agent": {"bsonType": "string", "maxLength": 100},
        "held": {"bsonType": ["int", "long"]},
        "viewing": {
            "bsonType": "object",
            "required": ["user_id", "until"],
            "properties": {"user_id": {"bsonType": ["int", "long"]}, "until": {"bsonType": "date"}},
        },
    },
}

IS_USABLE = {"last_used_at": {"$exists": True}}
"""Matches usable sign-ins; an earlier version of the site stored the token itself in `_id`, which no longer works."""


class LiveLogin(NamedTuple):
    """A sign-in that has not ended, its user, and whether the user has unseen notices."""

    login: Login
    user: User
    has_notices: bool
    user_row_id: Hashable

    @property
    def row_ids(self) -> frozenset[Hashable] | None:
        """The keys that invalidate it in a cache; None, not to be cached, with notices, which are shown only once."""
        return None if self.has_notices else frozenset((self.user_row_id, self.user.user_id))

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return 1200


async def add(db: Database, login: Login, session: Session) -> None:
    """Add a sign-in."""
    await db.login.insert_one(to_row(login), session=session)


async def find(db: Database, key: str, now: datetime) -> LiveLogin | None:
    """Return the sign-in with its user; None if it has ended or never existed."""
    found = (await find_many(db, [key])).get(key)
    return found if found and found.login.expires_at > now else None


async def find_many(db: Database, keys: Sequence[str]) -> dict[str, LiveLogin]:
    """Return the sign-ins with their users, by key; some may have expired a moment ago."""
    found = {}
    async for row in db.login.aggregate(pipelines.live_logins(keys)):
        login, user = _to_login(row), row["user"]
        found[login.key] = LiveLogin(login, to_user(user), bool(row["notices"]), hashable_row_id(user["_id"]))
    return found


async def find_by_user(db: Database, user_id: int, now: datetime) -> list[Login]:
    """Return the user's sign-ins, the most recently used first."""
    found = db.login.find(IS_USABLE | {"user_id": user_id, "expires_at": {"$gt": now}}).sort("last_used_at", -1)
    return [_to_login(row) async for row in found]


async def record_use(db: Database, login: Login, now: datetime, expires_at: datetime) -> None:
    """Record that the sign-in was used, unless another request has just done so or it has ended."""
    await db.login.update_one(
        {"_id": login.key, "last_used_at": login.last_used_at},
        {"$set": {"last_used_at": now, "expires_at": expires_at}},
    )


async def record_confirmation(db: Database, key: str, now: datetime) -> None:
    """Record that the user has entered the password again."""
    await db.login.update_one({"_id": key}, {"$set": {"confirmed_at": now}})


async def begin_viewing(db: Database, key: str, viewing: Viewing, session: Session) -> bool:
    """Record that the user sees the site as a student; return False if the sign-in has ended, or does so already."""
    change = {"$set": {"viewing": asdict(viewing)}}
    result = await db.login.update_one({"_id": key, "viewing": {"$exists": False}}, change, session=session)
    return bool(result.matched_count)


async def end_viewing(db: Database, key: str, viewing: Viewing, session: Session) -> bool:
    """Record that the user no longer does; return False if that is recorded already, or the sign-in has ended."""
    recorded = {"viewing.user_id": viewing.user_id, "viewing.until": viewing.until}
    result = await db.login.update_one({"_id": key} | recorded, {"$unset": {"viewing": ""}}, session=session)
    return bool(result.matched_count)


async def lock(db: Database, key: str, session: Session) -> bool:
    """Lock the sign-in until the transaction ends, so that it can't end before; return False if it has ended."""
    result = await db.login.update_one({"_id": key}, {"$inc": {"held": 1}}, session=session)
    return bool(result.matched_count)


async def end(db: Database, key: str) -> None:
    """End the sign-in, if it has not ended."""
    await db.login.delete_one({"_id": key})


async def end_own(db: Database, user_id: int, key: str) -> None:
    """End the sign-in, if it is this user's."""
    await db.login.delete_one({"_id": key, "user_id": user_id})


async def end_least_recent(db: Database, user_id: int, keep: int, session: Session) -> None:
    """End the user's sign-ins except the `keep` most recently used ones."""
    found = db.login.find({"user_id": user_id}, {"_id": 1}, session=session).sort("last_used_at", -1).skip(keep)
    if ended := [row["_id"] async for row in found]:
        await db.login.delete_many({"_id": {"$in": ended}}, session=session)


async def end_all(db: Database, user_id: int, session: Session | None) -> int:
    """End all sign-ins of the user; return how many there were."""
    return int((await db.login.delete_many({"user_id": user_id}, session=session)).deleted_count)


async def end_unusable(db: Database) -> int:
    """Remove the sign-ins of earlier versions of the site; return how many there were."""
    result = await db.login.delete_many({"last_used_at": {"$exists": False}})
    return int(result.deleted_count)


def to_row(login: Login) -> Document:
    """Return the sign-in as a row."""
    return {
        "_id": login.key,
        "user_id": login.user_id,
        "created_at": login.created_at,
        "last_used_at": login.last_used_at,
        "expires_at": login.expires_at,
        "remembered": login.remembered,
        "confirmed_at": login.confirmed_at,
        "address": login.address,
        "agent": login.agent,
    }


def _to_login(row: Mapping[str, Any]) -> Login:
    return Login(
        key=row["_id"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        remembered=row["remembered"],
        confirmed_at=row.get("confirmed_at", row["created_at"]),  # older sign-ins have none
        address=row["address"],
        agent=row["agent"],
        viewing=Viewing(**row["viewing"]) if "viewing" in row else None,
    )
