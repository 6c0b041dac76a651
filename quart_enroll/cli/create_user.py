"""`create-user`: create an account, such as that of the first registrar."""

import click

from quart_enroll.cli.command_context import current_site, run_with_database
from quart_enroll.db.client import Database
from quart_enroll.domain.errors import EmailTaken, PasswordRefused
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role, in_order
from quart_enroll.forms.imports.users import NewUserRow
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.hash_slots import HashSlots
from quart_enroll.services.accounts.hashing import Hasher


@click.command("create-user", short_help="Create an account.")
@click.option("--email", prompt="Email", help="The user's email.")
@click.option("--first-name", prompt="First name", default="", show_default=False, help="The user's first name.")
@click.option("--last-name", prompt="Last name", default="", show_default=False, help="The user's last name.")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    default=[Role.STUDENT.value],
    show_default=True,
    help="A role of the user; can be repeated.",
)
def create_user(roles: tuple[str, ...], **given: str) -> None:
    """Create an account; the command prompts for the password."""
    given["password"] = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    row, problems = NewUserRow.check(given)
    if problems:
        raise click.ClickException("\n".join(problems))
    try:
        user = run_with_database(lambda db: _register(db, row.data, frozenset(map(Role, roles))))
    except EmailTaken as taken:
        raise click.ClickException("An account with this email already exists.") from taken
    except PasswordRefused as refusal:
        raise click.ClickException(refusal.text) from refusal
    click.echo(f"Created user {user.user_id}: {user.full_name}, {', '.join(in_order(user.roles))}.")


async def _register(db: Database, given: dict[str, str], roles: frozenset[Role]) -> User:
    if await accounts.find_user_id(db, given["email"]) is not None:
        raise EmailTaken
    with Hasher(current_site().config["PASSWORD_METHOD"], slots=HashSlots(None, 1), queue=2) as hasher:
        created = await accounts.register(
            db,
            hasher,
            email=given["email"],
            password=given["password"],
            first_name=given["first_name"],
            last_name=given["last_name"],
            roles=roles,
        )
    return created.user
