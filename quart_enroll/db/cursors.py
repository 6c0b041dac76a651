"""Cursors for lists that begin with the latest row: each names the last row of a page."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId

from quart_enroll.db.client import Document

LATEST_FIRST = [("at", -1), ("_id", -1)]
"""The order of these lists."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_cursor(rows: list[Document], at_most: int) -> str:
    """Return the cursor of the next page; empty if there are no rows beyond `at_most`."""
    return _to_cursor(rows[at_most - 1]) if len(rows) > at_most else ""


def earlier_than(cursor: str) -> Document:
    """Return a filter for the rows after the one that the cursor names; raise ValueError for an invalid cursor."""
    milliseconds, _, row_id = cursor.partition(".")
    try:
        at, last = _EPOCH + timedelta(milliseconds=int(milliseconds)), ObjectId(row_id)
    except (InvalidId, OverflowError) as error:
        raise ValueError(cursor) from error
    return {"at": {"$lte": at}, "$or": [{"at": {"$lt": at}}, {"_id": {"$lt": last}}]}


def _to_cursor(row: Mapping[str, Any]) -> str:
    return f"{(row['at'] - _EPOCH) // timedelta(milliseconds=1)}.{row['_id']}"
