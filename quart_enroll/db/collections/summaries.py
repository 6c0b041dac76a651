"""The collection `summary`: emails that sum up several changes, one row for each student and kind of email.

A row with `due_at` waits to be emailed, and covers what happened from `since` to `until`. Claiming it moves `due_at`
some minutes ahead: if the process dies, another one sends the email then. Afterwards the row has only `told_until`, so
that nothing is told twice. MongoDB removes rows that were not used for a month.

In `counter`, the row "own changes" has the moment up to which the history has been read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pymongo import IndexModel, UpdateOne

from quart_enroll.db.client import Database, Document
from quart_enroll.db.queries.own_changes import StudentChanges

INDEXES = [
    IndexModel([("user_id", 1), ("kind", 1)], unique=True),
    IndexModel("due_at", partialFilterExpression={"due_at": {"$exists": True}}),
    IndexModel("forget_at", expireAfterSeconds=0),
]


class SummaryKind(StrEnum):
    """What an email sums up."""

    CONFIRMATION = "confirmation"
    """What students did themselves, some minutes later."""


SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "kind", "forget_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "kind": {"enum": [*SummaryKind]},
        "since": {"bsonType": "date"},
        "until": {"bsonType": "date"},
        "due_at": {"bsonType": "date"},
        "told_until": {"bsonType": "date"},
        "tries": {"bsonType": ["int", "long"], "minimum": 0},
        "forget_at": {"bsonType": "date"},
    },
}

ROW_LIFETIME = timedelta(days=30)
"""How long a row is stored after its last use."""

WATERMARK = {"_id": "own changes"}

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PendingSummary:
    """An email about what happened after `after` and until `until`; `tries` were made before."""

    user_id: int
    kind: SummaryKind
    after: datetime
    until: datetime
    due_at: datetime
    tries: int


async def add_confirmations(
    db: Database, changes: Iterable[StudentChanges], quiet: timedelta, longest: timedelta
) -> None:
    """Let these changes be confirmed: when the student has been `quiet`, but not later than after `longest`.

    Repeating it changes nothing, and a change is confirmed only once.
    """
    writes = [
        UpdateOne(_key(one.user_id, SummaryKind.CONFIRMATION), _extend(one, quiet, longest), upsert=True)
        for one in changes
    ]
    if writes:
        await db.summary.bulk_write(writes, ordered=False)


async def find_due(db: Database, now: datetime) -> PendingSummary | None:
    """Return the summary that was due first; None if there is none."""
    row: Document | None = await db.summary.find_one({"due_at": {"$lte": now}}, sort=[("due_at", 1)])
    if row is None:
        return None
    after = max(row["since"] - timedelta(milliseconds=1), row.get("told_until", _NEVER))
    kind, tries = SummaryKind(row["kind"]), row.get("tries", 0)
    return PendingSummary(row["user_id"], kind, after, row["until"], row["due_at"], tries)


async def claim(db: Database, summary: PendingSummary, until: datetime) -> PendingSummary | None:
    """Reserve the summary until that moment; return it as claimed, or None if another process was faster."""
    change = {"$set": {"due_at": until}, "$inc": {"tries": 1}}
    result = await db.summary.update_one(_unchanged(summary), change)
    if not result.modified_count:
        return None
    tries = summary.tries + 1
    return PendingSummary(summary.user_id, summary.kind, summary.after, summary.until, until, tries)


async def finish(db: Database, summary: PendingSummary, now: datetime) -> None:
    """Record that everything in the summary was told; what happened meanwhile stays pending."""
    told = {"$set": {"told_until": summary.until, "forget_at": now + ROW_LIFETIME}}
    end = {"$unset": {"since": "", "until": "", "due_at": "", "tries": ""}}
    result = await db.summary.update_one(_unchanged(summary), told | end)
    if not result.modified_count:
        await db.summary.update_one(_key(summary.user_id, summary.kind), told)


async def postpone(db: Database, summary: PendingSummary, due_at: datetime) -> None:
    """Schedule another attempt."""
    await db.summary.update_one(_unchanged(summary), {"$set": {"due_at": due_at}})


async def find_collected_until(db: Database) -> datetime | None:
    """Return the moment up to which the history has been read for confirmations; None before the first time."""
    row: Document | None = await db.counter.find_one(WATERMARK)
    return None if row is None else row["until"]


async def set_collected_until(db: Database, until: datetime) -> None:
    """Record that the history has been read up to this moment."""
    await db.counter.update_one(WATERMARK, {"$max": {"until": until}}, upsert=True)


def _key(user_id: int, kind: SummaryKind) -> Document:
    return {"user_id": user_id, "kind": kind}


def _unchanged(summary: PendingSummary) -> Document:
    return _key(summary.user_id, summary.kind) | {"due_at": summary.due_at}


def _extend(changes: StudentChanges, quiet: timedelta, longest: timedelta) -> list[dict[str, Any]]:
    """Return the stages that add the changes to a row, unless all of them have been told."""
    is_news = {"$gt": [changes.until, {"$ifNull": ["$told_until", _NEVER]}]}
    due_at = {"$min": [{"$add": ["$until", _milliseconds(quiet)]}, {"$add": ["$since", _milliseconds(longest)]}]}
    extended = {
        "since": {"$cond": [is_news, {"$min": ["$since", changes.since]}, "$since"]},
        "until": {"$cond": [is_news, {"$max": ["$until", changes.until]}, "$until"]},
        "forget_at": {"$max": ["$forget_at", changes.until + ROW_LIFETIME]},
    }
    return [{"$set": extended}, {"$set": {"due_at": {"$cond": [is_news, due_at, "$due_at"]}}}]


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
