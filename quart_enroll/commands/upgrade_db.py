"""`upgrade-db`: before each deploy, and once for the database of a Flask site."""

from datetime import UTC, datetime

import click

from quart_enroll.commands.running import in_database
from quart_enroll.services import terms
from quart_enroll.services.upgrade import upgrade


@click.command("upgrade-db")
def upgrade_db() -> None:
    """Bring the database up to date and tell what changed; a second time nothing does.

    Rows that can't be repaired without guessing are listed and left alone.
    """
    term = str(terms.current(datetime.now(UTC).date()))
    report = in_database(lambda db: upgrade(db, term))
    for sentence in report.changes:
        click.echo(sentence)
    if not report.changes:
        click.echo("The database is up to date; nothing was changed.")
    if report.left_alone:
        click.echo("Left alone:")
        for sentence in report.left_alone:
            click.echo(f"  {sentence}")
    if report.failures:
        raise click.ClickException("\n".join(report.failures))
