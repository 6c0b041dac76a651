"""What has changed about students' seats, for emails: read from `event`, which every change writes anyway."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database
from quart_enroll.db.collections.events import to_event
from quart_enroll.db.queries import pipelines
from quart_enroll.domain.email_settings import CONFIRMED_ACTIONS
from quart_enroll.domain.models import Event, SectionKey

SEAT_GIVING_ACTIONS = ("enroll", "swap", "promote")
"""The actions with which a student gets a seat."""


class StudentChanges(NamedTuple):
    """When a student first and last changed something."""

    user_id: int
    since: datetime
    until: datetime


async def find_students(db: Database, term: str, after: datetime, until: datetime) -> AsyncIterator[StudentChanges]:
    """Yield the students who changed their own seats in the term, with when they did so."""
    stages = pipelines.own_changes(term, after, until, CONFIRMED_ACTIONS)
    async for row in db.event.aggregate(stages, batchSize=500):
        yield StudentChanges(row["_id"], row["since"], row["until"])


async def find(db: Database, user_id: int, after: datetime, until: datetime) -> list[Event]:
    """Return how the student changed their own seats in that period, in the order of time."""
    wanted = {"user_id": user_id, "at": {"$gt": after, "$lte": until}, "actor": user_id}
    wanted |= {"action": {"$in": list(CONFIRMED_ACTIONS)}, "result": "ok", "acted_as": None}
    return [to_event(row) async for row in db.event.find(wanted).sort([("at", 1), ("_id", 1)])]


async def find_at(db: Database, user_id: int, at: datetime) -> list[Event]:
    """Return the events of one change of the student's seats, made by the student or by others."""
    found = db.event.find({"user_id": user_id, "at": at, "result": "ok"}).sort("_id")
    return [to_event(row) async for row in found]


async def had_seat(db: Database, user_id: int, key: SectionKey) -> bool:
    """Return whether the history says that the student ever got a seat in the section."""
    wanted = section_keys.to_filter(key) | {"action": {"$in": list(SEAT_GIVING_ACTIONS)}, "result": "ok"}
    return await db.event.find_one({"user_id": user_id} | wanted, {"_id": 1}) is not None
