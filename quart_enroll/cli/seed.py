"""`seed`: a small school to try the site with, or a believable one."""

from datetime import UTC, datetime

import click

from quart_enroll.cli.command_context import PROJECT_FOLDER, current_site, defaults, run_with_database
from quart_enroll.cli.import_files import import_and_report
from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, users
from quart_enroll.db.queries import demo
from quart_enroll.db.queries.demo import School
from quart_enroll.db.transactions import transaction
from quart_enroll.demo import make
from quart_enroll.demo.texts import load
from quart_enroll.services.accounts.hashing import unusable_hash
from quart_enroll.services.catalog.imports import IMPORT_RETRY_SECONDS
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, create_terms

DATA_FOLDER = PROJECT_FOLDER / "data"


@click.command(short_help="Fill an empty catalog with a demo school.")
@click.option("--force", is_flag=True, help="Also into a catalog that has courses.")
@click.option("--demo", "whole", is_flag=True, help="In development: a whole invented school, its students enrolled.")
def seed(force: bool, whole: bool) -> None:
    """Fill an empty catalog with the school of data/, and in development with people who can sign in.

    With --demo it is a school in the weeks of registration, with hundreds of courses and students, and only a
    database without any course or person is filled.
    """
    development = current_site().config["APP_ENV"] == "development"
    if whole and force:
        raise click.UsageError("--demo fills an empty database only, so it can't be forced.")
    if whole and not development:
        raise click.ClickException("This makes demo accounts with a known password. Set APP_ENV=development first.")
    if whole:
        _found_school()
        return
    if not force and not run_with_database(courses.is_empty):
        click.echo("The catalog has courses already; nothing was changed. (--force adds those of data/.)")
        return
    import_and_report("course", DATA_FOLDER / "courses.json")
    given = defaults()
    for sentence in run_with_database(lambda db: create_terms(db, datetime.now(UTC), given)):
        click.echo(sentence)
    import_and_report("section", DATA_FOLDER / "sections.json")
    if development:  # their password is printed in the README
        import_and_report("user", DATA_FOLDER / "users.json")


def _found_school() -> None:
    given, now = defaults(), datetime.now(UTC)
    nobodys_password = unusable_hash(current_site().config["PASSWORD_METHOD"])
    school = run_with_database(lambda db: _put_school(db, given, nobodys_password, now))
    if school is None:
        click.echo("The database already has a school, so nothing was changed.")
        return
    seats = sum(one.seats_taken for one in school.sections)
    [term] = [term for term in school.terms if term.is_open(now)]
    click.echo(
        f"A demo school: {len(school.courses)} courses, {len(school.sections)} sections in {len(school.terms)} terms, "
        f"{len(school.people)} people. {seats} seats are taken, {len(school.line)} wait, and {term} is open."
    )


async def _put_school(db: Database, given: UpgradeDefaults, nobodys_password: str, now: datetime) -> School | None:
    """Store the demo school, all of it or nothing; return None when the database is in use."""
    if not await demo.is_empty(db):
        return None
    texts = load(DATA_FOLDER, nobodys_password)
    school = make(texts, now, timezone=given.timezone, max_credits=given.max_credits)
    await users.raise_user_id_counter(db, max(one.user.user_id for one in school.people))
    await transaction(db, lambda session: demo.insert(db, school, session), IMPORT_RETRY_SECONDS)
    return school
