"""`import COLLECTION FILE`: courses, terms, sections and users from JSON or CSV, all rows or none."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from quart_enroll.commands.running import in_database, the_app
from quart_enroll.errors import BadRow, EmailTaken
from quart_enroll.forms.offer_rows import SectionRow, TermRow
from quart_enroll.forms.rows import CourseRow, UserRow
from quart_enroll.models import Term, User
from quart_enroll.repositories import terms as stored_terms
from quart_enroll.services import catalog_files, importing, terms
from quart_enroll.services.catalog_files import FileCourse, FileSection, FileTerm
from quart_enroll.services.importing import BadRows, Imported, NewUser
from quart_enroll.services.passwords import decoy

NumberedRow = tuple[int, dict[str, Any]]


@click.command("import", short_help="Take in terms, courses, sections or users from a file.")
@click.argument("collection", type=click.Choice(["course", "section", "term", "user"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_file(collection: str, file: Path) -> None:
    """Take the rows of FILE, a JSON array or CSV with a header, into COLLECTION.

    Every row that can't be taken is named, and then none is. The same file twice changes nothing.
    """
    take_in(collection, file)


def take_in(collection: str, file: Path) -> None:
    """Import the file and say what came of it; end the command when a row can't be taken."""
    try:
        done = IMPORTS[collection](read(file))
    except EmailTaken as taken:
        raise click.ClickException("Two rows have one address in different letters. Nothing was imported.") from taken
    except BadRows as refused:
        for row in refused.rows:
            click.echo(f"row {row.number}: {row.sentence}", err=True)
        raise click.ClickException("Nothing was imported.") from refused
    click.echo(f"{collection}: {done.added} added, {done.changed} changed, {done.unchanged} unchanged.")


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


def _courses(rows: Sequence[NumberedRow]) -> Imported:
    checked = [FileCourse(number, row.course(), row.given) for number, row in _checked(CourseRow, rows)]
    return in_database(lambda db: catalog_files.import_courses(db, checked, datetime.now(UTC)))


def _terms(rows: Sequence[NumberedRow]) -> Imported:
    config = the_app().config
    known = {terms.key(term.term): term for term in in_database(stored_terms.find_all)}
    said = [(number, {name: cell for name, cell in row.items() if _says(cell)}) for number, row in rows]
    new = {"timezone": config["TIMEZONE"], "max_credits": config["MAX_CREDITS"]}
    # Times are read by the clock of the row, else of the term that is there already.
    filled = [(number, new | _clock(known.get(terms.key(TermRow.about(row)))) | row) for number, row in said]
    checked = [
        FileTerm(number, row.read(), frozenset(given))
        for (number, row), (_, given) in zip(_checked(TermRow, filled), said, strict=True)
    ]
    return in_database(lambda db: catalog_files.import_terms(db, checked, datetime.now(UTC)))


def _sections(rows: Sequence[NumberedRow]) -> Imported:
    checked = [FileSection(number, row.read(), row.given) for number, row in _checked(SectionRow, rows)]
    return in_database(lambda db: catalog_files.import_sections(db, checked, datetime.now(UTC)))


def _users(rows: Sequence[NumberedRow]) -> Imported:
    people = [_new_user(*row) for row in _checked(UserRow, rows)]
    nobodys = decoy(the_app().config["PASSWORD_METHOD"])
    return in_database(lambda db: importing.import_users(db, people, nobodys_password=nobodys))


def _clock(term: Term | None) -> dict[str, str]:
    return {} if term is None else {"timezone": term.timezone}


def _says(cell: Any) -> bool:
    return cell is not None and cell != ""


def _new_user(number: int, row: UserRow) -> NewUser:
    user = User(
        user_id=row.user_id.data or 0,
        email=row.email.data or "",
        first_name=row.first_name.data or "",
        last_name=row.last_name.data or "",
        role=row.role.data or "",
    )
    return NewUser(number, row.user_id.data, user, row.password.data or None)


IMPORTS = {"course": _courses, "section": _sections, "term": _terms, "user": _users}
"""What takes the rows of each collection in."""
