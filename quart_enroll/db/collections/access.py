"""The collection `access`: which student's record, or which roster, a staff member opened. Rows stay forever.

The row of a roster has no `user_id`; `about` names the section.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from quart_enroll.db import cursors, log_pages
from quart_enroll.db.client import Database
from quart_enroll.domain.audit import About, AccessEntry, LogFilter

INDEXES = [
    IndexModel(cursors.LATEST_FIRST),
    IndexModel([("actor", 1), *cursors.LATEST_FIRST]),
    IndexModel([("user_id", 1), *cursors.LATEST_FIRST]),
    # Someone who reloads a page within a minute has looked at it once.
    IndexModel([("user_id", 1), ("actor", 1), ("page", 1), ("minute", 1), ("about", 1)], unique=True),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["at", "actor", "page", "minute"],
    "properties": {
        "at": {"bsonType": "date"},
        "actor": {"bsonType": ["int", "long"]},
        "user_id": {"bsonType": ["int", "long"]},
        "page": {"bsonType": "string"},
        "minute": {"bsonType": "date"},
        "about": {"bsonType": "object"},
    },
}


async def add(db: Database, entry: AccessEntry) -> None:
    """Add an entry, unless there is one of the same person, record and page for this minute of the clock."""
    of_nobody = {"user_id": {"$exists": False}}
    record = of_nobody | {"about": asdict(entry.about)} if entry.about else {"user_id": entry.user_id}
    key = record | {
        "actor": entry.actor,
        "page": entry.page,
        "minute": entry.at.replace(second=0, microsecond=0),
    }
    try:
        await db.access.update_one(key, {"$setOnInsert": {"at": entry.at}}, upsert=True)
    except DuplicateKeyError:  # another request has just added it
        return


async def find_page(db: Database, wanted: LogFilter, after: str, at_most: int) -> tuple[list[AccessEntry], str]:
    """Return a page of entries and the cursor of the next page, as `log_pages.find_page` does."""
    rows, cursor = await log_pages.find_page(db.access, log_pages.to_filter(wanted), after, at_most)
    return [to_entry(row) for row in rows], cursor


async def batches(db: Database, wanted: LogFilter) -> AsyncGenerator[list[AccessEntry], None]:
    """Yield all these entries in batches, the latest first."""
    async for rows in log_pages.batches(db.access, log_pages.to_filter(wanted)):
        yield [to_entry(row) for row in rows]


def to_entry(row: Mapping[str, Any]) -> AccessEntry:
    """Read a stored entry."""
    about = About(**row["about"]) if "about" in row else None
    return AccessEntry(row["at"], row["actor"], row.get("user_id"), row["page"], about)
