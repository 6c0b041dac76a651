"""The access log: which student's record which member of the staff opened."""

from collections.abc import AsyncGenerator

from quart_enroll.db.client import Database
from quart_enroll.db.collections import access
from quart_enroll.domain.audit import AccessEntry, LogFilter
from quart_enroll.services.staff import named_entries
from quart_enroll.services.staff.named_entries import NamedEntry


async def page(
    db: Database, wanted: LogFilter, after: str, max_entries: int
) -> tuple[list[NamedEntry[AccessEntry]], str]:
    """Return a page of entries, the latest first, and the cursor of the next page, which is empty on the last one.

    Raises ValueError for an invalid cursor.
    """
    entries, cursor = await access.find_page(db, wanted, after, max_entries)
    return await named_entries.add_names(db, entries), cursor


def batches(db: Database, wanted: LogFilter) -> AsyncGenerator[list[NamedEntry[AccessEntry]], None]:
    """Yield all these entries in batches, the latest first."""
    return named_entries.add_names_to_batches(db, access.batches(db, wanted))
