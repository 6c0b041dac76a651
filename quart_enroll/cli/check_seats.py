"""`check-seats`: recount seats, waitlists and credits."""

import click

from quart_enroll.cli.command_context import run_with_database
from quart_enroll.db.client import Database
from quart_enroll.services.maintenance import audit
from quart_enroll.services.maintenance.audit import AuditReport
from quart_enroll.system.clock import utc_now


@click.command("check-seats", short_help="Recount all seats, waitlists and credits.")
@click.option("--repair", is_flag=True, help="First repair what can be repaired without guessing.")
def check_seats(repair: bool) -> None:
    """Recount seats, waitlists and credits, and list discrepancies; exit with status 1 if there are any."""
    repairs, report = run_with_database(lambda db: _check(db, repair=repair))
    for sentence in repairs:
        click.echo(f"Repaired: {sentence}")
    for sentence in report.discrepancies:
        click.echo(sentence)
    for sentence in report.notes:
        click.echo(f"Note: {sentence}")
    if report.discrepancies:
        number = len(report.discrepancies)
        raise click.ClickException(f"Found {number} {'discrepancies' if number > 1 else 'discrepancy'}.")
    click.echo(f"No discrepancies: {report.sections} sections, {report.seats} enrolled, {report.waiting} waiting.")


async def _check(db: Database, *, repair: bool) -> tuple[list[str], AuditReport]:
    now = utc_now()
    repairs = await audit.repair(db, now) if repair else []
    return repairs, await audit.check(db, now)
