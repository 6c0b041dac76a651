"""The collection `bulk_assignment`: bulk assignments of enrollment appointments, with what anyone needs to repeat them.

The ranks of their students are in `appointment_rank`.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime, time
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.bulk_appointments import (
    MAX_DURATION_MINUTES,
    MAX_INTERVAL_MINUTES,
    MAX_SEED_LENGTH,
    MAX_SLOT_SIZE,
    BulkAssignment,
    BulkRules,
    Ranking,
)
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH

INDEXES = [
    IndexModel("assignment_id", unique=True),
    IndexModel("import_id", sparse=True),
    IndexModel([("term", 1), ("begun_at", -1)]),
    IndexModel([("begun_at", 1), ("at", 1)]),
]

_TEXT = {"bsonType": "string"}
_NUMBER = {"bsonType": ["int", "long"], "minimum": 1}

SCHEMA = {
    "bsonType": "object",
    "required": [
        *("assignment_id", "term", "seed", "ranking", "starts_at", "slot_size", "interval_minutes", "students"),
        *("author", "at"),
    ],
    "properties": {
        "assignment_id": _TEXT,
        "term": _TEXT | {"minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "seed": _TEXT | {"minLength": 1, "maxLength": MAX_SEED_LENGTH},
        "ranking": {"enum": [*Ranking]},
        "levels": {"bsonType": "array", "items": _TEXT},
        "restriction": _TEXT,
        "starts_at": {"bsonType": "date"},
        "slot_size": _NUMBER | {"maximum": MAX_SLOT_SIZE},
        "interval_minutes": _NUMBER | {"maximum": MAX_INTERVAL_MINUTES},
        "last_start": _TEXT | {"pattern": "^[0-2][0-9]:[0-5][0-9]$"},
        "duration_minutes": _NUMBER | {"maximum": MAX_DURATION_MINUTES},
        "max_credits": {"bsonType": "number", "minimum": 0, "maximum": 100},
        "students": _NUMBER,
        "filename": _TEXT,
        "import_id": _TEXT,
        "author": {"bsonType": ["int", "long"]},
        "at": {"bsonType": "date"},
        "begun_at": {"bsonType": "date"},
    },
}


async def add(db: Database, new: BulkAssignment) -> None:
    """Add an assignment that has not begun."""
    await db.bulk_assignment.insert_one(_to_row(new))


async def set_import(db: Database, assignment_id: str, import_id: str) -> None:
    """Store the import that makes the assignment's changes."""
    await db.bulk_assignment.update_one({"assignment_id": assignment_id}, {"$set": {"import_id": import_id}})


async def begin(db: Database, import_id: str, at: datetime, session: Session) -> None:
    """Store that the assignment with this import begins; do nothing if there is none."""
    await db.bulk_assignment.update_one({"import_id": import_id}, {"$set": {"begun_at": at}}, session=session)


async def find(db: Database, assignment_id: str) -> BulkAssignment | None:
    """Return the assignment, or None."""
    row = await db.bulk_assignment.find_one({"assignment_id": assignment_id})
    return None if row is None else _to_assignment(row)


async def find_by_import(db: Database, import_id: str) -> BulkAssignment | None:
    """Return the assignment with this import, or None."""
    row = await db.bulk_assignment.find_one({"import_id": import_id})
    return None if row is None else _to_assignment(row)


async def find_begun(db: Database, term: str) -> list[BulkAssignment]:
    """Return the term's assignments that have begun, the latest first."""
    found = db.bulk_assignment.find({"term": term, "begun_at": {"$exists": True}}).sort("begun_at", -1)
    return [_to_assignment(row) for row in await found.to_list(None)]


async def find_not_begun(db: Database, before: datetime) -> list[str]:
    """Return the assignment_ids of those that were prepared before that moment, and have not begun."""
    found = db.bulk_assignment.find({"begun_at": None, "at": {"$lt": before}}, {"assignment_id": 1})
    return [row["assignment_id"] for row in await found.to_list(None)]


async def remove(db: Database, assignment_id: str) -> None:
    """Remove the assignment."""
    await db.bulk_assignment.delete_one({"assignment_id": assignment_id})


def _to_row(assignment: BulkAssignment) -> Document:
    row = asdict(assignment) | asdict(assignment.rules) | {"levels": [*assignment.rules.levels]}
    if assignment.rules.last_start:
        row["last_start"] = f"{assignment.rules.last_start:%H:%M}"
    return {name: value for name, value in row.items() if name != "rules" and value not in (None, "", [])}


def _to_assignment(row: Mapping[str, Any]) -> BulkAssignment:
    values = {
        "ranking": Ranking(row["ranking"]),
        "levels": tuple(row.get("levels", ())),
        "last_start": time.fromisoformat(row["last_start"]) if "last_start" in row else None,
    }
    rules = BulkRules(**{one.name: row[one.name] for one in fields(BulkRules) if one.name in row} | values)
    known = {one.name for one in fields(BulkAssignment)} & row.keys()
    return BulkAssignment(rules=rules, **{name: row[name] for name in known})
