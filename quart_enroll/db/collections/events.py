"""The collection `event`: the history of each student's seats, written in the same transaction as each change.

Repeated refusals share one row for each student, action, section, reason and `day` (in UTC), with the first time, the
last time and a count. So an account that keeps trying doesn't fill the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC
from typing import Any

from pymongo import IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from quart_enroll.db import cursors
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import message_codec, pipelines
from quart_enroll.db.queries.message_codec import SENTENCE_SCHEMA
from quart_enroll.domain.models import SYSTEM_ACTOR, Event, SectionKey

REFUSAL_KEY_FIELDS = ("user_id", "day", "courseID", "term", "section", "action", "result")
"""Fields that are equal for refusals which share a row."""

DEPARTURES = ["drop", "withdraw", "cancelled"]
"""Actions with which a student leaves a section."""

_LEFT = {"action": {"$in": DEPARTURES}}
_MOVED = {"from_section": {"$gt": ""}}

INDEXES = [
    IndexModel([("user_id", 1), ("at", -1), ("_id", -1)]),
    # For rosters. They don't contain what is written in the minute of the opening, so they cost nothing then.
    IndexModel([("term", 1), ("courseID", 1), ("section", 1), ("at", -1)], partialFilterExpression=_LEFT),
    IndexModel([("term", 1), ("courseID", 1), ("from_section", 1), ("at", -1)], partialFilterExpression=_MOVED),
    # For reports, which count the events of an opening from it alone.
    IndexModel([("term", 1), ("at", 1), ("action", 1), ("result", 1), ("courseID", 1)]),
    IndexModel(
        [(name, 1) for name in REFUSAL_KEY_FIELDS], unique=True, partialFilterExpression={"day": {"$exists": True}}
    ),
]

_OPTIONAL_FIELDS = ("reason", "overrides", "acted_as")
"""Fields of a row that only changes by staff have."""

_ROW_FIELDS = [
    field.name for field in fields(Event) if field.name not in ("count", "last_at", "changes", *_OPTIONAL_FIELDS)
]

EVENTS_READ = 20
"""How many of a student's latest events are read to find changes among refusals."""

ACTIONS = ["enroll", "drop", "withdraw", "swap", "join", "leave", "promote", "skip", "moved", "cancelled"]

SCHEMA = {
    "bsonType": "object",
    "required": ["at", "actor", "user_id", "action", "courseID", "term", "section", "result"],
    "properties": {
        "at": {"bsonType": "date"},
        "actor": {"bsonType": ["int", "long"]},
        "user_id": {"bsonType": ["int", "long"]},
        "action": {
            "enum": [
                *("enroll", "drop", "withdraw", "swap", "join", "leave", "reorder"),
                *("promote", "skip", "moved", "cancelled"),
            ]
        },
        "courseID": {"bsonType": "string"},
        "term": {"bsonType": "string"},
        "section": {"bsonType": "string"},
        "result": {"bsonType": "string"},
        "from_section": {"bsonType": "string"},
        "reason": {"bsonType": "string"},
        "overrides": {"bsonType": "array", "items": {"bsonType": "string"}},
        "acted_as": {"bsonType": "string"},
        "changes": SENTENCE_SCHEMA,
        "day": {"bsonType": "date"},
        "count": {"bsonType": ["int", "long"], "minimum": 1},
        "last_at": {"bsonType": "date"},
    },
}


async def add(db: Database, event: Event, session: Session | None = None) -> None:
    """Add an event."""
    await db.event.insert_one(to_row(event), session=session)


async def add_all(db: Database, events: Iterable[Event], session: Session) -> None:
    """Add several events."""
    await db.event.insert_many([to_row(event) for event in events], session=session)


async def add_refusal(db: Database, refusal: Event) -> None:
    """Add a refusal, or count it in the row of an identical one from the same day."""
    identical, change = _refusal(refusal)
    try:
        await db.event.update_one(identical, change, upsert=True)
    except DuplicateKeyError:  # another request has just added the first one
        await db.event.update_one(identical, change)


