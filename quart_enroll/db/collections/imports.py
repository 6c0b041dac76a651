"""The collection `import`: files that were uploaded for an import, and how far each has come.

The bytes and the outcome are in `import_part`. MongoDB removes both at `forget_at`; the audit log stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pymongo import IndexModel, ReturnDocument

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.stored_import import ImportState, StoredImport

INDEXES = [
    IndexModel("import_id", unique=True),
    IndexModel([("state", 1), ("at", -1)]),
    IndexModel([("at", -1)]),
    IndexModel("forget_at", expireAfterSeconds=0),
]

_COUNT = {"bsonType": ["int", "long"], "minimum": 0}

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
        "columns": {"bsonType": ["object", "null"]},
        **dict.fromkeys(("rows", "passed", "added", "changed"), _COUNT),
        "failures": {"bsonType": "array", "items": {"bsonType": "string"}},
        "is_logged": {"bsonType": "bool"},
        "forget_at": {"bsonType": "date"},
    },
}

LIFETIME = timedelta(days=90)
"""How long an import is listed, with its outcome."""


async def add(db: Database, new: StoredImport) -> None:
    """Add an import."""
    row = asdict(new) | {"failures": list(new.failures), "forget_at": new.at + LIFETIME}
    await db["import"].insert_one(row)


async def find(db: Database, import_id: str, session: Session | None = None) -> StoredImport | None:
    """Return the import, or None."""
    row = await db["import"].find_one({"import_id": import_id}, session=session)
    return None if row is None else to_import(row)


async def find_latest(db: Database, at_most: int) -> list[StoredImport]:
    """Return the latest imports, newest first."""
    return [to_import(row) for row in await db["import"].find().sort("at", -1).to_list(at_most)]


async def find_running(db: Database) -> list[StoredImport]:
    """Return the imports that are running, or whose process has died."""
    found = db["import"].find({"state": ImportState.RUNNING}).sort("at", -1)
    return [to_import(row) async for row in found]


async def set_columns(db: Database, import_id: str, columns: Mapping[str, str]) -> bool:
    """Store the fields of the columns; return False if the import has already begun."""
    wanted = {"import_id": import_id, "state": ImportState.UPLOADED}
    return bool((await db["import"].update_one(wanted, {"$set": {"columns": dict(columns)}})).matched_count)


async def begin(db: Database, import_id: str) -> bool:
    """Let an uploaded import run; return False if it has already begun."""
    wanted = {"import_id": import_id, "state": ImportState.UPLOADED}
    return bool((await db["import"].update_one(wanted, {"$set": {"state": ImportState.RUNNING}})).matched_count)


async def begin_run(db: Database, import_id: str, rows: int) -> None:
    """Count the rows that a run passes from 0 again; raise NotRunning if the import has ended."""
    running = {"import_id": import_id, "state": ImportState.RUNNING}
    if not (await db["import"].update_one(running, {"$set": {"rows": rows, "passed": 0}})).matched_count:
        raise NotRunning(import_id)


async def count(
    db: Database, import_id: str, *, passed: int, added: int, changed: int, session: Session
) -> StoredImport | None:
    """Count rows; return the import if it is not in the audit log yet, and mark it as logged.

    Raises NotRunning if it has ended, so that the transaction is not committed.
    """
    before: Document | None = await db["import"].find_one_and_update(
        {"import_id": import_id, "state": ImportState.RUNNING},
        {"$inc": {"passed": passed, "added": added, "changed": changed}, "$set": {"is_logged": True}},
        return_document=ReturnDocument.BEFORE,
        session=session,
    )
    if before is None:
        raise NotRunning(import_id)
    return None if before.get("is_logged") else to_import(before)


async def end(db: Database, import_id: str, state: ImportState, failures: Sequence[str] = ()) -> None:
    """Record how a running import has ended."""
    running = {"import_id": import_id, "state": ImportState.RUNNING}
    await db["import"].update_one(running, {"$set": {"state": state, "failures": list(failures)}})


def to_import(row: Mapping[str, Any]) -> StoredImport:
    """Read a stored import."""
    facts = {name: row[name] for name in ("import_id", "at", "author", "kind", "filename")}
    counts = {name: int(row.get(name, 0)) for name in ("rows", "passed", "added", "changed")}
    rest = {"columns": row.get("columns"), "failures": tuple(row.get("failures", ()))}
    return StoredImport(**facts | counts | rest, state=ImportState(row["state"]))


class NotRunning(Exception):
    """The import has ended, or was removed: another process has done its work."""
