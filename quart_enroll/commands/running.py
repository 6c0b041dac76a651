"""What every command needs: the application that was named, and its database."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
from quart import Quart
from quart.cli import ScriptInfo

from quart_enroll.commands.local_mongod import database_uri
from quart_enroll.mongo import AWAY, REFUSED, Database, open_database
from quart_enroll.services.upgrade import Defaults

T = TypeVar("T")

PROJECT = Path(__file__).parents[2]

PATIENCE = 60
"""Seconds that one operation of a command may take; nobody waits in front of a page for it."""


def the_app() -> Quart:
    """Return the application that `quart --app` named."""
    return click.get_current_context().ensure_object(ScriptInfo).load_app()


def defaults() -> Defaults:
    """Return what the settings say of terms and sections that nobody has said more about."""
    config = the_app().config
    limit = config["MAX_CREDITS"]
    return Defaults(config["TIMEZONE"], int(limit) if limit.is_integer() else limit, config["SECTION_CAPACITY"])


def in_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` with the site's database and return its result; say it in a sentence when there is none."""

    async def opened(uri: str) -> T:
        async with open_database(uri, PATIENCE) as db:
            return await work(db)

    with database_uri(the_app().config["MONGO_URI"], PROJECT) as uri:
        try:
            return asyncio.run(opened(uri))
        except AWAY as error:
            raise click.ClickException("The database does not answer. Is MONGO_URI right?") from error
        except REFUSED as error:
            raise click.ClickException(f"The database refuses: {error}") from error
