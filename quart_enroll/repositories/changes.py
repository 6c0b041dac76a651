"""What has changed in the catalog or about people, as MongoDB tells it."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from quart_enroll.mongo import Database, Document
from quart_enroll.repositories import students
from quart_enroll.repositories.pipelines import Stage
from quart_enroll.repositories.students import row_name

COLLECTIONS = ("course", "section", "term")
OF_SIGN_INS = ("login", "user", "notice")

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


class Row(NamedTuple):
    """A row about somebody that has changed: `key` is its `_id`, None when more than rows has changed.

    `user_id` is known of a new row alone, and not told of one that says nothing about what was there before.
    """

    key: Hashable | None
    user_id: int | None
    is_a_students: bool


@asynccontextmanager
async def following_people(db: Database) -> AsyncIterator[AsyncIterator[Row | None]]:
    """Give each change of what is known about people; None, each LOOK at least, when there was none.

    Raises as `following` does.
    """
    stages: list[Stage] = [
        {"$match": {"ns.coll": {"$in": [*OF_SIGN_INS, *students.COLLECTIONS]}}},
        {"$project": {"ns": 1, "documentKey": 1, "fullDocument.user_id": 1}},
    ]
    async with db.watch(stages, max_await_time_ms=LOOK) as stream:
        yield _rows(stream)


async def _rows(stream: Any) -> AsyncIterator[Row | None]:
    while stream.alive:
        change: Document | None = await stream.try_next()
        yield None if change is None else _row(change)


def _row(change: Document) -> Row:
    collection = change["ns"]["coll"]
    key = change["documentKey"]["_id"] if "documentKey" in change else None
    whose = change.get("fullDocument", {}).get("user_id") if collection not in ("login", "user") else None
    return Row(None if key is None else row_name(key), whose, collection in students.COLLECTIONS)


def _section(change: Document) -> Any:
    """A section that is gone can't be read again: that is as much as anything else."""
    still_there = change["operationType"] in ("insert", "update", "replace")
    return change["documentKey"]["_id"] if still_there and change["ns"]["coll"] == "section" else None
