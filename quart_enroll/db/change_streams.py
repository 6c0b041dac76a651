"""What has changed in the catalog or about people, as MongoDB tells it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
from contextlib import aclosing, asynccontextmanager
from time import monotonic
from typing import Any, NamedTuple

from quart_enroll.db.client import Database, Document
from quart_enroll.db.queries import student_facts
from quart_enroll.db.queries.pipelines import Stage
from quart_enroll.db.queries.student_facts import row_name

COLLECTIONS = ("course", "section", "term")
OF_SIGN_INS = ("login", "user", "notice")

LOOK = 500
"""Milliseconds that one question may wait for news; so long may the good-bye take at the end."""

REST = 0.03
"""Seconds of rest where news comes close upon news: one click is told at once, a crowd's many are told together."""


@asynccontextmanager
async def following(db: Database) -> AsyncIterator[AsyncIterator[list[Any]]]:
    """Give the changes of the catalog from now on, each as the `_id` of the section; None when it is anything else.

    An empty list, each LOOK at least, says that there were none. Raises one of mongo.AWAY or mongo.REFUSED when the
    news ends; what has happened since is told by nobody then.
    """
    kept = {"operationType": 1, "ns": 1, "documentKey": 1}
    async with aclosing(_following(db, await _now(db), COLLECTIONS, kept)) as news:
        yield ([_section(change) for change in changes] async for changes in news)


class Row(NamedTuple):
    """A row about somebody that has changed: `key` is its `_id`, None when more than rows has changed.

    `user_id` is known of a new row alone, and not told of one that says nothing about what was there before.
    """

    key: Hashable | None
    user_id: int | None
    is_a_students: bool


@asynccontextmanager
async def following_people(db: Database) -> AsyncIterator[AsyncIterator[list[Row]]]:
    """Give the changes of what is known about people from now on, as `following` does."""
    kept = {"ns": 1, "documentKey": 1, "fullDocument.user_id": 1}
    async with aclosing(_following(db, await _now(db), (*OF_SIGN_INS, *student_facts.COLLECTIONS), kept)) as news:
        yield ([_row(change) for change in changes] async for changes in news)


async def _now(db: Database) -> Any:
    """Return the database's own time."""
    return (await db.command("ping")).get("operationTime")


async def _following(
    db: Database, since: Any, collections: Sequence[str], kept: Document
) -> AsyncGenerator[list[Document]]:
    """Give what has changed since then, as much at a time as is told at a time.

    A plain cursor, for Motor's change stream asks a thread for each change of a batch.
    """
    told = float("-inf")
    stages: list[Stage] = [
        {"$changeStream": {"startAtOperationTime": since}},
        {"$match": {"ns.coll": {"$in": list(collections)}}},
        {"$project": kept},
    ]
    async with db.aggregate(stages, maxAwaitTimeMS=LOOK) as cursor:
        while cursor.alive:
            changes: list[Document] = []
            async for change in cursor:
                changes.append(change)
                if not cursor._buffer_size():  # the next one would have to be waited for
                    break
            yield changes
            if changes:
                if monotonic() - told < REST:
                    await asyncio.sleep(REST)
                told = monotonic()


def _row(change: Document) -> Row:
    collection = change["ns"]["coll"]
    key = change["documentKey"]["_id"] if "documentKey" in change else None
    whose = change.get("fullDocument", {}).get("user_id") if collection not in ("login", "user") else None
    return Row(None if key is None else row_name(key), whose, collection in student_facts.COLLECTIONS)


def _section(change: Document) -> Any:
    """A section that is gone can't be read again: that is as much as anything else."""
    still_there = change["operationType"] in ("insert", "update", "replace")
    return change["documentKey"]["_id"] if still_there and change["ns"]["coll"] == "section" else None
