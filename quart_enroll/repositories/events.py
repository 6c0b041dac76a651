"""The collection `event`: what happened to a student's seats, written with it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pymongo import IndexModel

from quart_enroll.models import Event
from quart_enroll.mongo import Database, Session

INDEXES = [IndexModel([("user_id", 1), ("at", -1), ("_id", -1)])]

SCHEMA = {
    "bsonType": "object",
    "required": ["at", "actor", "user_id", "action", "courseID", "term", "section", "result"],
    "properties": {
        "at": {"bsonType": "date"},
        "actor": {"bsonType": ["int", "long"]},
        "user_id": {"bsonType": ["int", "long"]},
        "action": {"enum": ["enroll", "drop", "withdraw", "swap", "join", "leave", "promote", "skip"]},
        "courseID": {"bsonType": "string"},
        "term": {"bsonType": "string"},
        "section": {"bsonType": "string"},
        "result": {"bsonType": "string"},
        "from_section": {"bsonType": "string"},
    },
}


async def add(db: Database, event: Event, session: Session | None = None) -> None:
    """Store what happened."""
    await db.event.insert_one(asdict(event), session=session)


async def of_student(db: Database, user_id: int, at_most: int = 200) -> list[Event]:
    """Return what happened to the student's seats, the latest first."""
    dated = {"user_id": user_id, "at": {"$type": "date"}}
    found = db.event.find(dated).sort([("at", -1), ("_id", -1)]).limit(at_most)
    return [to_event(document) async for document in found]


def to_event(document: Mapping[str, Any]) -> Event:
    """Read a stored event."""
    names = ("action", "courseID", "term", "section", "result", "from_section")
    texts = {name: str(document.get(name, "")) for name in names}
    return Event(document["at"], document.get("actor", 0), document["user_id"], **texts)
