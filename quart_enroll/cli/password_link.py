"""`password-link`: let a user who can't receive email choose a new password."""

import click

from quart_enroll.cli.command_context import current_site, run_with_database, running_port
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.system.clock import utc_now


@click.command("password-link", short_help="Print a link to choose a new password.")
@click.option("--email", prompt="Email", help="The user's email.")
def password_link(email: str) -> None:
    """Print a link with which the user can choose a new password; it works once, within an hour."""
    config = current_site().config
    if not config["PUBLIC_URL"]:
        raise click.ClickException("Set PUBLIC_URL first, so that the link leads to the site.")
    public_url = config["PUBLIC_URL"]
    if public_url == f"http://localhost:{config['PORT']}":  # the default in development
        public_url = f"http://localhost:{running_port(config['PORT'])}"
    links = EmailLinks(config["SECRET_KEY"], public_url)
    link = run_with_database(lambda db: links.find_reset(db, email, utc_now()))
    if link is None:
        raise click.ClickException("There is no account with this email.")
    click.echo(link)
