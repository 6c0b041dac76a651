"""`password-link`: a new password for somebody who can't get an e-mail."""

from datetime import UTC, datetime

import click

from quart_enroll.cli.command_context import current_site, run_with_database, running_port
from quart_enroll.db.collections import users
from quart_enroll.services.accounts.email_links import EmailLinks


@click.command("password-link", short_help="Print a link to a new password.")
@click.option("--email", prompt="Email")
def password_link(email: str) -> None:
    """Print a link by which a user chooses a new password, once and within an hour."""
    config = current_site().config
    if not config["PUBLIC_URL"]:
        raise click.ClickException("Set PUBLIC_URL first, so that the link leads to the site.")
    found = run_with_database(lambda db: users.find_credentials(db, email))
    if found is None:
        raise click.ClickException("There is no account with this address.")
    address = config["PUBLIC_URL"]
    if address == f"http://localhost:{config['PORT']}":  # what it is in development, unless somebody says otherwise
        address = f"http://localhost:{running_port(config['PORT'])}"
    click.echo(EmailLinks(config["SECRET_KEY"], address).reset(found, datetime.now(UTC)))
