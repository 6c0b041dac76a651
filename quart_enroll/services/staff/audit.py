"""The audit log: every change that staff made, with its author and reason."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import audit
from quart_enroll.domain.audit import About, AuditEntry, LogFilter
from quart_enroll.services.staff import named_entries
from quart_enroll.services.staff.named_entries import NamedEntry


async def record(db: Database, session: Session, entry: AuditEntry) -> None:
    """Record a change in its own transaction, so that neither exists without the other."""
    await audit.add(db, entry, session)


async def record_all(db: Database, session: Session, entries: Sequence[AuditEntry]) -> None:
    """Record a change of several people's seats in its own transaction."""
    await audit.add_all(db, entries, session)


async def record_export(db: Database, actor: int, url: str, now: datetime) -> None:
    """Record that a list is exported; `url` names it, its filters and the format."""
    await audit.add(db, AuditEntry(now, actor, "export", About("list", name=url)))


async def page(
    db: Database, wanted: LogFilter, after: str, max_entries: int
) -> tuple[list[NamedEntry[AuditEntry]], str]:
    """Return a page of entries, the latest first, and the cursor of the next page, which is empty on the last one.

    Raises ValueError for an invalid cursor.
    """
    entries, cursor = await audit.find_page(db, wanted, after, max_entries)
    return await named_entries.add_names(db, entries), cursor


def batches(db: Database, wanted: LogFilter) -> AsyncGenerator[list[NamedEntry[AuditEntry]], None]:
    """Yield all these entries in batches, the latest first."""
    return named_entries.named_batches(db, audit.batches(db, wanted), named_entries.add_names)
