"""The collection `audit`: every change that staff made, written in the change's own transaction. Rows stay forever."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pymongo import IndexModel

from quart_enroll.db import cursors, log_pages
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.audit import ACTIONS, About, AuditEntry, Change, LogFilter

INDEXES = [
    IndexModel(cursors.LATEST_FIRST),
    IndexModel([("actor", 1), *cursors.LATEST_FIRST]),
    IndexModel([("action", 1), *cursors.LATEST_FIRST]),
    IndexModel([("user_id", 1), *cursors.LATEST_FIRST]),
]

_TEXT = {"bsonType": "string"}

SCHEMA = {
    "bsonType": "object",
    "required": ["at", "actor", "action", "about"],
    "properties": {
        "at": {"bsonType": "date"},
        "actor": {"bsonType": ["int", "long"]},
        "action": {"enum": list(ACTIONS)},
        "about": {
            "bsonType": "object",
            "required": ["kind"],
            "properties": dict.fromkeys(("kind", "term", "courseID", "section", "name"), _TEXT),
        },
        "user_id": {"bsonType": ["int", "long"]},
        "reason": _TEXT,
        "overrides": {"bsonType": "array", "items": _TEXT},
        "changes": {
            "bsonType": "array",
            "items": {
                "bsonType": "object",
                "required": ["field", "old", "new"],
                "properties": dict.fromkeys(("field", "old", "new"), _TEXT),
            },
        },
    },
}


async def add(db: Database, entry: AuditEntry, session: Session | None = None) -> None:
    """Add an entry."""
    await db.audit.insert_one(to_row(entry), session=session)


async def add_all(db: Database, entries: Iterable[AuditEntry], session: Session) -> None:
    """Add several entries."""
    await db.audit.insert_many([to_row(entry) for entry in entries], session=session)


async def find_page(db: Database, wanted: LogFilter, after: str, at_most: int) -> tuple[list[AuditEntry], str]:
    """Return a page of entries and the cursor of the next page, as `log_pages.find_page` does."""
    rows, cursor = await log_pages.find_page(db.audit, log_pages.to_filter(wanted), after, at_most)
    return [to_entry(row) for row in rows], cursor


async def batches(db: Database, wanted: LogFilter) -> AsyncGenerator[list[AuditEntry], None]:
    """Yield all these entries in batches, the latest first."""
    async for rows in log_pages.batches(db.audit, log_pages.to_filter(wanted)):
        yield [to_entry(row) for row in rows]


def to_row(entry: AuditEntry) -> Document:
    """Return the entry as a row, without its empty fields."""
    row = _without_empty(asdict(entry))
    return row | {"actor": entry.actor, "about": _without_empty(row["about"])}


def to_entry(row: Mapping[str, Any]) -> AuditEntry:
    """Read a stored entry."""
    return AuditEntry(
        row["at"],
        row["actor"],
        row["action"],
        About(**row["about"]),
        user_id=row.get("user_id"),
        reason=row.get("reason", ""),
        overrides=tuple(row.get("overrides", ())),
        changes=tuple(Change(**change) for change in row.get("changes", ())),
    )


def _without_empty(row: Document) -> Document:
    return {name: value for name, value in row.items() if value not in ("", (), None)}
