"""Imports in the browser: the uploaded file is stored, so that any process can continue after another one has died.

What reads the file and its rows is in forms, so the callers of `check` and `run` pass in how that is done. Importing
the same rows again changes nothing, so a run begins at the first row, whatever an earlier one has done. Only rows about
students that an earlier run has recorded are passed over, because the student may have changed something since then.
"""

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import bulk_assignments, import_parts, imports, users
from quart_enroll.db.collections.imports import LIFETIME, NotRunning
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.models import SYSTEM_ACTOR
from quart_enroll.domain.stored_import import (
    ABOUT_STUDENTS,
    ENROLLMENTS,
    MATCHABLE_STATES,
    NO_ROWS,
    OUTCOME_KINDS,
    FileColumn,
    ImportState,
    Outcome,
    PreviewCounts,
    StoredImport,
)
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_transactions import ImportAuthor, Record, record_nothing
from quart_enroll.services.staff import audit, import_lease
from quart_enroll.services.staff.import_outcomes import find_outcomes

MAX_LISTED_IMPORTS = 200


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do: its counts, what would become of each row that is not left unchanged, and sentences.

    With `failures`, or with refused rows on which the others depend, it `is_refused`.
    """

    counts: PreviewCounts = NO_ROWS
    outcomes: Sequence[Outcome] = ()
    notes: Sequence[Sentence] = ()
    failures: Sequence[Sentence] = ()
    is_refused: bool = False


Check = Callable[[StoredImport], Awaitable[Preview]]
"""Finds out what an import would do."""

Apply = Callable[[ImportAuthor], Awaitable[ImportResult]]
"""Imports the rows of the file for this author."""


async def upload(
    db: Database,
    author: int,
    kind: str,
    filename: str,
    file: IO[bytes],
    now: datetime,
    *,
    found: Sequence[FileColumn] = (),
    columns: Mapping[str, str] | None = None,
    reason: str = "",
    overrides: Collection[Override] = (),
) -> str:
    """Store a file, and return the import_id; with its `columns`, they needn't be matched, and it is checked."""
    import_id = secrets.token_urlsafe(16)
    new = StoredImport(
        import_id,
        now,
        author,
        kind,
        filename[:255],
        state=ImportState.UPLOADED if columns is None else ImportState.CHECKING,
        reason=reason,
        overrides=tuple(sorted(overrides)),
        found=tuple(found),
        columns=columns,
    )
    await import_parts.add_file(db, import_id, file, now + LIFETIME)
    await imports.add(db, new)
    return import_id


async def find(db: Database, import_id: str) -> StoredImport | None:
    """Return the import, or None."""
    return await imports.find(db, import_id)


async def find_latest(db: Database, author: int | None = None) -> list[tuple[StoredImport, str]]:
    """Return the latest imports, newest first, with the names of their authors.

    With an `author`, these are the changes for students that this person has begun.
    """
    found = await imports.find_latest(db, MAX_LISTED_IMPORTS, author, ENROLLMENTS)
    names = await users.find_names(db, {one.author for one in found})
    return [(one, names.get(one.author, str(one.author))) for one in found]


async def read_file(db: Database, import_id: str, file: IO[bytes]) -> None:
    """Write the bytes of the uploaded file into the `file`; none after the import."""
    await import_parts.read_file(db, import_id, file)


async def choose_columns(db: Database, import_id: str, columns: Mapping[str, str]) -> bool:
    """Store the fields of the columns, and let the file be checked; return False if the import has already begun."""
    return await imports.choose_columns(db, import_id, columns)


async def begin(db: Database, import_id: str, author: int, checks: int, now: datetime) -> bool:
    """Let the import run for the author who saw its preview after that many checks; its bulk assignment begins with it.

    Returns False if it has already begun, so that a second click does nothing; or if it was checked again, so that
    nobody imports what they haven't seen.
    """

    async def body(session: Session) -> bool:
        has_begun = await imports.begin(db, import_id, author, checks, session)
        if has_begun:
            await bulk_assignments.begin(db, import_id, now, session)
        return has_begun

    return await transaction(db, body)


async def find_pending(db: Database) -> list[StoredImport]:
    """Return the imports that are being checked or are running, or that a process has left behind."""
    return await imports.find_pending(db)


