"""What has changed in the catalog, as MongoDB tells it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from quart_enroll.mongo import Database, Document
from quart_enroll.repositories.pipelines import Stage

COLLECTIONS = ("course", "section", "term")

LOOK = 500
"""Milliseconds that one question may wait for news; so long may the good-bye take at the end."""


@asynccontextmanager
async def following(db: Database) -> AsyncIterator[AsyncIterator[Any]]:
    """Give, for each change of the catalog from now on, the `_id` of the section; None when it is anything else.

    Raises one of mongo.AWAY or mongo.REFUSED when the news ends; what has happened since is told by nobody then.
    """
    stages: list[Stage] = [
        {"$match": {"ns.coll": {"$in": list(COLLECTIONS)}}},
        {"$project": {"operationType": 1, "ns": 1, "documentKey": 1}},
    ]
    async with db.watch(stages, max_await_time_ms=LOOK) as stream:
        yield (_section(change) async for change in stream)


def _section(change: Document) -> Any:
    """A section that is gone can't be read again: that is as much as anything else."""
    still_there = change["operationType"] in ("insert", "update", "replace")
    return change["documentKey"]["_id"] if still_there and change["ns"]["coll"] == "section" else None
