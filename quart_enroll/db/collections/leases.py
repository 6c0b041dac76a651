"""The collection `lease`: what one process at a time may do, by the database's clock."""

from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Document


async def acquire(db: Database, name: str, holder: str, time: timedelta) -> bool:
    """Take the lease or hold it longer, for `time` from now; return False while somebody else has it."""
    try:
        lease: Document | None = await db.lease.find_one_and_update(
            {"_id": name}, _acquire(holder, time), upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:  # somebody else made it in this moment
        return False
    return lease is not None and lease["holder"] == holder


async def release(db: Database, name: str, holder: str) -> None:
    """End the lease before its time, if `holder` has it."""
    await db.lease.delete_one({"_id": name, "holder": holder})


def _acquire(holder: str, time: timedelta) -> list[dict[str, Any]]:
    """Return the stages that write the holder, unless another one's time is not over."""
    over = {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]}
    free = {"$or": [{"$eq": ["$holder", holder]}, over]}
    until = {"$add": ["$$NOW", int(time.total_seconds() * 1000)]}
    return [
        {
            "$set": {
                "holder": {"$cond": [free, holder, "$holder"]},
                "until": {"$cond": [free, until, "$until"]},
            }
        }
    ]
