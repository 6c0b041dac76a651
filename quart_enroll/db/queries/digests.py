"""The notices that wait for a student's daily digest, in the collection `notice`.

They have `digest_at` in place of `next_try_at`, and are claimed, sent and postponed like other notices.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections import notices, users
from quart_enroll.db.collections.notices import PendingEmail, to_notice
from quart_enroll.domain.models import Notice, User


@dataclass(frozen=True, slots=True)
class PendingDigest:
    """A digest to be emailed, after `tries` attempts: its notices by key; `to` is None if there is no such account."""

    user_id: int
    to: User | None
    notices: Mapping[Any, Notice]
    tries: int


async def put(db: Database, email: PendingEmail, digest_at: datetime) -> None:
    """Let the notice wait for the digest at that time, unless another process has claimed it."""
    change = {"$set": {"digest_at": digest_at}, "$unset": {"next_try_at": ""}}
    await db.notice.update_one({"_id": email.key, "next_try_at": email.next_try_at}, change)


async def add(db: Database, confirmed: Sequence[Notice], digest_at: datetime) -> None:
    """Add what a student did to the digest at that time; repeating it changes nothing."""
    for notice in confirmed:
        row = notices.to_row(notice) | {"seen": True, "tries": 0, "digest_at": digest_at}
        same = {name: row[name] for name in ("user_id", "at", "action", "courseID", "term", "section")}
        await db.notice.update_one(same, {"$setOnInsert": row}, upsert=True)


async def find_due(db: Database, since: datetime, until: datetime) -> PendingDigest | None:
    """Return the digest that was due first, from `since` to `until`; None if there is none."""
    due = {"$gte": since, "$lte": until}
    first: Document | None = await db.notice.find_one({"digest_at": due}, sort=[("digest_at", 1)])
    if first is None:
        return None
    user_id = first["user_id"]
    rows = await db.notice.find({"user_id": user_id, "digest_at": due}).sort("at").to_list(None)
    to = await users.find(db, user_id)
    return PendingDigest(user_id, to, {row["_id"]: to_notice(row) for row in rows}, first.get("tries", 0))


async def claim(db: Database, digest: PendingDigest, at: datetime) -> PendingDigest:
    """Reserve the digest for sending; return it with the notices that no other process has reserved."""
    change = {"$set": {"sending_at": at}, "$inc": {"tries": 1}, "$unset": {"digest_at": ""}}
    claimed = {}
    for key, notice in digest.notices.items():
        waiting = _rows(digest, [key]) | {"digest_at": {"$lte": at}}
        if (await db.notice.update_one(waiting, change)).modified_count:
            claimed[key] = notice
    return replace(digest, notices=claimed, tries=digest.tries + 1)


async def mark_sent(db: Database, digest: PendingDigest, keys: Collection[Any], at: datetime) -> None:
    """Record that the mail server accepted the email with these notices."""
    await db.notice.update_many(_rows(digest, keys), {"$set": {"sent_at": at}})


async def mark_turned_off(db: Database, digest: PendingDigest, keys: Collection[Any], at: datetime) -> None:
    """Record that the student has turned off emails like these."""
    if keys:
        await db.notice.update_many(_rows(digest, keys), {"$set": {"turned_off_at": at}})


async def mark_failed(db: Database, digest: PendingDigest, at: datetime, reason: str) -> None:
    """Record that the digest is not sent, and why."""
    change = {"$set": {"failed_at": at, "failed_because": reason}}
    await db.notice.update_many(_rows(digest, digest.notices), change)


async def postpone(db: Database, digest: PendingDigest, keys: Collection[Any], digest_at: datetime) -> None:
    """Schedule another attempt with these notices."""
    change = {"$set": {"digest_at": digest_at}, "$unset": {"sending_at": ""}}
    await db.notice.update_many(_rows(digest, keys), change)


def _rows(digest: PendingDigest, keys: Collection[Any]) -> Document:
    return {"user_id": digest.user_id, "_id": {"$in": list(keys)}}
