"""The collection `import`: files that were uploaded for an import, and how far each has come.

The bytes, the preview and the outcome are in `import_part`. MongoDB removes all of it at `forget_at`; the audit log
stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from pymongo import IndexModel, ReturnDocument

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import message_codec
from quart_enroll.db.queries.message_codec import SENTENCE_SCHEMA
from quart_enroll.domain.stored_import import (
    MATCHABLE_STATES,
    PENDING_STATES,
    FileColumn,
    ImportState,
    PreviewCounts,
    StoredImport,
)
from quart_enroll.i18n.language import Sentence

INDEXES = [
    IndexModel("import_id", unique=True),
    IndexModel([("state", 1), ("at", 1)]),
    IndexModel([("at", -1)]),
    IndexModel([("author", 1), ("kind", 1), ("at", -1)]),
    IndexModel("forget_at", expireAfterSeconds=0),
]

_COUNT = {"bsonType": ["int", "long"], "minimum": 0}
_SENTENCES = {"bsonType": "array", "items": SENTENCE_SCHEMA}

SCHEMA = {
    "bsonType": "object",
    "required": ["import_id", "at", "author", "kind", "filename", "state"],
    "properties": {
        "import_id": {"bsonType": "string"},
        "at": {"bsonType": "date"},
        "author": {"bsonType": ["int", "long"]},
        "kind": {"bsonType": "string"},
        "filename": {"bsonType": "string", "maxLength": 255},
        "state": {"enum": list(ImportState)},
        "reason": {"bsonType": "string"},
        "overrides": {"bsonType": "array", "items": {"bsonType": "string"}},
        "found": {"bsonType": "array"},
        "columns": {"bsonType": ["array", "null"]},
        "preview": {"bsonType": "array", "items": _COUNT},
        **dict.fromkeys(("rows", "passed", "added", "changed", "checks", "runs"), _COUNT),
        "notes": _SENTENCES,
        "failures": _SENTENCES,
        "is_logged": {"bsonType": "bool"},
        "forget_at": {"bsonType": "date"},
    },
}

LIFETIME = timedelta(days=90)
"""How long an import is listed, with its outcome."""


async def add(db: Database, new: StoredImport) -> None:
    """Add an import."""
    names = ("found", "preview", "notes", "failures", "overrides")
    changed: Document = {name: list(getattr(new, name)) for name in names}
    changed["columns"] = None if new.columns is None else _pairs(new.columns)
    await db["import"].insert_one(asdict(new) | changed | {"forget_at": new.at + LIFETIME})


async def find(db: Database, import_id: str, session: Session | None = None) -> StoredImport | None:
    """Return the import, or None."""
    row = await db["import"].find_one({"import_id": import_id}, session=session)
    return None if row is None else to_import(row)


async def find_latest(db: Database, at_most: int, author: int | None = None, kind: str = "") -> list[StoredImport]:
    """Return the latest imports, newest first; with an `author`, only those of that person and kind."""
    wanted = {} if author is None else {"author": author, "kind": kind}
    return [to_import(row) for row in await db["import"].find(wanted).sort("at", -1).to_list(at_most)]


async def find_pending(db: Database) -> list[StoredImport]:
    """Return the imports that are being checked or are running, or whose process has died, the oldest first."""
    found = db["import"].find({"state": {"$in": list(PENDING_STATES)}}).sort("at", 1)
    return [to_import(row) async for row in found]


async def choose_columns(db: Database, import_id: str, columns: Mapping[str, str]) -> bool:
    """Store the fields of the columns and let the file be checked; return False once the import has begun."""
    wanted = {"import_id": import_id, "state": {"$in": list(MATCHABLE_STATES)}}
    chosen = {"state": ImportState.CHECKING, "columns": _pairs(columns)}
    return bool((await db["import"].update_one(wanted, {"$set": chosen})).matched_count)


async def end_check(
    db: Database,
    import_id: str,
    state: ImportState,
    preview: PreviewCounts,
    notes: Sequence[Sentence],
    failures: Sequence[Sentence],
) -> None:
    """Record what the import would do, and the state to which that leads."""
    wanted = {"import_id": import_id, "state": ImportState.CHECKING}
    found = {"preview": list(preview), "rows": preview.rows, "notes": _encoded(notes), "failures": _encoded(failures)}
    await db["import"].update_one(wanted, {"$set": found | {"state": state}, "$inc": {"checks": 1}})


async def begin(db: Database, import_id: str, author: int, checks: int, session: Session) -> bool:
    """Let the import run for this author if it was checked that many times; return False if it has begun or may not."""
    wanted = {"import_id": import_id, "state": ImportState.CHECKED, "checks": checks}
    change = {"$set": {"state": ImportState.RUNNING, "author": author}}
    return bool((await db["import"].update_one(wanted, change, session=session)).matched_count)


async def begin_run(db: Database, import_id: str, *, from_start: bool) -> int:
    """Return the number of a new run; with `from_start`, it counts the rows again from the first one.

    From now on, earlier runs can commit nothing, even if their process was only stopped for a while: what they have
    recorded is stored by now. Raises NotRunning if the import has ended.
    """
    change: Document = {"$inc": {"runs": 1}} | ({"$set": {"passed": 0}} if from_start else {})
    running = {"import_id": import_id, "state": ImportState.RUNNING}
    before: Document | None = await db["import"].find_one_and_update(running, change)
    if before is None:
        raise NotRunning(import_id)
    return int(before.get("runs", 0)) + 1


async def count(
    db: Database, import_id: str, run: int, *, passed: int, added: int, changed: int, session: Session
) -> StoredImport | None:
    """Count rows; return the import if it is not in the audit log yet, and mark it as logged.

    Raises NotRunning if the run has ended, or another one has begun, so that the transaction is not committed.
    """
    before: Document | None = await db["import"].find_one_and_update(
        {"import_id": import_id, "state": ImportState.RUNNING, "runs": run},
        {"$inc": {"passed": passed, "added": added, "changed": changed}, "$set": {"is_logged": True}},
        return_document=ReturnDocument.BEFORE,
        session=session,
    )
    if before is None:
        raise NotRunning(import_id)
    return None if before.get("is_logged") else to_import(before)


async def end(db: Database, import_id: str, state: ImportState, failures: Sequence[Sentence] = ()) -> None:
    """Record how a running import has ended."""
    running = {"import_id": import_id, "state": ImportState.RUNNING}
    await db["import"].update_one(running, {"$set": {"state": state, "failures": _encoded(failures)}})


def to_import(row: Mapping[str, Any]) -> StoredImport:
    """Read a stored import."""
    known = {one.name for one in fields(StoredImport)}
    columns = row.get("columns")
    return StoredImport(
        **{name: value for name, value in row.items() if name in known}
        | {
            "state": ImportState(row["state"]),
            "found": tuple(FileColumn(*column) for column in row.get("found", ())),
            "columns": None if columns is None else dict(columns),
            "preview": PreviewCounts(*row.get("preview", ())),
            "notes": _decoded(row.get("notes", ())),
            "failures": _decoded(row.get("failures", ())),
            "overrides": tuple(row.get("overrides", ())),
        }
    )


def _encoded(sentences: Sequence[Sentence]) -> list[Any]:
    return [message_codec.encode_text(one) for one in sentences]


def _decoded(stored: Sequence[Any]) -> tuple[str | Sentence, ...]:
    return tuple(message_codec.decode_text(one) for one in stored)


def _pairs(columns: Mapping[str, str]) -> list[list[str]]:
    """Return the columns as they are stored: a column may have a name that a field of MongoDB can't have."""
    return [list(pair) for pair in columns.items()]


class NotRunning(Exception):
    """The import has ended, or another process has taken it over: what this one was about to do is not wanted."""
