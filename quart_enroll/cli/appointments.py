"""`appointments verify`: recompute bulk assignments of enrollment appointments."""

import click

from quart_enroll.cli.command_context import run_with_database
from quart_enroll.db.client import Database
from quart_enroll.services.staff import verify_appointments
from quart_enroll.services.staff.verify_appointments import Verification


@click.group(short_help="Verify enrollment appointments that were assigned in bulk.")
def appointments() -> None:
    """Verify enrollment appointments that were assigned in bulk."""


@appointments.command(short_help="Recompute assigned appointments, and list those that differ.")
@click.option("--term", default="", help="The term to verify. Without it, all terms are verified.")
def verify(term: str) -> None:
    """Recompute the order of students from the stored seed and ranks, and list the students who differ, and why.

    The exit status is 1 if no change by staff explains a difference.
    """
    found = run_with_database(lambda db: _verify(db, term))
    for one in found:
        for note in one.notes:
            click.echo(f"Note: {one.term}: {note}")
        for difference in one.differences:
            click.echo(f"{one.term}, student {difference.user_id}: {difference.reason}.")
        click.echo(f"{one.term}: {one.assignments} bulk assignments, {one.students} students.")
    if number := sum(not difference.is_explained for one in found for difference in one.differences):
        raise click.ClickException(f"Found {number} unexplained {'differences' if number > 1 else 'difference'}.")


async def _verify(db: Database, name: str) -> list[Verification]:
    known = await verify_appointments.find_terms(db)
    wanted = [term for term in known if name in ("", term.term)]
    if name and not wanted:
        raise click.ClickException(f"There is no term {name}.")
    found = [await verify_appointments.verify(db, term) for term in wanted]
    return [one for one in found if one.assignments or name]
