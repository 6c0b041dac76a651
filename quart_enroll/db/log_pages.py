"""Pages and batches of rows that are listed by time, such as those of a log, the latest first."""

from collections.abc import AsyncGenerator

from motor.motor_asyncio import AsyncIOMotorCollection

from quart_enroll.db import cursors
from quart_enroll.db.client import Document
from quart_enroll.domain.audit import LogFilter

BATCH_SIZE = 500
"""Rows in memory at the same time: some 250 kB of a log."""


async def find_page(
    rows: AsyncIOMotorCollection[Document], wanted: Document, after: str, at_most: int
) -> tuple[list[Document], str]:
    """Return a page of these rows, the latest first, and the cursor of the next page.

    The page begins after the cursor `after`, or with the latest row if that is empty. The next cursor is empty on the
    last page. Raises ValueError for an invalid cursor.
    """
    conditions = [wanted] + ([cursors.earlier_than(after)] if after else [])
    found = await rows.find({"$and": conditions}).sort(cursors.LATEST_FIRST).limit(at_most + 1).to_list(at_most + 1)
    return found[:at_most], cursors.next_cursor(found, at_most)


async def batches(rows: AsyncIOMotorCollection[Document], wanted: Document) -> AsyncGenerator[list[Document], None]:
    """Yield all these rows in batches, the latest first."""
    cursor = rows.find(wanted, batch_size=BATCH_SIZE).sort(cursors.LATEST_FIRST)
    try:
        while batch := await cursor.to_list(BATCH_SIZE):
            yield batch
    finally:
        await cursor.close()


def to_filter(wanted: LogFilter) -> Document:
    """Return the filter for these entries of a log."""
    equal = {"actor": wanted.actor, "user_id": wanted.user_id, "action": wanted.action or None}
    found: Document = {name: value for name, value in equal.items() if value is not None}
    period = {"$gte": wanted.begins, "$lt": wanted.ends}
    if limits := {operator: moment for operator, moment in period.items() if moment is not None}:
        found["at"] = limits
    return found
