"""The collection `event`: what happened to a student's seats, written with it.

A refusal is one row for each student, action, section, reason and `day` (in UTC), however often it is repeated: the row
has the first time, the last time and a count. So an account that keeps trying doesn't fill the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import Event

REFUSAL_KEY_FIELDS = ("user_id", "day", "courseID", "term", "section", "action", "result")
"""The fields that refusals in the same row have in common."""

INDEXES = [
    IndexModel([("user_id", 1), ("at", -1), ("_id", -1)]),
    IndexModel(
        [(name, 1) for name in REFUSAL_KEY_FIELDS], unique=True, partialFilterExpression={"day": {"$exists": True}}
    ),
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SCHEMA = {
    "bsonType": "object",
    "required": ["at", "actor", "user_id", "action", "courseID", "term", "section", "result"],
    "properties": {
        "at": {"bsonType": "date"},
        "actor": {"bsonType": ["int", "long"]},
        "user_id": {"bsonType": ["int", "long"]},
        "action": {"enum": ["enroll", "drop", "withdraw", "swap", "join", "leave", "promote", "skip", "moved"]},
        "courseID": {"bsonType": "string"},
        "term": {"bsonType": "string"},
        "section": {"bsonType": "string"},
        "result": {"bsonType": "string"},
        "from_section": {"bsonType": "string"},
        "day": {"bsonType": "date"},
        "count": {"bsonType": ["int", "long"], "minimum": 1},
        "last_at": {"bsonType": "date"},
    },
}


async def add(db: Database, event: Event, session: Session | None = None) -> None:
    """Store what happened."""
    await db.event.insert_one(to_row(event), session=session)


async def add_all(db: Database, happened: Iterable[Event], session: Session) -> None:
    """Store what happened."""
    await db.event.insert_many([to_row(event) for event in happened], session=session)


async def add_refusal(db: Database, refusal: Event) -> None:
    """Store a refusal, or count it in the row of an identical one from the same day."""
    row = to_row(refusal) | {"day": refusal.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)}
    same = {name: row.pop(name) for name in REFUSAL_KEY_FIELDS}
    change = {"$setOnInsert": row, "$inc": {"count": 1}, "$max": {"last_at": refusal.at}}
    try:
        await db.event.update_one(same, change, upsert=True)
    except DuplicateKeyError:  # another request stored the first one at this moment
        await db.event.update_one(same, change)


def to_row(event: Event) -> Document:
    """Return the event as a row; only refusals have a count."""
    return {name: fact for name, fact in asdict(event).items() if name not in ("count", "last_at")}


def to_event(document: Mapping[str, Any]) -> Event:
    """Read a stored event."""
    names = ("action", "courseID", "term", "section", "result", "from_section")
    facts: dict[str, Any] = {name: str(document.get(name, "")) for name in names}
    facts |= {"count": int(document.get("count", 1)), "last_at": document.get("last_at")}
    return Event(document["at"], document.get("actor", 0), document["user_id"], **facts)


async def find_page(db: Database, user_id: int, after: str, at_most: int) -> tuple[list[Event], str]:
    """Return what happened to the student's seats from the mark `after` on, the latest first, and the next mark.

    Without a mark the page begins with the latest event; the next mark is empty when no more follow. Raises
    ValueError for a mark that is none.
    """
    wanted: Document = {"user_id": user_id, "at": {"$type": "date"}} | (_earlier_than(after) if after else {})
    found = db.event.find(wanted).sort([("at", -1), ("_id", -1)]).limit(at_most + 1)
    rows = await found.to_list(at_most + 1)
    mark = _to_cursor(rows[at_most - 1]) if len(rows) > at_most else ""
    return [to_event(row) for row in rows[:at_most]], mark


def _to_cursor(row: Document) -> str:
    return f"{(row['at'] - _EPOCH) // timedelta(milliseconds=1)}.{row['_id']}"


def _earlier_than(mark: str) -> Document:
    moment, _, number = mark.partition(".")
    try:
        at, last = _EPOCH + timedelta(milliseconds=int(moment)), ObjectId(number)
    except (InvalidId, OverflowError) as error:
        raise ValueError(mark) from error
    return {"at": {"$lte": at}, "$or": [{"at": {"$lt": at}}, {"_id": {"$lt": last}}]}
