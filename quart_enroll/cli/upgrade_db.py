"""`upgrade-db`: bring the database up to date before each deploy, and convert that of a Flask site."""

import click

from quart_enroll.cli.command_context import defaults, run_with_database
from quart_enroll.db.client import Database, assert_transactions, ping
from quart_enroll.services.maintenance.upgrade import UpgradeReport, upgrade
from quart_enroll.system.clock import utc_now


@click.command("upgrade-db", short_help="Bring the database up to date.")
@click.option("--sections", "all_sections", is_flag=True, help="Give every course without sections a section 01.")
def upgrade_db(all_sections: bool) -> None:
    """Bring the database up to date and list every change; running it again changes nothing.

    Rows that can't be repaired without guessing are listed but not changed.
    """
    report = run_with_database(lambda db: _upgrade(db, all_sections=all_sections), "UPGRADE_MONGO_URI")
    for sentence in report.changes:
        click.echo(sentence)
    if not report.changes:
        click.echo("The database is up to date; nothing was changed.")
    if report.unchanged:
        click.echo("Not changed:")
        for sentence in report.unchanged:
            click.echo(f"  {sentence}")
    if report.failures:
        raise click.ClickException("\n".join(report.failures))


async def _upgrade(db: Database, *, all_sections: bool) -> UpgradeReport:
    await ping(db)
    assert_transactions(db)
    return await upgrade(db, utc_now(), defaults(), all_sections=all_sections)
