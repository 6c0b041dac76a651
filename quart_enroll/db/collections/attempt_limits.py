"""The collection `attempt`: counters of recent attempts at what is rate-limited, such as signing in.

Each attempt raises a counter's `level` by one, and the level falls with time. At the limit, the next attempt has to
wait until `wait_until`. The `_id` is a digest, which reveals neither an account nor a network address.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database
from quart_enroll.domain.models import RateLimit

INDEXES = [IndexModel("expires_at", expireAfterSeconds=0)]

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The `wait_until` of a counter below its limit, long ago."""

SCHEMA = {
    "bsonType": "object",
    "required": ["_id", "level", "at", "wait_until", "expires_at"],
    "properties": {
        "_id": {"bsonType": "string"},
        "level": {"bsonType": ["int", "long", "double"], "minimum": 0},
        "at": {"bsonType": "date"},
        "wait_until": {"bsonType": "date"},
        "expires_at": {"bsonType": "date"},
    },
}


async def find_wait_until(db: Database, keys: Iterable[str], now: datetime) -> datetime | None:
    """Return the moment when all these counters allow another attempt; None if they do now."""
    waiting = db.attempt.find({"_id": {"$in": list(keys)}, "wait_until": {"$gt": now}}, {"wait_until": 1})
    return max([document["wait_until"] async for document in waiting], default=None)


async def count_attempt(db: Database, key: str, limit: RateLimit, now: datetime) -> None:
    """Count one attempt; at the limit, each one doubles the wait for the next."""
    change = _count_one(limit, now)
    try:
        await db.attempt.update_one({"_id": key}, change, upsert=True)
    except DuplicateKeyError:  # another request has just created the counter
        await db.attempt.update_one({"_id": key}, change)


def _count_one(limit: RateLimit, now: datetime) -> list[dict[str, Any]]:
    """Return the stages that lower the level for the time that has passed, raise it by one, and set `wait_until`."""
    fade = int(limit.fades_in.total_seconds() * 1000)
    passed = {"$max": [0, {"$subtract": [now, {"$ifNull": ["$at", now]}]}]}
    faded = {"$max": [0, {"$subtract": [{"$ifNull": ["$level", 0]}, {"$divide": [passed, fade]}]}]}
    past = {"$subtract": [{"$round": "$level"}, limit.limit]}
    longer = {"$multiply": [int(limit.first_wait.total_seconds() * 1000), {"$pow": [2, past]}]}
    wait = {"$min": [longer, int(limit.longest_wait.total_seconds() * 1000)]}
    # Below the limit it is long ago, not now: a request with an earlier `now` may check it a moment later.
    until = {"$cond": [{"$gte": [past, 0]}, {"$add": [now, wait]}, _NEVER]}
    return [
        {"$set": {"level": {"$min": [{"$add": [faded, 1]}, limit.limit + limit.steps]}, "at": now}},
        {"$set": {"wait_until": {"$max": ["$wait_until", until]}}},
        {"$set": {"expires_at": {"$max": ["$wait_until", {"$add": [now, {"$multiply": ["$level", fade]}]}]}}},
    ]
