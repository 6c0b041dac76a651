"""The collection `lease`: locks that only one process holds at a time, and that expire by the database's clock."""

from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Document


async def acquire(db: Database, name: str, holder: str, duration: timedelta) -> bool:
    """Acquire or extend the lease for `duration` from now; return False while another process holds it."""
    try:
        lease: Document | None = await db.lease.find_one_and_update(
            {"_id": name}, _acquire(holder, duration), upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:  # another process has just created it
        return False
    return lease is not None and lease["holder"] == holder


async def renew(db: Database, name: str, holder: str, duration: timedelta) -> None:
    """Extend the lease for `duration` from now if it exists; unlike `acquire`, never create it or its collection."""
    await db.lease.update_one({"_id": name}, _acquire(holder, duration))


async def find_holder(db: Database, name: str) -> str | None:
    """Return who holds the lease, or held it last without releasing it; None if nobody does."""
    lease: Document | None = await db.lease.find_one({"_id": name})
    return None if lease is None else str(lease["holder"])


async def release(db: Database, name: str, holder: str) -> None:
    """Release the lease before it expires, if `holder` holds it."""
    await db.lease.delete_one({"_id": name, "holder": holder})


def _acquire(holder: str, duration: timedelta) -> list[dict[str, Any]]:
    """Return the stages that set the holder, unless another one's lease hasn't expired."""
    expired = {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]}
    free = {"$or": [{"$eq": ["$holder", holder]}, expired]}
    until = {"$add": ["$$NOW", int(duration.total_seconds() * 1000)]}
    return [
        {
            "$set": {
                "holder": {"$cond": [free, holder, "$holder"]},
                "until": {"$cond": [free, until, "$until"]},
            }
        }
    ]
