"""The database client, indexes and validators; MongoDB's own words stay here, in transactions.py and repositories/."""

import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Motor reads this once, when it is imported. asgi.py says it for the site, and this for whatever else imports it.
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
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

Document: TypeAlias = dict[str, Any]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Session: TypeAlias = AsyncIOMotorClientSession

DATABASE_NAME = "FLASK_Enrollment"
"""The database of the Flask site, when MONGO_URI names none."""

APP_NAME = "quart-enroll"
"""How the site's connections are named in MongoDB's own lists."""

DUPLICATE_KEY = 11000
"""MongoDB's code for a write that a unique index refuses."""

POOL_SIZE = 64
"""Connections of one process at most when nobody says otherwise, as many as Motor has threads."""

SLOW = 0.5
"""Seconds after which a command is written in the log, when nobody says otherwise."""

WAITS_FOR_NEWS = "$cmd.aggregate"
"""The collection of what waits for news: to be slow is its business."""

INDEX_CLASHES = (85, 86)
"""MongoDB's codes for an index that is there under another name, or under this one with other options."""


class Unsettled(Exception):
    """A change was not settled in time. It may have happened or not: the same request again tells."""


AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError, Unsettled)
"""What is raised when the database can't be reached or does not answer in time."""

REFUSED = OperationFailure
"""What is raised when the database answers no: a wrong password, or something that it can't do."""


@dataclass(frozen=True, slots=True)
class Indexes:
    """Names of indexes: `made`, `impossible` while rows are the same in it, `clashing` with one there."""

    made: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    clashing: list[str] = field(default_factory=list)


logger = logging.getLogger(__name__)


class SlowCommands(CommandListener):
    """Writes a line of the log for each command that takes longer than `seconds`; of what was asked, only where."""

    def __init__(self, seconds: float) -> None:
        self._microseconds = seconds * 1e6
        self._collections: dict[int, str] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Remember which collection it is about."""
        name = event.command_name
        self._collections[event.request_id] = str(event.command.get("collection" if name == "getMore" else name))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Write the line when it was slow."""
        self._ended(event)

    def failed(self, event: CommandFailedEvent) -> None:
        """Write the line when it was slow."""
        self._ended(event)

    def _ended(self, event: CommandSucceededEvent | CommandFailedEvent) -> None:
        collection = self._collections.pop(event.request_id, "")
        if event.duration_micros > self._microseconds and collection != WAITS_FOR_NEWS:
            facts = {"command": event.command_name, "collection": collection, "ms": event.duration_micros // 1000}
            logger.warning("slow command", extra=facts)


class _Database(AsyncIOMotorDatabase[Document]):
    """A database that makes each collection once; Motor's own makes `db.section` anew each time it is named."""

    def __getattr__(self, name: str) -> Any:
        collection = super().__getattr__(name)
        setattr(self, name, collection)
        return collection


@asynccontextmanager
async def open_database(uri: str, timeout: float, pool: int = POOL_SIZE, slow: float = SLOW) -> AsyncIterator[Database]:
    """Open the database that `uri` names and close it at the end.

    No operation takes longer than `timeout` seconds, finding a server and waiting for one of `pool` connections
    included; then one of AWAY is raised. Every write is acknowledged by a majority, and nothing is read that an
    election could undo. What takes longer than `slow` seconds is written in the log.
    """
    milliseconds = int(timeout * 1000)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        uri,
        appname=APP_NAME,
        tz_aware=True,
        maxPoolSize=pool,
        event_listeners=[SlowCommands(slow)],
        timeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,  # also how long the good-bye at the end may wait
        w="majority",
        readConcernLevel="majority",
        retryWrites=True,
    )
    try:
        yield _Database(client, client.get_default_database(DATABASE_NAME).name)
    finally:
        client.close()


async def ping(db: Database) -> None:
    """Ask the database for an answer; raise one of AWAY when none comes."""
    await db.command("ping")


async def is_replica_set(db: Database) -> bool:
    """Tell whether the database can do transactions."""
    return "setName" in await db.command("hello")


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


async def ensure_indexes(db: Database, collection: str, indexes: Sequence[IndexModel]) -> Indexes:
    """Make the indexes that are missing, and tell which; one that is there under another name is as good.

    A unique index can't be made while two documents have the same key.
    """
    present = set(await db[collection].index_information())
    found = Indexes()
    for index in indexes:
        name = index.document["name"]
        try:
            await db[collection].create_indexes([index])
        except DuplicateKeyError:
            found.impossible.append(name)
        except OperationFailure as error:
            if error.code not in INDEX_CLASHES:
                raise
            if name in present:
                found.clashing.append(name)
        else:
            if name not in present:
                found.made.append(name)
    return found


def duplicate_key(error: DuplicateKeyError) -> set[str]:
    """Return the names of the fields whose unique index refused a write."""
    return set((error.details or {}).get("keyPattern", {}))
