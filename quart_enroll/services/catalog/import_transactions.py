"""The transactions of imports: dry runs, the promotions that follow, and long files in batches."""

from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from quart_enroll.db.client import Database, Session
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.models import SYSTEM_ACTOR
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import ImportResult, ImportTotal
from quart_enroll.services.enrollment import swap_cycles
from quart_enroll.services.enrollment.promotion import promote_all_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks

BATCH_ROWS = 2000
"""The maximum number of rows of a long file in one transaction: MongoDB ends one that takes a minute, and keeps what it
has written in its cache."""

IMPORT_RETRY_SECONDS = 120.0
"""Seconds for which an import is retried: longer than MongoDB keeps a transaction whose process was killed."""

Batch = TypeVar("Batch")

Record = Callable[[Session, ImportResult], Awaitable[None]]
"""Writes, in the transaction of an import, that it has had this result; raises if it must not have it."""


async def record_nothing(_: Session, __: ImportResult) -> None:
    """Write nothing."""


class _DryRunDone(Exception):
    """Aborts the transaction of a dry run."""


async def run_import(
    db: Database,
    body: Callable[[Session], Coroutine[Any, Any, ImportResult]],
    *,
    dry_run: bool = False,
    record: Record = record_nothing,
) -> ImportResult:
    """Run the import and `record` in one transaction, and return what it did; a dry run then rolls it back."""
    results: list[ImportResult] = []

    async def import_and_record(session: Session) -> None:
        results[:] = [await body(session)]
        if dry_run:
            raise _DryRunDone
        await record(session, results[0])

    with suppress(_DryRunDone):
        await transaction(db, import_and_record, IMPORT_RETRY_SECONDS)
    return results[0]


@dataclass(frozen=True, slots=True)
class ImportAuthor:
    """Who imports: a staff member whose page does it, or the system; `record` runs in the import's transaction.

    The `reason` is told to students whose enrollments change, and the `overrides` are set aside for them. What has
    become of `recorded_rows` was recorded by an earlier run, which was interrupted.
    """

    user_id: int = SYSTEM_ACTOR
    record: Record = record_nothing
    reason: str = ""
    overrides: frozenset[Override] = NO_OVERRIDES
    recorded_rows: Collection[int] = ()


SYSTEM = ImportAuthor()


async def run_catalog_import(
    db: Database,
    body: Callable[[Session], Coroutine[Any, Any, ImportResult]],
    now: datetime,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Run the import, promote waitlisted students in the same transaction, and then complete swap cycles.

    So no open seat is ever visible that a waiting student could take.
    """

    async def import_and_promote(session: Session) -> ImportResult:
        result = await body(session)
        change = SeatTransaction(db, session, now, author.user_id)
        await promote_all_waitlists(change)
        return replace(result, promoted=change.promotions)

    result = await run_import(db, import_and_promote, dry_run=dry_run, record=author.record)
    if not dry_run:
        await swap_cycles.complete_all_cycles(SectionLocks(db), author.user_id, now)
    return result


async def run_batches(batches: AsyncIterable[Batch], run: Callable[[Batch], Awaitable[ImportResult]]) -> ImportResult:
    """Import the batches of a long file one after the other; raise InvalidRows, with the number of imported rows."""
    total, imported = ImportTotal(), 0
    async for batch in batches:
        try:
            result = await run(batch)
        except InvalidRows as refused:
            raise InvalidRows(refused.problems, imported) from refused
        total.add(result)
        imported += result.rows
    return total.result()
