"""Imports in the browser: the uploaded file is stored, so that any process can go on where another one died.

What reads the file and its rows is in forms, so whoever calls `run` passes on how the rows are imported. Importing the
same rows again changes nothing, so a run begins at the first row, whatever an earlier one has done.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import import_parts, imports, leases
from quart_enroll.db.collections.import_parts import Outcome
from quart_enroll.db.collections.imports import LIFETIME, NotRunning
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.stored_import import ImportState, StoredImport
from quart_enroll.services.catalog.imports import ImportAuthor, ImportResult, RowChange
from quart_enroll.services.staff import audit

LEASE_DURATION = timedelta(minutes=2)
"""How long an import stays with a process that no longer renews it; longer than a batch takes."""

Apply = Callable[[ImportAuthor], Awaitable[ImportResult]]
"""Imports the rows of the file for this author."""


async def upload(db: Database, author: int, kind: str, filename: str, data: bytes, now: datetime) -> str:
    """Store a file, and return the import_id."""
    new = StoredImport(secrets.token_urlsafe(16), now, author, kind, filename[:255])
    await import_parts.add_bytes(db, new.import_id, data, now + LIFETIME)
    await imports.add(db, new)
    return new.import_id


async def find(db: Database, import_id: str) -> StoredImport | None:
    """Return the import, or None."""
    return await imports.find(db, import_id)


async def read_file(db: Database, import_id: str) -> bytes:
    """Return the bytes of the file; none after the import."""
    return await import_parts.read_bytes(db, import_id)


async def choose_columns(db: Database, import_id: str, columns: Mapping[str, str]) -> bool:
    """Store the fields of the columns; return False if the import has already begun."""
    return await imports.set_columns(db, import_id, columns)


async def begin(db: Database, import_id: str) -> bool:
    """Let the import run; return False if it has already begun, so that a second click does nothing."""
    return await imports.begin(db, import_id)


async def find_running(db: Database) -> list[StoredImport]:
    """Return the imports that are running, or that a process has left behind."""
    return await imports.find_running(db)


async def run(db: Database, stored: StoredImport, rows: int, apply: Apply, holder: str, now: datetime) -> bool:
    """Import the rows, and record how it ended; return False if another process is doing it or has done it.

    Raises what `apply` raises: then the import is still running, and `fail` ends it if it can't succeed.
    """
    lease = f"import {stored.import_id}"
    if not await leases.acquire(db, lease, holder, LEASE_DURATION):
        return False

    async def record(session: Session, result: ImportResult) -> None:
        await leases.acquire(db, lease, holder, LEASE_DURATION)
        await _record(db, stored.import_id, result, now, session)

    try:
        await imports.begin_run(db, stored.import_id, rows)
        await apply(ImportAuthor(stored.author, record))
    except NotRunning:
        return False
    finally:
        await leases.release(db, lease, holder)
    await imports.end(db, stored.import_id, ImportState.DONE)
    await import_parts.remove_bytes(db, stored.import_id)
    return True


async def fail(db: Database, import_id: str, failures: list[str]) -> None:
    """Record why the import can't go on."""
    await imports.end(db, import_id, ImportState.FAILED, failures)
    await import_parts.remove_bytes(db, import_id)


def outcomes(db: Database, import_id: str) -> AsyncIterator[Outcome]:
    """Yield what became of the rows that were added or changed."""
    return import_parts.read_outcomes(db, import_id)


async def _record(db: Database, import_id: str, result: ImportResult, now: datetime, session: Session) -> None:
    """Count the rows of a batch and store what became of them, and the audit entry with the first."""
    unlogged = await imports.count(
        db, import_id, passed=result.rows, added=result.added, changed=result.changed, session=session
    )
    found = [Outcome(number, "added", "") for number in result.new_rows]
    found += [Outcome(change.number, "changed", _describe(change)) for change in result.changes]
    await import_parts.add_outcomes(db, import_id, sorted(found), now + LIFETIME, session)
    if unlogged is not None:
        about = About(unlogged.kind, name=unlogged.filename)
        await audit.record(db, session, AuditEntry(now, unlogged.author, "import", about))


def _describe(change: RowChange) -> str:
    return ", ".join(f"{one.field}: {one.old} → {one.new}" for one in change.fields)
