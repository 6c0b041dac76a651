"""`seed`: fill an empty catalog with a few courses, or an empty database with a realistic demo school."""

from datetime import datetime

import click

from quart_enroll.cli.command_context import PROJECT_FOLDER, current_site, defaults, run_with_database
from quart_enroll.cli.import_files import import_and_report
from quart_enroll.db.client import Database
from quart_enroll.demo import create_school
from quart_enroll.demo.school_data import load
from quart_enroll.services.accounts.hashing import unusable_hash
from quart_enroll.services.maintenance import demo_school
from quart_enroll.services.maintenance.demo_school import School
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, create_terms
from quart_enroll.system.clock import utc_now

DATA_FOLDER = PROJECT_FOLDER / "data"


@click.command(short_help="Fill an empty catalog with demo data.")
@click.option("--force", is_flag=True, help="Add the courses even if the catalog is not empty.")
@click.option("--demo", "whole_school", is_flag=True, help="Create a whole demo school (development only).")
def seed(force: bool, whole_school: bool) -> None:
    """Fill an empty catalog with the courses in data/, and in development create accounts to sign in with.

    With --demo, create a school during registration, with hundreds of courses and students, in a database that has no
    courses and no users yet.
    """
    development = current_site().config["APP_ENV"] == "development"
    if whole_school and force:
        raise click.UsageError("--demo only fills an empty database, so --force can't be used with it.")
    if whole_school and not development:
        raise click.ClickException(
            "This creates demo accounts with a publicly known password. Set APP_ENV=development first."
        )
    if whole_school:
        _create_school()
        return
    if not force and not run_with_database(demo_school.is_catalog_empty):
        click.echo("The catalog already has courses; nothing was changed. (--force adds those in data/.)")
        return
    import_and_report("course", DATA_FOLDER / "courses.json")
    settings = defaults()
    for sentence in run_with_database(lambda db: create_terms(db, utc_now(), settings)):
        click.echo(sentence)
    import_and_report("section", DATA_FOLDER / "sections.json")
    if development:  # the README publishes their password
        import_and_report("user", DATA_FOLDER / "users.json")


def _create_school() -> None:
    settings, now = defaults(), utc_now()
    no_password = unusable_hash(current_site().config["PASSWORD_METHOD"])
    school = run_with_database(lambda db: _store_school(db, settings, no_password, now))
    if school is None:
        click.echo("The database already has a school; nothing was changed.")
        return
    seats = sum(one.seats_taken for one in school.sections)
    [term] = [term for term in school.terms if term.is_open(now)]
    click.echo(
        f"Created a demo school with {len(school.courses)} courses, {len(school.sections)} sections in "
        f"{len(school.terms)} terms and {len(school.people)} users. {seats} seats are taken, {len(school.line)} "
        f"students are waitlisted, and {term} is open."
    )


async def _store_school(db: Database, settings: UpgradeDefaults, no_password: str, now: datetime) -> School | None:
    """Store the demo school; return None if the database is in use."""
    if not await demo_school.is_unused(db):
        return None
    data = load(DATA_FOLDER, no_password)
    school = create_school(data, now, timezone=settings.timezone, max_credits=settings.max_credits)
    await demo_school.store(db, school)
    return school
