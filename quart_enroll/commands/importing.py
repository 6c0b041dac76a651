"""`import COLLECTION FILE`: courses and users from JSON or CSV, all rows or none."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from quart_enroll.commands.running import in_database, the_app
from quart_enroll.errors import BadRow, EmailTaken
from quart_enroll.forms.rows import CourseRow, UserRow
from quart_enroll.models import Course, User
from quart_enroll.mongo import Database
from quart_enroll.services import importing
from quart_enroll.services.importing import BadRows, Imported, NewUser
from quart_enroll.services.passwords import decoy

NumberedRow = tuple[int, dict[str, Any]]


@click.command("import")
@click.argument("collection", type=click.Choice(["course", "user"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_file(collection: str, file: Path) -> None:
    """Take the rows of FILE, a JSON array or CSV with a header, into COLLECTION.

    Every row that can't be taken is named, and then none is. The same file twice changes nothing.
    """
    try:
        done = import_rows(collection, read(file))
    except EmailTaken as taken:
        raise click.ClickException("Two rows have one address in different letters. Nothing was imported.") from taken
    except BadRows as refused:
        for row in refused.rows:
            click.echo(f"row {row.number}: {row.sentence}", err=True)
        raise click.ClickException("Nothing was imported.") from refused
    click.echo(f"{collection}: {done.added} added, {done.changed} changed, {done.unchanged} unchanged.")


def import_rows(collection: str, rows: Sequence[NumberedRow]) -> Imported:
    """Check the rows' shape and take them in; raise BadRows with every row that can't be taken."""
    if collection == "course":
        courses = _checked(CourseRow, rows)
        return in_database(lambda db: _import_courses(db, courses))
    people = _checked(UserRow, rows)
    nobodys = decoy(the_app().config["PASSWORD_METHOD"])
    return in_database(
        lambda db: importing.import_users(db, [_new_user(*row) for row in people], nobodys_password=nobodys)
    )


def read(file: Path) -> list[NumberedRow]:
    """Read the rows of a JSON array or a CSV file, each with its number, from 1."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
        rows: Any = _read_csv(text) if file.suffix.lower() == ".csv" else json.loads(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise click.ClickException(f"{file} can't be read: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise click.ClickException(f"{file} must have a JSON array of objects, or end in .csv.")
    return list(enumerate(rows, 1))


def _read_csv(text: str) -> list[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey="more fields than the header", strict=True)
    header = rows.fieldnames or []
    if len(set(header)) < len(header):
        raise ValueError("two columns have the same name")
    return list(rows)


def _checked(form: type[Any], rows: Sequence[NumberedRow]) -> list[tuple[int, Any]]:
    checked, bad = [], []
    for number, row in rows:
        taken, problems = form.check(row)
        checked.append((number, taken))
        bad += [BadRow(number, problem) for problem in problems]
    if bad:
        raise BadRows(bad)
    return checked


async def _import_courses(db: Database, rows: Sequence[tuple[int, CourseRow]]) -> Imported:
    courses: list[tuple[int, Course]] = [(number, row.course()) for number, row in rows]
    return await importing.import_courses(db, courses)


def _new_user(number: int, row: UserRow) -> NewUser:
    user = User(
        user_id=row.user_id.data or 0,
        email=row.email.data or "",
        first_name=row.first_name.data or "",
        last_name=row.last_name.data or "",
        role=row.role.data or "",
    )
    return NewUser(number, row.user_id.data, user, row.password.data or None)
