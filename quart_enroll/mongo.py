"""The database client, transactions, indexes and validators: MongoDB's own words end here and in repositories/."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

# Motor reads this once, when it is imported. Its own five threads per core are fewer than the
# connections of the pool, and requests would queue for a thread while the database is idle.
os.environ.setdefault("MOTOR_MAX_WORKERS", "64")

from motor.motor_asyncio import (  # the line above must come first
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorDatabase,
)
from pymongo import IndexModel
from pymongo.errors import (
    CollectionInvalid,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

Document: TypeAlias = dict[str, Any]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Session: TypeAlias = AsyncIOMotorClientSession
Result = TypeVar("Result")

DATABASE_NAME = "FLASK_Enrollment"
"""The database of the Flask site, when MONGO_URI names none."""

APP_NAME = "quart-enroll"
"""How the site's connections are named in MongoDB's own lists."""

DUPLICATE_KEY = 11000
"""MongoDB's code for a write that a unique index refuses."""

POOL_SIZE = 64
"""Connections of one process at most, as many as Motor has threads."""

PATIENCE = 15.0
"""Seconds that a transaction may repeat itself: an election takes about as long, and Heroku's router waits for 30."""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5
"""Seconds at most before the second try of a transaction, and before each of the later ones."""

SUSPICIOUS = 0.1
"""Pauses from this long on come after so many tries that somebody may stand in the way for good."""

ABANDONED_AFTER = 1.5
"""Seconds without an operation, after which a transaction that stands in the way has nobody who goes on with it."""


class Unsettled(Exception):
    """A change was not settled in time. It may have happened or not: the same request again tells."""


AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError, Unsettled)
"""What is raised when the database can't be reached or does not answer in time."""

REFUSED = OperationFailure
"""What is raised when the database answers no: a wrong password, or something that it can't do."""


@asynccontextmanager
async def open_database(uri: str, timeout: float) -> AsyncIterator[Database]:
    """Open the database that `uri` names and close it at the end.

    No operation takes longer than `timeout` seconds, finding a server and waiting for a connection
    included; then one of AWAY is raised. Every write is acknowledged by a majority, and nothing is read that an
    election could undo.
    """
    milliseconds = int(timeout * 1000)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        uri,
        appname=APP_NAME,
        tz_aware=True,
        maxPoolSize=POOL_SIZE,
        timeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,  # also how long the good-bye at the end may wait
        w="majority",
        readConcernLevel="majority",
        retryWrites=True,
    )
    try:
        yield client.get_default_database(DATABASE_NAME)
    finally:
        client.close()


async def ping(db: Database) -> None:
    """Ask the database for an answer; raise one of AWAY when none comes."""
    await db.command("ping")


async def is_replica_set(db: Database) -> bool:
    """Tell whether the database can do transactions."""
    return "setName" in await db.command("hello")


async def transaction(
    db: Database, body: Callable[[Session], Coroutine[Any, Any, Result]], patience: float = PATIENCE
) -> Result:
    """Run `body` in a transaction and return its result; all of it happens, or nothing does.

    Transient errors run the whole body again, so it must do nothing but read and write the database. After
    `patience` seconds no new try begins, and one of AWAY is raised: then nobody knows whether it happened.
    """
    tries = _Tries(db, patience)
    async with await db.client.start_session() as session:
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


async def acknowledge(db: Database) -> None:
    """Wait until a majority has all that was read until now, so that no election undoes it; raise one of AWAY.

    A transaction that commits has waited for that; one that ends with an exception has not.
    """
    await db.nothing.delete_one({"_id": None})  # there is no such collection; the acknowledgement is what counts


async def _commit(session: Session, tries: "_Tries") -> None:
    """Commit, and ask again as long as the answer is lost."""
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            await tries.pause(error)


class _Tries:
    """The tries of one transaction: when the next one may begin, and who stands in the way."""

    def __init__(self, db: Database, patience: float) -> None:
        self.db = db
        self.began = time.monotonic()
        self.end = self.began + patience
        self.longest = FIRST_PAUSE
        self.idle: dict[tuple[bytes, int, int], float] = {}

    async def pause(self, error: PyMongoError) -> None:
        """Wait for the next try, a moment that differs from everybody else's; raise Unsettled when it is too late."""
        await asyncio.sleep(random.uniform(0, self.longest))  # noqa: S311  # no secret
        self.longest = min(self.longest * 1.5, LONGEST_PAUSE)
        if time.monotonic() > self.end:
            raise Unsettled from error
        if self.longest > SUSPICIOUS:
            await self._end_abandoned()

    async def _end_abandoned(self) -> None:
        """End transactions of this site that do nothing any more.

        Their process was killed. MongoDB does not end them with the connection, but after 60 to 90 seconds; until
        then nobody can write what they have written. Should the process be alive after all, it tries again.
        """
        try:
            now = time.monotonic()
            self.idle = {key: self.idle.get(key, now) async for key in _idle_transactions(self.db)}
            if dead := {key[0] for key, since in self.idle.items() if now - since > ABANDONED_AFTER}:
                await self.db.client.admin.command("killSessions", [{"id": one} for one in dead])
        except (OperationFailure, ConnectionFailure):
            return  # not allowed here, or the database is away: then time will do it


async def _idle_transactions(db: Database) -> AsyncIterator[tuple[bytes, int, int]]:
    """Give the transactions of this site that wait for their process; the key changes with every operation."""
    ours = {"type": "idleSession", "appName": APP_NAME, "transaction": {"$exists": True}}
    stages: list[Document] = [{"$currentOp": {"idleSessions": True}}, {"$match": ours}]
    async for operation in db.client.get_database("admin", read_concern=ReadConcern()).aggregate(stages):
        transaction = operation["transaction"]
        yield operation["lsid"]["id"], transaction["parameters"]["txnNumber"], transaction["timeActiveMicros"]


async def ensure_validator(db: Database, collection: str, schema: Mapping[str, Any]) -> bool:
    """Make `collection` refuse documents that do not fit `schema`; return whether that was new.

    Documents that are there already and do not fit may stay and may be changed.
    """
    options: dict[str, Any] = {"validator": {"$jsonSchema": dict(schema)}, "validationLevel": "moderate"}
    try:
        await db.create_collection(collection, **options)
        return True
    except CollectionInvalid:  # there is such a collection
        stored = await db.command("listCollections", filter={"name": collection})
        if stored["cursor"]["firstBatch"][0]["options"].get("validator") == options["validator"]:
            return False
        await db.command("collMod", collection, **options)
        return True


async def ensure_indexes(db: Database, collection: str, indexes: Sequence[IndexModel]) -> tuple[list[str], list[str]]:
    """Make the indexes that are missing; return the names of the new ones and of those that can't be made.

    A unique index can't be made while two documents have the same key.
    """
    present = set(await db[collection].index_information())
    made, impossible = [], []
    for index in indexes:
        name = index.document["name"]
        try:
            await db[collection].create_indexes([index])
        except DuplicateKeyError:
            impossible.append(name)
        else:
            if name not in present:
                made.append(name)
    return made, impossible


def duplicate_key(error: DuplicateKeyError) -> set[str]:
    """Return the names of the fields whose unique index refused a write."""
    return set((error.details or {}).get("keyPattern", {}))
