"""What every command needs: the application that was named, and its database."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
from quart import Quart
from quart.cli import ScriptInfo

from quart_enroll.commands.local_mongod import database_uri
from quart_enroll.mongo import AWAY, REFUSED, Database, NoTransactions, explain, open_database
from quart_enroll.services.background import going_on
from quart_enroll.services.upgrade import Defaults
from quart_enroll.transactions import end_abandoned

T = TypeVar("T")

PROJECT = Path(__file__).parents[2]

PATIENCE = 60
"""Seconds that one operation of a command may take; nobody waits in front of a page for it."""


def the_app() -> Quart:
    """Return the application that `quart --app` named."""
    return click.get_current_context().ensure_object(ScriptInfo).load_app()


def defaults() -> Defaults:
    """Return the settings that are defaults for terms, sections and passwords."""
    config = the_app().config
    limit = config["MAX_CREDITS"]
    return Defaults(
        config["TIMEZONE"],
        int(limit) if limit.is_integer() else limit,
        config["SECTION_CAPACITY"],
        config["PASSWORD_METHOD"],
    )


def in_database(work: Callable[[Database], Awaitable[T]], setting: str = "MONGO_URI") -> T:
    """Run `work` with the database at the address in `setting` and return its result; fail with a sentence.

    Where `setting` is empty, MONGO_URI is used.
    """
    config = the_app().config
    setting = setting if config[setting] else "MONGO_URI"

    async def opened(site_uri: str) -> T:
        async with (
            # As the site's own user: MongoDB lets users see and end only their own transactions.
            open_database(site_uri, PATIENCE) as site,
            going_on(end_abandoned(site)),
            open_database(config[setting] or site_uri, PATIENCE) as db,
        ):
            return await work(db)

    with database_uri(config["MONGO_URI"], PROJECT) as uri:
        try:
            return asyncio.run(opened(uri))
        except (*AWAY, REFUSED, NoTransactions) as error:
            raise click.ClickException(explain(error, setting)) from error
