"""The collection `attempt`: what was tried lately, of that which nobody may try too often.

A counter's `level` goes up by one with each try and fades with time; who reaches the limit waits until
`wait_until`. Its name is a digest: neither an account nor an address can be read from it.
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
"""Of who need not wait: long ago."""

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
    """Return until when the slowest of these counters wants nothing to be tried; None when all are free."""
    waiting = db.attempt.find({"_id": {"$in": list(keys)}, "wait_until": {"$gt": now}}, {"wait_until": 1})
    return max([document["wait_until"] async for document in waiting], default=None)


async def count_attempt(db: Database, key: str, pace: RateLimit, now: datetime) -> None:
    """Count one try; from the limit on, each lets the next one wait longer."""
    one_more = _one_more(pace, now)
    try:
        await db.attempt.update_one({"_id": key}, one_more, upsert=True)
    except DuplicateKeyError:  # somebody else made the counter in this moment
        await db.attempt.update_one({"_id": key}, one_more)


def _one_more(pace: RateLimit, now: datetime) -> list[dict[str, Any]]:
    """Return the stages that let the level fade until now, raise it by one, and say how long to wait."""
    fade = int(pace.fades_in.total_seconds() * 1000)
    passed = {"$max": [0, {"$subtract": [now, {"$ifNull": ["$at", now]}]}]}
    faded = {"$max": [0, {"$subtract": [{"$ifNull": ["$level", 0]}, {"$divide": [passed, fade]}]}]}
    past = {"$subtract": [{"$round": "$level"}, pace.limit]}
    longer = {"$multiply": [int(pace.first_wait.total_seconds() * 1000), {"$pow": [2, past]}]}
    wait = {"$min": [longer, int(pace.longest_wait.total_seconds() * 1000)]}
    # Below the limit there is no moment to wait for: a request that came a little earlier may look a little later.
    until = {"$cond": [{"$gte": [past, 0]}, {"$add": [now, wait]}, _NEVER]}
    return [
        {"$set": {"level": {"$min": [{"$add": [faded, 1]}, pace.limit + pace.steps]}, "at": now}},
        {"$set": {"wait_until": {"$max": ["$wait_until", until]}}},
        {"$set": {"expires_at": {"$max": ["$wait_until", {"$add": [now, {"$multiply": ["$level", fade]}]}]}}},
    ]
