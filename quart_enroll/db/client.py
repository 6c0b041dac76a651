"""The database client; MongoDB's own words stay here, in transactions.py and repositories/."""

import asyncio
import logging
import os
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

# Motor reads this once, when it is imported. asgi.py says it for the site, and this for whatever else imports it.
os.environ.setdefault("MOTOR_MAX_WORKERS", "64")

from motor.motor_asyncio import (  # the line above must come first
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorDatabase,
)
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

Document: TypeAlias = dict[str, Any]
Database: TypeAlias = AsyncIOMotorDatabase[Document]
Session: TypeAlias = AsyncIOMotorClientSession
Write = TypeVar("Write")

DATABASE_NAME = "FLASK_Enrollment"
"""The database of the Flask site, when MONGO_URI names none."""

APP_NAME = "quart-enroll"
"""How the site's connections are named in MongoDB's own lists."""

DUPLICATE_KEY_CODE = 11000
"""MongoDB's code for a write that a unique index refuses."""

CURSOR_KILLED_CODE = 237
"""MongoDB's code for a request whose cursor was closed meanwhile."""

DEFAULT_MAX_CONNECTIONS = 64
"""Connections of one process at most when nobody says otherwise, as many as Motor has threads."""

DEFAULT_SLOW_COMMAND_SECONDS = 0.5
"""Seconds after which a command is written in the log, when nobody says otherwise."""

CHANGE_STREAM_COLLECTION = "$cmd.aggregate"
"""The collection of what waits for news: to be slow is its business."""


UNAUTHORIZED_CODE = 13
"""MongoDB's code for a command that the user may not run."""

AUTHENTICATION_FAILED_CODES = (18, 8000)
"""Codes for an unknown user or a wrong password; the second is Atlas's."""

WRITE_CONFLICT_CODES = (24, 112)
"""Codes for documents that another transaction has locked or written."""

EXPIRED_TRANSACTION_CODES = (251, 290)
"""Codes for a transaction that was ended because of its age."""


STANDALONE_MESSAGE = "MONGO_URI must be a replica set, even if it has only one node."
"""What to tell operators whose mongod runs on its own."""

TOO_SLOW_MESSAGE = "The database took too long. It may be busy. It’s safe to run this again."


class OutcomeUnknown(Exception):
    """A change was not settled in time. It may have happened or not: the same request again tells."""


class NoTransactions(Exception):
    """The server belongs to no replica set, so it has no transactions; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(STANDALONE_MESSAGE)


DATABASE_UNAVAILABLE = (ConnectionFailure, ExecutionTimeout, WTimeoutError, OutcomeUnknown)
"""What is raised when the database can't be reached or does not answer in time."""

DATABASE_REFUSED = OperationFailure
"""What is raised when the database answers no: a wrong password, or something that it can't do."""


logger = logging.getLogger(__name__)


class SlowCommandLogger(CommandListener):
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
        if event.duration_micros > self._microseconds and collection != CHANGE_STREAM_COLLECTION:
            facts = {"command": event.command_name, "collection": collection, "ms": event.duration_micros // 1000}
            logger.warning("slow command", extra=facts)


class _Database(AsyncIOMotorDatabase[Document]):
    """A database that makes each collection once; Motor's own makes `db.section` anew each time it is named."""

    def __getattr__(self, name: str) -> Any:
        collection = super().__getattr__(name)
        setattr(self, name, collection)
        return collection


@asynccontextmanager
async def open_database(
    uri: str, timeout: float, pool: int = DEFAULT_MAX_CONNECTIONS, slow: float = DEFAULT_SLOW_COMMAND_SECONDS
) -> AsyncIterator[Database]:
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
        event_listeners=[SlowCommandLogger(slow)],
        timeoutMS=milliseconds,
        serverSelectionTimeoutMS=milliseconds,  # also how long the good-bye at the end may wait
        w="majority",
        readConcernLevel="majority",
        retryWrites=True,
    )
    _ignore_killed_cursors(asyncio.get_running_loop())
    try:
        yield _Database(client, client.get_default_database(DATABASE_NAME).name)
    finally:
        client.close()


def describe_error(error: Exception, setting: str) -> str:
    """Return a sentence for the command line about a failed operation on the database in `setting`."""
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
    said = re.search(r"not authorized on (\S+) to execute command \{ (\w+)", str(error))
    database, command = said.groups() if said else ("its database", "this")
    role = "dbAdmin" if command == "collMod" else "readWrite"
    return (
        f"The user in {setting} may not run {command} on {database}. That requires the role {role}; see docs/deploy.md."
    )


def _ignore_killed_cursors(loop: asyncio.AbstractEventLoop) -> None:
    """Make the loop log no stack trace when a process stops while a change stream waits for its very first news.

    Closing the cursor ends the request, and Motor leaves that error in a future that nobody awaits.
    """
    handle = loop.get_exception_handler()

    def handle_others(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OperationFailure) and error.code == CURSOR_KILLED_CODE:
            return
        if handle is None:
            loop.default_exception_handler(context)
        else:
            handle(loop, context)

    loop.set_exception_handler(handle_others)


async def ping(db: Database) -> None:
    """Ask the database for an answer; raise one of AWAY when none comes."""
    await db.command("ping")


def is_standalone(db: Database) -> bool:
    """Return whether the server has no transactions, as far as the driver knows; it knows after any response."""
    servers = db.client.delegate.topology_description.server_descriptions().values()
    return any(server.server_type_name == "Standalone" for server in servers)


def assert_transactions(db: Database) -> None:
    """Raise NoTransactions if there are none; for code that writes something before its transaction begins."""
    if is_standalone(db):
        raise NoTransactions


def shuffle(writes: Sequence[Write]) -> list[Write]:
    """Return the writes of a large transaction in an order that is fast even right after a similar one was aborted.

    To check that a unique key is free, MongoDB skips the neighboring keys that the aborted transaction has written.
    In ascending order each write skips all the keys after its own, and 20,000 rows can take longer than the minute
    that a transaction may last; in random order there is nearly always a committed key, or one of its own, nearby.
    """
    return random.sample(writes, len(writes))


def duplicate_key_fields(error: DuplicateKeyError) -> set[str]:
    """Return the names of the fields whose unique index refused a write."""
    return set((error.details or {}).get("keyPattern", {}))
