"""The collection `import_part`: what is too long for the row of an import: its bytes, and the outcome of its rows."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple

from pymongo import IndexModel

from quart_enroll.db.client import Database, Session

INDEXES = [
    IndexModel([("import_id", 1), ("what", 1), ("number", 1)]),
    IndexModel("forget_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["import_id", "what", "number", "forget_at"],
    "properties": {
        "import_id": {"bsonType": "string"},
        "what": {"enum": ["bytes", "outcome"]},
        "number": {"bsonType": ["int", "long"]},
        "bytes": {"bsonType": "binData"},
        "outcomes": {"bsonType": "array"},
        "forget_at": {"bsonType": "date"},
    },
}

PART_BYTES = 4 * 2**20
"""Bytes in one part; MongoDB's documents have 16 MB at most."""


class Outcome(NamedTuple):
    """What became of a row: it was "added" or "changed", and `text` says what changed."""

    number: int
    what: str
    text: str


async def add_bytes(db: Database, import_id: str, data: bytes, forget_at: datetime) -> None:
    """Store the bytes of a file."""
    key = {"import_id": import_id, "what": "bytes", "forget_at": forget_at}
    for number, start in enumerate(range(0, len(data), PART_BYTES)):
        await db.import_part.insert_one(key | {"number": number, "bytes": data[start : start + PART_BYTES]})


async def read_bytes(db: Database, import_id: str) -> bytes:
    """Return the bytes of the file; none if they were removed."""
    found = db.import_part.find({"import_id": import_id, "what": "bytes"}).sort("number")
    return b"".join([row["bytes"] async for row in found])


async def remove_bytes(db: Database, import_id: str) -> None:
    """Remove the bytes of the file, which may have passwords in it."""
    await db.import_part.delete_many({"import_id": import_id, "what": "bytes"})


async def add_outcomes(
    db: Database, import_id: str, outcomes: Sequence[Outcome], forget_at: datetime, session: Session
) -> None:
    """Add what became of some rows."""
    if outcomes:
        key = {"import_id": import_id, "what": "outcome", "forget_at": forget_at}
        rows = [list(one) for one in outcomes]
        await db.import_part.insert_one(key | {"number": outcomes[0].number, "outcomes": rows}, session=session)


async def read_outcomes(db: Database, import_id: str) -> AsyncIterator[Outcome]:
    """Yield what became of the rows that were added or changed, by their numbers within each batch."""
    async for row in db.import_part.find({"import_id": import_id, "what": "outcome"}).sort("number"):
        for one in row["outcomes"]:
            yield Outcome(*one)
