"""`seed`: a small school to try the site with."""

import click

from quart_enroll.commands.importing import import_rows, read
from quart_enroll.commands.running import PROJECT, in_database, the_app
from quart_enroll.repositories import courses


@click.command()
@click.option("--force", is_flag=True, help="Also into a catalog that has courses.")
def seed(force: bool) -> None:
    """Fill an empty catalog with the courses of data/, and in development with people who can sign in."""
    if not force and not in_database(courses.is_empty):
        click.echo("The catalog has courses already; nothing was changed. (--force adds those of data/.)")
        return
    names = {"course": "courses.json"}
    if the_app().config["APP_ENV"] == "development":  # their password is printed in the README
        names["user"] = "users.json"
    for collection, name in names.items():
        done = import_rows(collection, read(PROJECT / "data" / name))
        click.echo(f"{collection}: {done.added} added, {done.changed} changed, {done.unchanged} unchanged.")
