"""What commands share: the application that `quart --app` named, and its database."""

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from quart import Quart, current_app
from quart.cli import ScriptInfo

from quart_enroll.cli.local_mongod import LocalMongodError, database_uri
from quart_enroll.db.client import (
    DATABASE_REFUSED,
    DATABASE_UNAVAILABLE,
    Database,
    NoTransactions,
    describe_error,
    open_database,
)
from quart_enroll.db.transactions import end_abandoned_transactions
from quart_enroll.services.maintenance.demo_school import is_unused
from quart_enroll.services.maintenance.schema_check import problems
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from quart_enroll.system.background import run_in_background
from quart_enroll.system.clock import utc_now

T = TypeVar("T")

PROJECT_FOLDER = Path(__file__).parents[2]

OPERATION_TIMEOUT_SECONDS = 60
"""How long an operation of a command may take; no visitor is waiting for it."""

PORT_FILE = PROJECT_FOLDER / ".mongodb" / "port"
"""The file in which `develop` stores its port for other commands."""

logger = logging.getLogger(__name__)


def current_site() -> Quart:
    """Return the application that `quart --app` named."""
    return click.get_current_context().ensure_object(ScriptInfo).load_app()


def defaults() -> UpgradeDefaults:
    """Return the settings that upgrades use for new terms, sections and passwords."""
    return _defaults(current_site().config)


def _defaults(config: Mapping[str, Any]) -> UpgradeDefaults:
    limit = config["MAX_CREDITS"]
    return UpgradeDefaults(
        config["TIMEZONE"],
        int(limit) if limit.is_integer() else limit,
        config["SECTION_CAPACITY"],
        config["PASSWORD_METHOD"],
    )


def run_with_database(work: Callable[[Database], Awaitable[T]], setting: str = "MONGO_URI") -> T:
    """Run `work` with the database at the URI in `setting` (MONGO_URI if empty) and return its result.

    A database error ends the command with a sentence that explains it.
    """
    config = current_site().config
    setting = setting if config[setting] else "MONGO_URI"

    async def opened(site_uri: str) -> T:
        async with (
            # As the site's own user, because MongoDB lets users see and end only their own transactions.
            open_database(site_uri, OPERATION_TIMEOUT_SECONDS) as site,
            run_in_background(end_abandoned_transactions(site)),
            open_database(config[setting] or site_uri, OPERATION_TIMEOUT_SECONDS) as db,
        ):
            return await work(db)

    with database_uri(config["MONGO_URI"], PROJECT_FOLDER) as uri:
        try:
            return asyncio.run(opened(uri))
        except (*DATABASE_UNAVAILABLE, DATABASE_REFUSED, NoTransactions) as error:
            raise click.ClickException(describe_error(error, setting)) from error


@asynccontextmanager
async def open_site_database(uri: str, timeout: float, **options: Any) -> AsyncIterator[Database]:
    """Open the site's database; without a URI, start a local mongod that runs as long as the site.

    An empty local database gets its indexes first. If no local mongod can be started, the process exits with a sentence
    that says what to do.
    """
    if uri:
        async with open_database(uri, timeout, **options) as db:
            yield db
        return
    with ExitStack() as stack:
        try:
            local_uri = stack.enter_context(database_uri(uri, PROJECT_FOLDER))
        except LocalMongodError as error:
            # An exception would print three stack traces: of the task, the event loop and the server.
            click.echo(f"MONGO_URI is not set. {error.message}", err=True)
            os._exit(1)
        await _upgrade_if_empty(local_uri)
        async with open_database(local_uri, timeout, **options) as db:
            yield db
        # The last reads of change streams, which no task awaits any longer, fail when their mongod stops.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)


async def _upgrade_if_empty(uri: str) -> None:
    # Workers and servers on other ports share the database, and one of them may have been killed halfway through this.
    with open(PROJECT_FOLDER / ".mongodb" / "upgrade.lock", "a") as lock:  # noqa: ASYNC230  # the site is not serving yet
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        async with open_database(uri, OPERATION_TIMEOUT_SECONDS) as db:
            if await is_unused(db) and await problems(db):
                await upgrade(db, utc_now(), _defaults(current_app.config))
                logger.info("the local database was empty: `quart seed --demo` fills it with a demo school")


@contextmanager
def announced_port(port: int) -> Iterator[None]:
    """Store the port of the site for other commands during the block."""
    PORT_FILE.parent.mkdir(exist_ok=True)
    PORT_FILE.write_text(str(port))
    try:
        yield
    finally:
        PORT_FILE.unlink(missing_ok=True)


def running_port(configured: int) -> int:
    """Return the port on which `develop` is running the site, or else the configured port."""
    try:
        port = int(PORT_FILE.read_text())
        socket.create_connection(("127.0.0.1", port), timeout=1).close()  # a killed site leaves the file behind
    except (OSError, ValueError):
        return configured
    return port
