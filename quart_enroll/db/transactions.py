"""Transactions: all of a change happens or nothing, whatever process or server dies meanwhile."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from quart_enroll.db.client import APP_NAME, Database, Document, NoTransactions, OutcomeUnknown, Session, is_standalone
from quart_enroll.observability import metrics

Result = TypeVar("Result")

ILLEGAL_OPERATION_CODE = 20
"""MongoDB's code for, among others, a transaction on a server that belongs to no replica set."""

RETRY_SECONDS = 15.0
"""Seconds that a transaction may repeat itself: an election takes about as long, and Heroku's router waits for 30."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.01, 0.5
"""Seconds at most before the second try of a transaction, and before each of the later ones."""

SUSPICIOUS_PAUSE_SECONDS = 0.1
"""Pauses from this long on come after so many tries that somebody may stand in the way for good."""

SUSPICIOUS_AGE_SECONDS = 1.0
"""The same for a transaction whose tries take long: after this many seconds, another one may be in the way for good."""

ABANDONED_AFTER_SECONDS = 1.5
"""Seconds without an operation, after which a transaction that stands in the way has nobody who goes on with it."""

UNRELATED_ABANDONED_AFTER_SECONDS = 5.0
"""The same for a transaction that may not be in the way: its process may be busy with the data it has read."""

CHECK_INTERVAL_SECONDS = 0.5
"""Seconds between two checks of other transactions while a command runs."""


async def transaction(
    db: Database, body: Callable[[Session], Coroutine[Any, Any, Result]], patience: float = RETRY_SECONDS
) -> Result:
    """Run `body` in a transaction and return its result; all of it happens, or nothing does.

    Transient errors run the whole body again, so it must do nothing but read and write the database. After
    `patience` seconds no new try begins, and one of AWAY is raised: then nobody knows whether it happened. Raises
    NoTransactions when the server belongs to no replica set.
    """
    tries = _Retries(db, patience)
    with metrics.count_transaction():
        async with await db.client.start_session() as session:
            try:
                return await _repeat(session, body, tries)
            except OperationFailure as error:
                if error.code == ILLEGAL_OPERATION_CODE and is_standalone(db):
                    raise NoTransactions from error
                raise


async def _repeat(
    session: Session, body: Callable[[Session], Coroutine[Any, Any, Result]], tries: "_Retries"
) -> Result:
    while True:
        try:
            async with session.start_transaction():
                result = await body(session)
                await _commit(session, tries)
            return result
        except PyMongoError as error:
            if not error.has_error_label("TransientTransactionError"):
                raise
            await tries.pause(error)


async def wait_for_majority(db: Database) -> None:
    """Wait until a majority has all that was read until now, so that no election undoes it; raise one of AWAY.

    A transaction that commits has waited for that; one that ends with an exception has not.
    """
    await db.nothing.delete_one({"_id": None})  # there is no such collection; the acknowledgement is what counts


async def _commit(session: Session, tries: "_Retries") -> None:
    """Commit, and ask again as long as the answer is lost."""
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            await tries.pause(error)


class _Retries:
    """The tries of one transaction: when the next one may begin, and who stands in the way."""

    def __init__(self, db: Database, patience: float) -> None:
        self.db = db
        self.began = time.monotonic()
        self.end = self.began + patience
        self.longest = FIRST_PAUSE_SECONDS
        self.abandoned = _AbandonedTransactions(db, ABANDONED_AFTER_SECONDS)

    async def pause(self, error: PyMongoError) -> None:
        """Wait for the next try, a moment that differs from everybody else's; raise Unsettled when it is too late."""
        await asyncio.sleep(random.uniform(0, self.longest))  # noqa: S311  # no secret
        self.longest = min(self.longest * 1.5, MAX_PAUSE_SECONDS)
        if time.monotonic() > self.end:
            raise OutcomeUnknown from error
        metrics.count_retry()
        if self.longest > SUSPICIOUS_PAUSE_SECONDS or time.monotonic() - self.began > SUSPICIOUS_AGE_SECONDS:
            await self.abandoned.end()


class _AbandonedTransactions:
    """Transactions of this site that have no process any more.

    MongoDB does not end a transaction with its connection, but after 60 to 90 seconds; until then, nobody else can
    write the documents it has written. If the process is alive after all, it tries again.
    """

    def __init__(self, db: Database, after: float) -> None:
        self.db = db
        self.after = after
        self.idle: dict[tuple[bytes, int, int], float] = {}

    async def end(self) -> None:
        """End the transactions that were idle for long enough, in this call and earlier ones."""
        try:
            now = time.monotonic()
            self.idle = {key: self.idle.get(key, now) async for key in _idle_transactions(self.db)}
            if dead := {key[0] for key, since in self.idle.items() if now - since > self.after}:
                await self.db.client.admin.command("killSessions", [{"id": one} for one in dead])
        except (OperationFailure, ConnectionFailure):
            return  # not allowed here, or the database is away: then time will do it


async def end_abandoned_transactions(db: Database) -> None:
    """End abandoned transactions until cancelled, for work outside a transaction.

    A plain write waits inside MongoDB for a transaction that has written the same document, and so does a change to an
    index or a validator. Neither raises an error that would be a reason to look for the cause.
    """
    abandoned = _AbandonedTransactions(db, UNRELATED_ABANDONED_AFTER_SECONDS)
    while True:
        await asyncio.sleep(CHECK_INTERVAL_SECONDS)
        await abandoned.end()


async def _idle_transactions(db: Database) -> AsyncIterator[tuple[bytes, int, int]]:
    """Give the transactions of this site that wait for their process; the key changes with every operation."""
    ours = {"type": "idleSession", "appName": APP_NAME, "transaction": {"$exists": True}}
    stages: list[Document] = [{"$currentOp": {"idleSessions": True}}, {"$match": ours}]
    async for operation in db.client.get_database("admin", read_concern=ReadConcern()).aggregate(stages):
        transaction = operation["transaction"]
        yield operation["lsid"]["id"], transaction["parameters"]["txnNumber"], transaction["timeActiveMicros"]
