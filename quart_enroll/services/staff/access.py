"""The access log: which student's record, or which roster, a staff member opened."""

from collections.abc import AsyncGenerator
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import access, users
from quart_enroll.domain import permissions
from quart_enroll.domain.audit import About, AccessEntry, LogFilter
from quart_enroll.domain.models import SectionKey, User
from quart_enroll.services.staff import named_entries
from quart_enroll.services.staff.named_entries import NamedEntry


async def open_record(db: Database, staff: User, user_id: int, page: str, now: datetime) -> User | None:
    """Return the student, and log that the staff member opens the record on the page with this endpoint.

    Returns None if there is no such student among those whose record the person may see.
    """
    student = await users.find(db, user_id)
    if student is None or not permissions.can_read_student(staff, student):
        return None
    await access.add(db, AccessEntry(now, staff.user_id, user_id, page))
    return student


async def record_roster(db: Database, staff_id: int, key: SectionKey, page: str, now: datetime) -> None:
    """Log that the staff member opens the section's roster on the page with this endpoint."""
    about = About("section", key.term, key.courseID, key.section)
    await access.add(db, AccessEntry(now, staff_id, None, page, about))


async def record_student(db: Database, staff_id: int, user_id: int, page: str, now: datetime) -> None:
    """Log that the staff member sees what the page with this endpoint shows of the student's record."""
    await access.add(db, AccessEntry(now, staff_id, user_id, page))


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
    return named_entries.named_batches(db, access.batches(db, wanted), named_entries.add_names)
