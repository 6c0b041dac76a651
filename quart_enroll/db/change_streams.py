"""Change streams: what has changed in the catalog or about users, whichever process changed it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from quart_enroll.db.client import CommandCursor, Database, Document, ThreadDatabase
from quart_enroll.db.queries import student_facts
from quart_enroll.db.queries.pipelines import Stage
from quart_enroll.db.queries.student_facts import hashable_row_id

CATALOG_COLLECTIONS = ("course", "section", "term")
SIGN_IN_COLLECTIONS = ("login", "user", "notice")

MAX_AWAIT_MILLISECONDS = 500
"""How long one request waits for changes inside MongoDB; closing a stream can take as long."""

CATALOG_BATCH_PAUSE_SECONDS = 0.05
USER_BATCH_PAUSE_SECONDS = 0.03
"""Pauses between batches that follow closely: a single change is reported at once, those of a crowd in batches. A page
is out of date for at least as long."""

MAX_SILENCE_SECONDS = 2.0
"""Seconds without a response after which a stream counts as lost; MongoDB responds each MAX_AWAIT_MILLISECONDS."""

RECONNECT_SECONDS = 1.0
"""Seconds between two attempts to open a stream that is lost."""

logger = logging.getLogger(__name__)

Change = TypeVar("Change")


class ChangeFollower(Generic[Change]):
    """Reports changes for as long as `follow` runs, and opens the stream again whenever it is lost.

    `watch` opens the stream. `on_change` gets each change; `on_gap` is called whenever changes may have been missed:
    when a stream begins, and when it is lost. What happens without changes, `fallback`, goes into the log.
    """

    def __init__(
        self,
        watch: Callable[[], AbstractAsyncContextManager[AsyncIterator[list[Change]]]],
        *,
        on_change: Callable[[Change], None],
        on_gap: Callable[[], None],
        fallback: str,
    ) -> None:
        self._watch = watch
        self._on_change = on_change
        self._on_gap = on_gap
        self._fallback = fallback
        self._last_response = float("-inf")

    @property
    def is_current(self) -> bool:
        """Whether every change until a moment ago has been reported."""
        return monotonic() - self._last_response < MAX_SILENCE_SECONDS

    async def follow(self) -> None:
        """Report changes until cancelled."""
        is_lost = False
        while True:
            try:
                async with self._watch() as batches:
                    self._on_gap()
                    async for changes in batches:
                        is_lost = False
                        for change in changes:
                            self._on_change(change)
                        self._last_response = monotonic()
            except Exception as error:  # noqa: BLE001  # whatever it is, the database can still be read
                if not is_lost:
                    logger.warning("no change stream (%s): %s", type(error).__name__, self._fallback)
                is_lost = True
            self._last_response = float("-inf")
            self._on_gap()
            await asyncio.sleep(RECONNECT_SECONDS)


@asynccontextmanager
async def watch_catalog(db: Database) -> AsyncIterator[AsyncIterator[list[Any]]]:
    """Open a stream of the catalog's changes: the `_id` of each changed section, or None for any other change.

    An empty list, at least each MAX_AWAIT_MILLISECONDS, means that nothing has changed. When the stream is lost, it
    raises one of client.DATABASE_UNAVAILABLE or client.DATABASE_REFUSED.
    """
    fields = {"operationType": 1, "ns": 1, "documentKey": 1}
    async with _open_stream(db, CATALOG_COLLECTIONS, fields) as stream:
        async with aclosing(_batches(stream, CATALOG_BATCH_PAUSE_SECONDS)) as batches:
            yield ([_to_section_id(change) for change in changes] async for changes in batches)


class UserChange(NamedTuple):
    """A changed row about a user: `row_id` is its `_id`, or None when more than rows has changed.

    `user_id` is known only for new rows, and omitted for those that don't affect earlier results.
    """

    row_id: Hashable | None
    user_id: int | None
    is_student_fact: bool


@asynccontextmanager
async def watch_users(db: Database) -> AsyncIterator[AsyncIterator[list[UserChange]]]:
    """Open a stream of the changes of rows about users, as `watch_catalog` does."""
    fields = {"ns": 1, "documentKey": 1, "fullDocument.user_id": 1}
    async with _open_stream(db, (*SIGN_IN_COLLECTIONS, *student_facts.STUDENT_COLLECTIONS), fields) as stream:
        async with aclosing(_batches(stream, USER_BATCH_PAUSE_SECONDS)) as batches:
            yield ([_to_user_change(change) for change in changes] async for changes in batches)


class _Stream(NamedTuple):
    """The cursor of a change stream, and the threads in which its requests run.

    While a crowd reads, requests wait for one of Motor's threads. A stream that waited with them would seem to be lost,
    and without the caches every page would read even more. Besides, Motor needs a thread for each change of a batch.
    """

    cursor: CommandCursor
    threads: ThreadPoolExecutor

    async def next_batch(self) -> list[Document]:
        """Return what MongoDB sends next; nothing if nothing has changed within MAX_AWAIT_MILLISECONDS."""
        changes: list[Document] = []
        await asyncio.get_running_loop().run_in_executor(self.threads, self.cursor._next_batch, changes)
        return changes


@asynccontextmanager
async def _open_stream(db: Database, collections: Sequence[str], fields: Document) -> AsyncIterator[_Stream]:
    """Open a stream of these collections' changes from now on."""
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(2, "change-stream")
    try:
        cursor = await loop.run_in_executor(threads, _begin, db.delegate, collections, fields)
        try:
            yield _Stream(cursor, threads)
        finally:  # in the second thread, because the first may still be waiting for changes
            await loop.run_in_executor(threads, cursor.close)
    finally:
        threads.shutdown(wait=False)


def _begin(db: ThreadDatabase, collections: Sequence[str], fields: Document) -> CommandCursor:
    """Return the cursor of a stream that begins now, by the database's own time."""
    stages: list[Stage] = [
        {"$changeStream": {"startAtOperationTime": db.command("ping").get("operationTime")}},
        {"$match": {"ns.coll": {"$in": list(collections)}}},
        {"$project": fields},
    ]
    return db.aggregate(stages, maxAwaitTimeMS=MAX_AWAIT_MILLISECONDS)


async def _batches(stream: _Stream, pause: float) -> AsyncGenerator[list[Document]]:
    """Yield the stream's changes in batches as MongoDB sends them, with a pause between those that follow closely."""
    last_batch = float("-inf")
    while stream.cursor.alive:
        changes = await stream.next_batch()
        yield changes
        if changes:
            if monotonic() - last_batch < pause:
                await asyncio.sleep(pause)
            last_batch = monotonic()


def _to_user_change(change: Document) -> UserChange:
    collection = change["ns"]["coll"]
    row_id = change["documentKey"]["_id"] if "documentKey" in change else None
    user_id = change.get("fullDocument", {}).get("user_id") if collection not in ("login", "user") else None
    is_student_fact = collection in student_facts.STUDENT_COLLECTIONS
    return UserChange(None if row_id is None else hashable_row_id(row_id), user_id, is_student_fact)


def _to_section_id(change: Document) -> Any:
    """Return the section's `_id`; a deleted section can't be read again, so it counts as any other change."""
    exists = change["operationType"] in ("insert", "update", "replace")
    return change["documentKey"]["_id"] if exists and change["ns"]["coll"] == "section" else None
