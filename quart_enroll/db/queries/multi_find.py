"""Rows of several collections in one query: each query costs the site more than it costs the database."""

from collections.abc import Mapping

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import pipelines


async def find(
    db: Database, filters: Mapping[str, Document], session: Session | None = None
) -> dict[str, list[Document]]:
    """Return the rows of each collection that match its filter, in no particular order."""
    [found] = await db.aggregate(pipelines.multi_find(filters), session=session).to_list(None)
    return found
