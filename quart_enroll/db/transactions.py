"""Transactions: a change happens completely or not at all, even if a process or a server dies."""

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
"""MongoDB's code for, among others, a transaction on a server that is not part of a replica set."""

TRANSACTION_RETRY_SECONDS = 15.0
"""Seconds for which a transaction is retried: an election takes about as long, and Heroku's router waits for 30."""

FIRST_RETRY_PAUSE_SECONDS, MAX_RETRY_PAUSE_SECONDS = 0.01, 0.5
"""Longest pause before the second attempt, and before each later one. Each attempt raises it by half."""

SUSPICIOUS_PAUSE_SECONDS = 0.1
"""From this pause on, a transaction has failed so often that an abandoned one may be blocking it."""

SUSPICIOUS_AGE_SECONDS = 1.0
"""From this age on, the same is assumed of a transaction whose attempts take long."""

ABANDONED_AFTER_SECONDS = 1.2
"""Seconds without an operation after which a possibly blocking transaction counts as abandoned by its process."""

UNRELATED_ABANDONED_AFTER_SECONDS = 5.0
"""The same for any other transaction, whose process may be busy with the data it has read."""

CHECK_INTERVAL_SECONDS = 0.5
"""Seconds between two checks for abandoned transactions while a command runs."""


async def transaction(
    db: Database,
    body: Callable[[Session], Coroutine[Any, Any, Result]],
    retry_seconds: float = TRANSACTION_RETRY_SECONDS,
    abandoned: "AbandonedTransactions | None" = None,
) -> Result:
    """Run `body` in a transaction and return its result.

    Callers that share `abandoned` find out together which transaction blocks them.

    After a transient error the whole body runs again, so it must do nothing but read and write the database. Raises
    NoTransactions if the server is not part of a replica set, and one of DATABASE_UNAVAILABLE if there is no result
    after `retry_seconds`; in that case, the transaction may or may not have been committed.
    """
    retries = _Retries(retry_seconds, abandoned or AbandonedTransactions(db))
    with metrics.count_transaction():
        async with await db.client.start_session() as session:
            try:
                return await _run(session, body, retries)
            except OperationFailure as error:
                if error.code == ILLEGAL_OPERATION_CODE and is_standalone(db):
                    raise NoTransactions from error
                raise


async def _run(session: Session, body: Callable[[Session], Coroutine[Any, Any, Result]], retries: "_Retries") -> Result:
    while True:
        try:
            async with session.start_transaction():
                result = await body(session)
                await _commit(session, retries)
            return result
        except PyMongoError as error:
            if not error.has_error_label("TransientTransactionError"):
                raise
            await retries.pause(error)


async def wait_for_majority(db: Database) -> None:
    """Wait until a majority has all data read so far, so that no election can undo it.

    A transaction that commits has waited for this, one that ends with an exception has not. Raises one of
    DATABASE_UNAVAILABLE.
    """
    # No row has this _id; only the acknowledgement matters. In a sharded cluster it comes from every shard.
    await db.schedule.delete_one({"_id": None})


async def _commit(session: Session, retries: "_Retries") -> None:
    """Commit, and repeat this while the result is unknown."""
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            await retries.pause(error)


class _Retries:
    """The retries of one transaction: pauses before them, and the removal of transactions that may block it."""

    def __init__(self, retry_seconds: float, abandoned: "AbandonedTransactions") -> None:
        self.began = time.monotonic()
        self.end = self.began + retry_seconds
        self.max_pause = FIRST_RETRY_PAUSE_SECONDS
        self.abandoned = abandoned

    async def pause(self, error: PyMongoError) -> None:
        """Pause for a random time before the next attempt; raise OutcomeUnknown if it is too late for one."""
        await asyncio.sleep(random.uniform(0, self.max_pause))  # noqa: S311  # no secret
        self.max_pause = min(self.max_pause * 1.5, MAX_RETRY_PAUSE_SECONDS)
        if time.monotonic() > self.end:
            raise OutcomeUnknown from error
        metrics.count_retry()
        if self.max_pause > SUSPICIOUS_PAUSE_SECONDS or time.monotonic() - self.began > SUSPICIOUS_AGE_SECONDS:
            await self.abandoned.end()


class AbandonedTransactions:
    """Transactions of this site whose process has died or hangs.

    MongoDB doesn't end a transaction with its connection, but after 60 to 90 seconds; until then, no other transaction
    can write the documents it has written. If the process is alive after all, it retries.
    """

    def __init__(self, db: Database, after_seconds: float = ABANDONED_AFTER_SECONDS) -> None:
        self.db = db
        self.after_seconds = after_seconds
        self.idle_since: dict[tuple[bytes, int, int], float] = {}

    async def end(self) -> None:
        """End the transactions that have been idle for long enough, as seen in this call and earlier ones."""
        try:
            now = time.monotonic()
            idle_since = {key: self.idle_since.get(key, now) async for key in _idle_transactions(self.db)}
            self.idle_since = idle_since
            if abandoned := {key[0] for key, since in idle_since.items() if now - since > self.after_seconds}:
                await self.db.client.admin.command("killSessions", [{"id": one} for one in abandoned])
        except (OperationFailure, ConnectionFailure):
            return  # without the privilege, or the connection, MongoDB ends them later


async def end_abandoned_transactions(db: Database) -> None:
    """End abandoned transactions until cancelled, for work outside a transaction.

    A plain write waits inside MongoDB for a transaction that has written the same document, and so does a change of an
    index or a validator. Neither raises an error that would start a search for the cause.
    """
    abandoned = AbandonedTransactions(db, UNRELATED_ABANDONED_AFTER_SECONDS)
    while True:
        await asyncio.sleep(CHECK_INTERVAL_SECONDS)
        await abandoned.end()


async def _idle_transactions(db: Database) -> AsyncIterator[tuple[bytes, int, int]]:
    """Yield the idle transactions of this site; the key of each changes with every operation."""
    own_sessions = {"type": "idleSession", "appName": APP_NAME, "transaction": {"$exists": True}}
    stages: list[Document] = [{"$currentOp": {"idleSessions": True}}, {"$match": own_sessions}]
    async for operation in db.client.get_database("admin", read_concern=ReadConcern()).aggregate(stages):
        transaction = operation["transaction"]
        yield operation["lsid"]["id"], transaction["parameters"]["txnNumber"], transaction["timeActiveMicros"]