async def check(db: Database, stored: StoredImport, find_preview: Check, holder: str, now: datetime) -> bool:
    """Find out what the import would do, and store it; return False if another process is doing that."""
    async with import_lease.held(db, stored, holder) as is_held:
        if is_held:
            found = await find_preview(stored)
            await import_parts.replace_preview(db, stored.import_id, found.outcomes, now + LIFETIME)
            state = ImportState.REFUSED if found.is_refused else ImportState.CHECKED
            await imports.end_check(db, stored.import_id, state, found.counts, found.notes, found.failures)
    return is_held


async def run(db: Database, stored: StoredImport, apply: Apply, holder: str, now: datetime) -> bool:
    """Import the rows, and record how it ended; return False if another process is doing it or has done it.

    Raises what `apply` raises: then the import is still running, and `fail` ends it if it can't succeed.
    """
    async with import_lease.held(db, stored, holder) as is_held:
        if not is_held:
            return False
        try:
            number = await imports.begin_run(db, stored.import_id, from_start=stored.kind not in ABOUT_STUDENTS)
            record = partial(_record, db, stored.import_id, number, now)
            recorded = await _recorded_rows(db, stored)  # only now can no earlier run add any
            await apply(import_author(stored, record, recorded))
        except NotRunning:
            return False
        await imports.end(db, stored.import_id, ImportState.DONE)
        await import_parts.remove_file(db, stored.import_id)
        return True


def import_author(
    stored: StoredImport, record: Record = record_nothing, recorded_rows: Collection[int] = ()
) -> ImportAuthor:
    """Return the author of the import, with what they chose for the students."""
    overrides = frozenset(one for one in Override if one in stored.overrides)
    return ImportAuthor(stored.author, record, stored.reason, overrides, recorded_rows)


async def _recorded_rows(db: Database, stored: StoredImport) -> Collection[int]:
    """Return the rows that an earlier run has recorded; only those about students are recorded one by one."""
    return await import_parts.find_recorded_rows(db, stored.import_id) if stored.kind in ABOUT_STUDENTS else ()


async def fail(db: Database, stored: StoredImport, failures: Sequence[Sentence]) -> None:
    """Record why a check or an import can't go on."""
    if stored.state is ImportState.CHECKING:
        await imports.end_check(db, stored.import_id, ImportState.REFUSED, NO_ROWS, (), failures)
    else:
        await imports.end(db, stored.import_id, ImportState.FAILED, failures)
        await import_parts.remove_file(db, stored.import_id)


async def find_preview(db: Database, import_id: str, at_most: int) -> dict[str, list[Outcome]]:
    """Return the first outcomes of each kind that the import would have."""
    return {kind: await import_parts.find_preview(db, import_id, kind, at_most) for kind in OUTCOME_KINDS}


async def find_refused(db: Database, import_id: str, at_most: int) -> list[Outcome]:
    """Return the first rows about students that were refused."""
    return await import_parts.find_refused(db, import_id, at_most)


def outcomes(db: Database, stored: StoredImport) -> AsyncGenerator[list[Outcome], None]:
    """Yield in batches what became of the rows; before the import, what would become of them."""
    lists = OUTCOME_KINDS if stored.state in MATCHABLE_STATES else ("outcome",)
    return import_parts.read_outcomes(db, stored.import_id, *lists)


def command_author(
    db: Database,
    kind: str,
    filename: str,
    now: datetime,
    reason: str = "",
    overrides: frozenset[Override] = NO_OVERRIDES,
) -> ImportAuthor:
    """Return the author of an import by a command, which has one entry in the audit log."""
    entry = AuditEntry(now, SYSTEM_ACTOR, "import", About(kind, name=filename), reason=reason)
    logged_in: list[Session] = []

    async def record(session: Session, result: ImportResult) -> None:
        # A transaction that is repeated has the same session, and each batch of a long file has another one.
        if (result.added or result.changed) and (not logged_in or session is logged_in[0]):
            logged_in[:] = [session]
            await audit.record(db, session, entry)

    return ImportAuthor(SYSTEM_ACTOR, record, reason, overrides)


async def _record(
    db: Database, import_id: str, run: int, now: datetime, session: Session, result: ImportResult
) -> None:
    """Count the rows of a batch and store what became of them, and the audit entry with the first."""
    unlogged = await imports.count(
        db, import_id, run, passed=result.rows, added=result.added, changed=result.changed, session=session
    )
    await import_parts.add_outcomes(db, import_id, await find_outcomes(db, result), now + LIFETIME, session)
    if unlogged is not None:
        about = About(unlogged.kind, name=unlogged.filename)
        await audit.record(db, session, AuditEntry(now, unlogged.author, "import", about, reason=unlogged.reason))
