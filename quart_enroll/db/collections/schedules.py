"""The collection `schedule`: each student's guard in a term, which every change of theirs writes.

Where an account was removed its schedules stay for an hour, closed, and nothing else: no request that was on the way
can begin anything there.
"""

from collections.abc import Mapping
from datetime import datetime

from pymongo import IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.errors import AccountGone

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1)], unique=True),
    IndexModel("closed_at", expireAfterSeconds=3600),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "term", "credits", "version"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "term": {"bsonType": "string"},
        "credits": {"bsonType": "number", "minimum": 0},
        "version": {"bsonType": ["int", "long"]},
        "closed_at": {"bsonType": "date"},
    },
}


IS_CLOSED = {"closed_at": {"$exists": True}}
"""Schedules of accounts that were removed."""


async def bump_version(
    db: Database, user_id: int, term: str, session: Session | None, *, more: int | float = 0
) -> None:
    """Let no other change of this student in this term go on beside this one: one of the two runs again.

    It may come after what the change has read: who writes what another has written since then runs again too.
    `more` are the credits that the change adds; less than none when it gives something back. Raises AccountGone when
    the schedule is closed.
    """
    try:
        await db.schedule.update_one(*_bump(user_id, term, more), upsert=True, session=session)
    except DuplicateKeyError:  # there is one, but not an open one
        raise AccountGone from None


async def bump_versions(db: Database, more: Mapping[tuple[int, str], int | float], session: Session) -> None:
    """Guard the schedules of students, by user_id and term; raises BulkWriteError where one is closed."""
    writes = [UpdateOne(*_bump(*schedule, number), upsert=True) for schedule, number in more.items()]
    await db.schedule.bulk_write(writes, session=session)


async def close(db: Database, user_id: int, term: str, at: datetime, session: Session | None) -> None:
    """Let no change of this student in this term begin any more."""
    await db.schedule.update_one(
        {"user_id": user_id, "term": term},
        {"$inc": {"version": 1}, "$set": {"credits": 0, "closed_at": at}},
        upsert=True,
        session=session,
    )


def _bump(user_id: int, term: str, more: int | float) -> tuple[Document, list[Document]]:
    version = {"$add": [{"$ifNull": ["$version", 0]}, 1]}
    change = [{"$set": {"version": version, "credits": added_credits(more)}}]
    return {"user_id": user_id, "term": term, "closed_at": {"$exists": False}}, change


def added_credits(number: int | float) -> Document:
    """Return the expression for `number` credits more than are counted; what is no number counts as none."""
    counted = {"$cond": [{"$isNumber": "$credits"}, "$credits", 0]}
    # Rounded, because tenths don't add up: 1.0 + 1.3 - 1.0 - 1.3 is less than nothing.
    return {"$max": [0, {"$round": [{"$add": [counted, number]}, 2]}]}


async def find_credits(db: Database, user_id: int) -> dict[str, int | float]:
    """Return the credits of the student's courses in each term."""
    found: list[Document] = await db.schedule.find({"user_id": user_id}).to_list(None)
    return {row["term"]: row["credits"] for row in found}
