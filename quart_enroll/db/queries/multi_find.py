"""Rows of several collections in one question: each question costs the site more than it costs the database."""

from collections.abc import Mapping

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import pipelines


async def find(
    db: Database, wanted: Mapping[str, Document], session: Session | None = None
) -> dict[str, list[Document]]:
    """Return the rows of each collection that match, in no order."""
    [found] = await db.aggregate(pipelines.multi_find(wanted), session=session).to_list(None)
    return found