async def add_refusals(db: Database, refusals: Iterable[Event], session: Session) -> None:
    """Add several refusals, as `add_refusal` does."""
    await db.event.bulk_write([UpdateOne(*_refusal(one), upsert=True) for one in refusals], session=session)


def _refusal(refusal: Event) -> tuple[Document, Document]:
    row = to_row(refusal) | {"day": refusal.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)}
    identical = {name: row.pop(name) for name in REFUSAL_KEY_FIELDS}
    return identical, {"$setOnInsert": row, "$inc": {"count": 1}, "$max": {"last_at": refusal.at}}


def to_row(event: Event) -> Document:
    """Return the event as a row.

    Only refusals have a count, only changes by staff have a reason, and only those of a section have `changes`.
    """
    optional = {name: value for name in _OPTIONAL_FIELDS if (value := getattr(event, name))}
    if event.changes is not None:
        optional["changes"] = message_codec.encode(event.changes)
    return {name: getattr(event, name) for name in _ROW_FIELDS} | optional


def to_event(row: Mapping[str, Any]) -> Event:
    """Read a stored event."""
    names = ("action", "courseID", "term", "section", "result", "from_section", "reason", "acted_as")
    values: dict[str, Any] = {name: str(row.get(name, "")) for name in names}
    values |= {"count": int(row.get("count", 1)), "last_at": row.get("last_at")}
    values |= {"overrides": tuple(row.get("overrides", ())), "changes": message_codec.decode(row.get("changes"))}
    return Event(row["at"], row.get("actor", SYSTEM_ACTOR), row["user_id"], **values)


async def find_page(db: Database, user_id: int, after: str, at_most: int) -> tuple[list[Event], str]:
    """Return a page of the student's events, the latest first, and the cursor of the next page.

    The page begins after the cursor `after`, or with the latest event if that is empty. The next cursor is empty on the
    last page. Raises ValueError for an invalid cursor.
    """
    wanted: Document = {"user_id": user_id, "at": {"$type": "date"}} | (cursors.earlier_than(after) if after else {})
    rows = await db.event.find(wanted).sort(cursors.LATEST_FIRST).limit(at_most + 1).to_list(at_most + 1)
    return [to_event(row) for row in rows[:at_most]], cursors.next_cursor(rows, at_most)


async def find_latest_changes(db: Database, user_ids: Sequence[int], at_most: int) -> dict[int, list[Event]]:
    """Return up to that number of each student's latest events that aren't refusals, the last one first."""
    pipeline = pipelines.latest_changes(user_ids, dict(cursors.LATEST_FIRST), EVENTS_READ, at_most)
    return {one["user_id"]: list(map(to_event, one["changes"])) async for one in db.aggregate(pipeline)}


async def find_departures(db: Database, key: SectionKey, at_most: int) -> list[Event]:
    """Return the latest events with which students left the section, the last one first: about `at_most` of them.

    An event with `from_section` is a move to another section of the course.
    """
    course = {"term": key.term, "courseID": key.courseID}
    found: list[Event] = []
    for left in (course | {"section": key.section} | _LEFT, course | {"from_section": key.section}):
        rows = await db.event.find(left).sort("at", -1).limit(at_most).to_list(at_most)
        found += [to_event(row) for row in rows if row.get("result") == "ok"]
    return sorted(found, key=lambda event: event.at, reverse=True)


async def find_in_term(db: Database, term: str, actions: Sequence[str]) -> list[Event]:
    """Return the events of a term with one of these actions that were not refused, in the order of time.

    Those of the same moment are in the order of their actions.
    """
    wanted = {"term": term, "action": {"$in": list(actions)}, "result": "ok"}
    return [to_event(row) async for row in db.event.find(wanted).sort([("at", 1), ("action", 1)])]
