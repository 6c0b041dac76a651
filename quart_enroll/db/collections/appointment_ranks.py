"""The collection `appointment_rank`: the rank of each student in a bulk assignment.

Its rows stay when an account is deleted, because the places of all other students follow from them too.
"""

from collections.abc import Iterable
from itertools import islice

from pymongo import IndexModel

from quart_enroll.db.client import Database
from quart_enroll.domain.bulk_appointments import RankedStudent

INDEXES = [
    IndexModel([("assignment_id", 1), ("user_id", 1)], unique=True),
    IndexModel("user_id"),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["assignment_id", "user_id", "rank"],
    "properties": {
        "assignment_id": {"bsonType": "string"},
        "user_id": {"bsonType": ["int", "long"]},
        "rank": {"bsonType": "number"},
    },
}

BATCH_SIZE = 2000
"""Rows that are written or read at once."""


async def add_all(db: Database, assignment_id: str, students: Iterable[RankedStudent]) -> None:
    """Add the students of an assignment."""
    rows = ({"assignment_id": assignment_id, "user_id": one.user_id, "rank": one.rank} for one in students)
    while batch := [*islice(rows, BATCH_SIZE)]:
        await db.appointment_rank.insert_many(batch)


async def find_all(db: Database, assignment_id: str) -> list[RankedStudent]:
    """Return the students of an assignment."""
    found = db.appointment_rank.find({"assignment_id": assignment_id}, batch_size=BATCH_SIZE)
    return [RankedStudent(row["user_id"], row["rank"]) async for row in found]


async def remove(db: Database, assignment_id: str) -> None:
    """Remove the students of an assignment."""
    await db.appointment_rank.delete_many({"assignment_id": assignment_id})
