"""`sign-out`: end a user's sign-ins, API tokens and links, after a lost phone or a stolen password."""

import logging

import click

from quart_enroll.cli.command_context import run_with_database
from quart_enroll.db.client import Database
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.accounts import EndedAccess

logger = logging.getLogger(__name__)


@click.command("sign-out", short_help="End a user's sign-ins, tokens and links.")
@click.option("--email", prompt="Email", help="The user's email.")
def sign_out(email: str) -> None:
    """End every sign-in, API token, calendar link and shared link of a user; the password stays the same."""
    user_id, ended = run_with_database(lambda db: _end_access(db, email))
    # The log needs it too; it names users only by number.
    logger.warning("signed out by command", extra={"user_id": user_id, **ended._asdict()})
    click.echo(
        f"Signed out user {user_id} (sign-ins: {ended.sign_ins}, tokens: {ended.tokens}, "
        f"calendar links: {ended.calendar_links}, shared links: {ended.shared_links}). "
        "The password is unchanged; `password-link` makes a link to reset it."
    )


async def _end_access(db: Database, email: str) -> tuple[int, EndedAccess]:
    user_id = await accounts.find_user_id(db, email)
    if user_id is None:
        raise click.ClickException("There is no account with this email.")
    return user_id, await accounts.end_access(db, user_id)
