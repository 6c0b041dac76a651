"""The database client, and the meaning of its errors. Only db/ imports the MongoDB driver."""

import logging
import os
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

# Motor reads this once, when it is imported. asgi.py sets it for the site, and this line for all other programs.
os.environ.setdefault("MOTOR_MAX_WORKERS", "64")

from motor.motor_asyncio import (  # the line above must come first
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorDatabase,
)
from pymongo import command_cursor, database
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.uri_parser import parse_uri

from quart_enroll.system.hosts import is_local_host

Document: TypeAlias = dict[str, Any]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Session: TypeAlias = AsyncIOMotorClientSession
ThreadDatabase: TypeAlias = database.Database[Document]
CommandCursor: TypeAlias = command_cursor.CommandCursor[Document]
Write = TypeVar("Write")

DATABASE_NAME = "FLASK_Enrollment"
"""The default database, if MONGO_URI names none: that of the Flask site."""

APP_NAME = "quart-enroll"
"""The name of the site's connections in MongoDB's logs and lists."""

DUPLICATE_KEY_CODE = 11000
"""MongoDB's code for a write that violates a unique index."""

DEFAULT_MAX_CONNECTIONS = 64
"""Connections of one process by default, besides those of its change streams: as many as Motor has threads."""

CHANGE_STREAMS = 2
"""Change streams of one process, each with a connection of its own."""

DEFAULT_SLOW_COMMAND_SECONDS = 0.5
"""Seconds after which a command is logged by default."""

CHANGE_STREAM_COLLECTION = "$cmd.aggregate"
"""The collection that change streams name in their commands, which are meant to wait."""


UNAUTHORIZED_CODE = 13
"""MongoDB's code for a command that the user may not run."""

AUTHENTICATION_FAILED_CODES = (18, 8000)
"""Codes for an unknown user or a wrong password; the second is Atlas's."""

WRITE_CONFLICT_CODES = (24, 112)
"""Codes for documents that another transaction has locked or written."""

EXPIRED_TRANSACTION_CODES = (251, 290)
"""Codes for a transaction that was ended because of its age."""


STANDALONE_MESSAGE = "MONGO_URI must be a replica set, even if it has only one node."
"""The message to operators whose mongod is not part of a replica set."""

TOO_SLOW_MESSAGE = "The database took too long. It may be busy. It’s safe to run this again."


class OutcomeUnknown(Exception):
    """A transaction was not confirmed in time. It may have been committed; repeating the request is safe."""


class NoTransactions(Exception):
    """The server is not part of a replica set, so it has no transactions; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(STANDALONE_MESSAGE)


DATABASE_UNAVAILABLE = (ConnectionFailure, ExecutionTimeout, WTimeoutError, OutcomeUnknown)
"""The errors that mean that the database can't be reached or doesn't respond in time."""

DATABASE_REFUSED = OperationFailure
"""The error that means that the database refuses an operation: for lack of a privilege, or as unsupported."""


logger = logging.getLogger(__name__)


class SlowCommandLogger(CommandListener):
    """Logs the name and the collection of each command that takes longer than `seconds`, but no data."""

    def __init__(self, seconds: float) -> None:
        self._microseconds = seconds * 1e6
        self._collections: dict[int, str] = {}

    def started(self, event: CommandStartedEvent) -> None:
        """Note the command's collection."""
        name = event.command_name
        self._collections[event.request_id] = str(event.command.get("collection" if name == "getMore" else name))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Log the command if it was slow."""
        self._log(event)

    def failed(self, event: CommandFailedEvent) -> None:
        """Log the command if it was slow."""
        self._log(event)

    def _log(self, event: CommandSucceededEvent | CommandFailedEvent) -> None:
        collection = self._collections.pop(event.request_id, "")
        if event.duration_micros > self._microseconds and collection != CHANGE_STREAM_COLLECTION:
            facts = {"command": event.command_name, "collection": collection, "ms": event.duration_micros // 1000}
            logger.warning("slow command", extra=facts)


class _Database(AsyncIOMotorDatabase[Document]):
    """A database that creates each collection object once; Motor's own creates `db.section` anew at each access."""

    def __getattr__(self, name: str) -> Any:
        collection = super().__getattr__(name)
        setattr(self, name, collection)
        return collection


