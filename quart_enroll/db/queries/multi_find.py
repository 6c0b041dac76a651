"""Rows of several collections in one query: each query costs the site more than it costs the database."""

from collections.abc import Mapping
from types import MappingProxyType

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import pipelines


async def find(
    db: Database,
    filters: Mapping[str, Document],
    session: Session | None = None,
    fields: Mapping[str, Document] = MappingProxyType({}),
) -> dict[str, list[Document]]:
    """Return the rows of each collection that match its filter, in no particular order.

    Of the collections in `fields`, only these fields are read.
    """
    [found] = await db.aggregate(pipelines.multi_find(filters, fields), session=session).to_list(None)
    return found
