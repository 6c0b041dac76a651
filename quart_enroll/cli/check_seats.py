"""`check-seats`: does everything agree that is counted about seats?"""

from datetime import UTC, datetime

import click

from quart_enroll.cli.command_context import run_with_database
from quart_enroll.db.client import Database
from quart_enroll.services.maintenance import audit
from quart_enroll.services.maintenance.audit import AuditReport


@click.command("check-seats", short_help="Count all seats, lines and credits again.")
@click.option("--repair", is_flag=True, help="Mend what can be mended without guessing, then check.")
def check_seats(repair: bool) -> None:
    """Count seats, waitlists and credits again from the rows; exit 1 if something disagrees."""
    done, found = run_with_database(lambda db: _check(db, repair=repair))
    for sentence in done:
        click.echo(f"Mended: {sentence}")
    for sentence in found.disagreements:
        click.echo(sentence)
    for sentence in found.notes:
        click.echo(f"Note: {sentence}")
    if found.disagreements:
        number = len(found.disagreements)
        raise click.ClickException(f"{number} {'disagreements were' if number > 1 else 'disagreement was'} found.")
    click.echo(f"Everything agrees: {found.sections} sections, {found.seats} enrollments, {found.waiting} waiting.")


async def _check(db: Database, *, repair: bool) -> tuple[list[str], AuditReport]:
    now = datetime.now(UTC)
    done = await audit.repair(db, now) if repair else []
    return done, await audit.check(db, now)
