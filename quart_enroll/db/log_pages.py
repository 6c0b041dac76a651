"""Pages and batches of the audit log and the access log, the latest entry first."""

from collections.abc import AsyncGenerator

from motor.motor_asyncio import AsyncIOMotorCollection

from quart_enroll.db import cursors
from quart_enroll.db.client import Document
from quart_enroll.domain.audit import LogFilter

BATCH_SIZE = 500
"""Rows of a log in memory at the same time: some 250 kB."""


async def find_page(
    log: AsyncIOMotorCollection[Document], wanted: LogFilter, after: str, at_most: int
) -> tuple[list[Document], str]:
    """Return a page of these rows, the latest first, and the cursor of the next page.

    The page begins after the cursor `after`, or with the latest row if that is empty. The next cursor is empty on the
    last page. Raises ValueError for an invalid cursor.
    """
    conditions = [to_filter(wanted)] + ([cursors.earlier_than(after)] if after else [])
    rows = await log.find({"$and": conditions}).sort(cursors.LATEST_FIRST).limit(at_most + 1).to_list(at_most + 1)
    return rows[:at_most], cursors.next_cursor(rows, at_most)


async def batches(log: AsyncIOMotorCollection[Document], wanted: LogFilter) -> AsyncGenerator[list[Document], None]:
    """Yield all these rows in batches, the latest first."""
    cursor = log.find(to_filter(wanted), batch_size=BATCH_SIZE).sort(cursors.LATEST_FIRST)
    try:
        while rows := await cursor.to_list(BATCH_SIZE):
            yield rows
    finally:
        await cursor.close()


def to_filter(wanted: LogFilter) -> Document:
    """Return the filter for these rows."""
    equal = {"actor": wanted.actor, "user_id": wanted.user_id, "action": wanted.action or None}
    found: Document = {name: value for name, value in equal.items() if value is not None}
    period = {"$gte": wanted.begins, "$lt": wanted.ends}
    if limits := {operator: moment for operator, moment in period.items() if moment is not None}:
        found["at"] = limits
    return found
