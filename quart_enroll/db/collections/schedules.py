"""The collection `schedule`: a version and the credits of each student in each term.

Every change that a student makes in a term increments the version, so two changes at the same time conflict. The
schedules of a deleted account stay for an hour, closed, so that no request still under way can change anything.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from pymongo import IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.errors import AccountGone

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1)], unique=True),
    IndexModel("term"),
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
"""Matches the schedules of deleted accounts."""


async def bump_version(
    db: Database, user_id: int, term: str, session: Session | None, *, more: int | float = 0
) -> None:
    """Make this transaction conflict with any other change of the student in the term: one of the two runs again.

    This may follow what the transaction reads, as a row that another transaction has written since then also makes it
    run again. `more` is the number of credits that the change adds; it is negative for a drop. Raises AccountGone if
    the schedule is closed.
    """
    try:
        await db.schedule.update_one(*_bump(user_id, term, more), upsert=True, session=session)
    except DuplicateKeyError:  # there is a closed schedule
        raise AccountGone from None


async def bump_versions(db: Database, more: Mapping[tuple[int, str], int | float], session: Session) -> None:
    """Bump several schedules, each with its additional credits; raise BulkWriteError if one is closed."""
    writes = [UpdateOne(*_bump(*schedule, number), upsert=True) for schedule, number in more.items()]
    await db.schedule.bulk_write(writes, session=session)


async def bump_all_versions(db: Database, user_ids: Collection[int], session: Session) -> None:
    """Make this transaction conflict with any other change of these students, in every term."""
    if user_ids:
        of_students = {"user_id": {"$in": list(user_ids)}, "closed_at": {"$exists": False}}
        await db.schedule.update_many(of_students, {"$inc": {"version": 1}}, session=session)


async def close(db: Database, user_id: int, term: str, at: datetime, session: Session | None) -> None:
    """Close the schedule: the student can make no more changes in the term."""
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
    """Return the expression that adds `number` to the stored credits; anything but a number counts as 0."""
    stored = {"$cond": [{"$isNumber": "$credits"}, "$credits", 0]}
    # Rounded, because tenths don't add up: 1.0 + 1.3 - 1.0 - 1.3 is less than nothing.
    return {"$max": [0, {"$round": [{"$add": [stored, number]}, 2]}]}


async def find_credits(db: Database, user_id: int) -> dict[str, int | float]:
    """Return the student's credits in each term."""
    found: list[Document] = await db.schedule.find({"user_id": user_id}).to_list(None)
    return {row["term"]: row["credits"] for row in found}
