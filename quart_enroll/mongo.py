"""The database client, transactions, indexes and validators: MongoDB's own words end here and in repositories/."""

import os
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
    WTimeoutError,
)

Document: TypeAlias = dict[str, Any]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Session: TypeAlias = AsyncIOMotorClientSession
Result = TypeVar("Result")

DATABASE_NAME = "FLASK_Enrollment"
"""The database of the Flask site, when MONGO_URI names none."""

POOL_SIZE = 64
"""Connections of one process at most, as many as Motor has threads."""

AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError)
"""What is raised when the database can't be reached or does not answer in time."""

REFUSED = OperationFailure
"""What is raised when the database answers no: a wrong password, or something that it can't do."""


@asynccontextmanager
async def open_database(uri: str, timeout: float) -> AsyncIterator[Database]:
    """Open the database that `uri` names and close it at the end.

    No operation takes longer than `timeout` seconds, finding a server and waiting for a connection
    included; then one of AWAY is raised. Every write is acknowledged by a majority.
    """
    milliseconds = int(timeout * 1000)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        uri,
        appname="quart-enroll",
        tz_aware=True,
        maxPoolSize=POOL_SIZE,
        timeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,  # also how long the good-bye at the end may wait
        w="majority",
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


async def transaction(db: Database, body: Callable[[Session], Coroutine[Any, Any, Result]]) -> Result:
    """Run `body` in a transaction and return its result; all of it happens, or nothing does.

    Transient errors run the whole body again, so it must do nothing but read and write the database.
    """
    async with await db.client.start_session() as session:
        result: Result = await session.with_transaction(body)
        return result


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
