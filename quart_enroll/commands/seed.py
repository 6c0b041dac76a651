"""`seed`: a small school to try the site with."""

from datetime import UTC, datetime

import click

from quart_enroll.commands.importing import take_in
from quart_enroll.commands.running import PROJECT, defaults, in_database, the_app
from quart_enroll.repositories import courses
from quart_enroll.services.upgrade import make_terms

DATA = PROJECT / "data"


@click.command(short_help="Fill an empty catalog with a demo school.")
@click.option("--force", is_flag=True, help="Also into a catalog that has courses.")
def seed(force: bool) -> None:
    """Fill an empty catalog with the school of data/, and in development with people who can sign in."""
    if not force and not in_database(courses.is_empty):
        click.echo("The catalog has courses already; nothing was changed. (--force adds those of data/.)")
        return
    take_in("course", DATA / "courses.json")
    given = defaults()
    for sentence in in_database(lambda db: make_terms(db, datetime.now(UTC), given)):
        click.echo(sentence)
    take_in("section", DATA / "sections.json")
    if the_app().config["APP_ENV"] == "development":  # their password is printed in the README
        take_in("user", DATA / "users.json")
