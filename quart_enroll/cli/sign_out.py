"""`sign-out`: end a user's sign-ins, API tokens and calendar link, after a lost phone or a stolen password."""

import logging

import click

from quart_enroll.cli.command_context import run_with_database
from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.accounts import EndedAccess

logger = logging.getLogger(__name__)


@click.command("sign-out", short_help="End the sign-ins, tokens and calendar link of a user.")
@click.option("--email", prompt="Email")
def sign_out(email: str) -> None:
    """End every sign-in, API token and calendar link of a user; the password is unchanged."""
    user_id, ended = run_with_database(lambda db: _end_access(db, email))
    # Also in the log, which names users only by number.
    logger.warning("signed out by command", extra={"user_id": user_id, **ended._asdict()})
    click.echo(
        f"Signed out user {user_id} (sign-ins: {ended.sign_ins}, tokens: {ended.tokens}, "
        f"calendar links: {ended.calendar_links}). The password stays; password-link makes a link to replace it."
    )


async def _end_access(db: Database, email: str) -> tuple[int, EndedAccess]:
    found = await users.find_credentials(db, email)
    if found is None:
        raise click.ClickException("There is no account with this address.")
    return found.user.user_id, await accounts.end_access(db, found.user.user_id)