@asynccontextmanager
async def open_database(
    uri: str, timeout: float, pool: int = DEFAULT_MAX_CONNECTIONS, slow: float = DEFAULT_SLOW_COMMAND_SECONDS
) -> AsyncIterator[Database]:
    """Open the database at `uri`, and close it after the block.

    Raises one of DATABASE_UNAVAILABLE for an operation that takes longer than `timeout` seconds, including the time to
    find a server and to wait for one of `pool` connections; change streams have connections of their own. Every write
    is acknowledged by a majority, and no read returns data that an election could undo. Commands that take longer than
    `slow` seconds are logged.
    """
    milliseconds = int(timeout * 1000)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        uri,
        appname=APP_NAME,
        tz_aware=True,
        tzinfo=UTC,  # comparing times in the driver's own timezone takes twenty times as long
        maxPoolSize=pool + CHANGE_STREAMS,
        event_listeners=[SlowCommandLogger(slow)],
        timeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,  # also limits how long closing may take
        w="majority",
        readConcernLevel="majority",
        retryWrites=True,
    )
    try:
        yield _Database(client, client.get_default_database(DATABASE_NAME).name)
    finally:
        client.close()


def other_database_uri(uri: str, name: str) -> str:
    """Return `uri` with another database; the same user signs in to it, with the same options.

    For mongodb+srv this reads the DNS records, in which the options may be.
    """
    found, parts = parse_uri(uri), urlsplit(uri)
    options, query = {name.lower(): value for name, value in found["options"].items()}, parts.query
    # Without authSource, a user with a password is looked up in the database that the URI names.
    if found["username"] and options.get("authmechanism", "SCRAM").startswith("SCRAM") and "authsource" not in options:
        query = "&".join(filter(None, [query, f"authSource={found['database'] or 'admin'}"]))
    return parts._replace(path=f"/{name}", query=query).geturl()


def describe_error(error: Exception, setting: str) -> str:
    """Return a sentence for the command line about an error of the database that `setting` names."""
    cause = error.__cause__ if isinstance(error, OutcomeUnknown) else error
    code = cause.code if isinstance(cause, OperationFailure) else None
    match cause:
        case None:
            return TOO_SLOW_MESSAGE
        case NoTransactions():
            return str(cause)
        case PyMongoError() if cause.has_error_label("UnknownTransactionCommitResult"):
            return "The database did not confirm the change in time. It’s safe to run this again."
        case OperationFailure() if code in WRITE_CONFLICT_CODES:
            return "Another transaction kept the rows locked. Run this again in two minutes."
        case OperationFailure() if code in AUTHENTICATION_FAILED_CODES:
            return f"The database rejected the user name or password in {setting}."
        case OperationFailure() if code == UNAUTHORIZED_CODE:
            return _missing_privilege(cause, setting)
        case ServerSelectionTimeoutError():
            return f"Can’t reach a server that accepts writes. Check {setting} and whether this machine may connect."
        case PyMongoError() if cause.timeout or code in EXPIRED_TRANSACTION_CODES or isinstance(error, OutcomeUnknown):
            return TOO_SLOW_MESSAGE
        case ConnectionFailure():
            return "The connection to the database was lost. It’s safe to run this again."
    return f"The database refused the operation: {cause}"


def _missing_privilege(error: OperationFailure, setting: str) -> str:
    refusal = re.search(r"not authorized on (\S+) to execute command \{ (\w+)", str(error))
    database, command = refusal.groups() if refusal else ("its database", "this")
    role = "dbAdmin" if command == "collMod" else "readWrite"
    return (
        f"The user in {setting} may not run {command} on {database}. That requires the role {role}; see docs/deploy.md."
    )


async def ping(db: Database) -> None:
    """Check that the database responds; raise one of DATABASE_UNAVAILABLE."""
    await db.command("ping")


def is_on_this_machine(db: Database) -> bool:
    """Return whether every known server of the database is on this machine."""
    servers = db.client.delegate.topology_description.server_descriptions()
    return all(is_local_host(host) for host, _ in servers)


def is_standalone(db: Database) -> bool:
    """Return whether the server has no transactions. The driver knows this after any response."""
    servers = db.client.delegate.topology_description.server_descriptions().values()
    return any(server.server_type_name == "Standalone" for server in servers)


def assert_transactions(db: Database) -> None:
    """Raise NoTransactions if the server has none; for code that writes something before its transaction begins."""
    if is_standalone(db):
        raise NoTransactions


def shuffle(writes: Sequence[Write]) -> list[Write]:
    """Return the writes of a large transaction in random order, which stays fast after a similar one was aborted.

    To check that a unique key is free, MongoDB skips the neighboring keys that the aborted transaction has written.
    In ascending order, each write skips all keys after its own, and 20,000 rows can take longer than the minute
    that a transaction may last; in random order there is nearly always a committed key, or one of its own, nearby.
    """
    return random.sample(writes, len(writes))


def duplicate_key_fields(error: DuplicateKeyError) -> set[str]:
    """Return the names of the fields whose unique index refused a write."""
    return set((error.details or {}).get("keyPattern", {}))
