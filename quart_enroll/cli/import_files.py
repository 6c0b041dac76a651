"""`import COLLECTION FILE`: import terms, courses, sections, users and more from Excel, CSV or JSON."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from quart_enroll.cli.command_context import current_site, run_with_database
from quart_enroll.db.client import Database
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.errors import EmailTaken
from quart_enroll.domain.formatting import one_line
from quart_enroll.domain.models import Event
from quart_enroll.domain.readable_text import is_readable
from quart_enroll.domain.stored_import import ENROLLMENTS
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.imports.table_reader import MAX_FILE_BYTES
from quart_enroll.forms.imports.validation import FileRows, read_rows
from quart_enroll.importing.file_import import ImportSettings, import_rows_of_file
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import ImportResult, RowChange
from quart_enroll.services.staff.imports import command_author
from quart_enroll.system.clock import utc_now

T = TypeVar("T")

MAX_PRINTED_LINES = 50
"""Lines of each kind that are printed without --verbose."""

MAX_PRINTED_LINE_LENGTH = 1000
"""Characters that are printed of a line; the rest is cut off."""


class ImportOptions(NamedTuple):
    """The options of an import.

    `columns` maps names of columns to fields; an empty field leaves the column out. The `reason` and the
    `overrides` are for enrollments.
    """

    reason: str = ""
    overrides: frozenset[Override] = NO_OVERRIDES
    columns: Mapping[str, str] = {}
    dry_run: bool = False
    verbose: bool = False


DEFAULT_OPTIONS = ImportOptions()


@click.command("import", short_help="Import terms, courses, sections, users and more from a file.")
@click.argument("collection", type=click.Choice(sorted(ROW_FORMS)))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", default="", help="Why enrollments change; students are told. Required for enrollments.")
@click.option(
    "--override",
    "overrides",
    multiple=True,
    type=click.Choice([str(one) for one in Override]),
    help="A rule to set aside for all enrollments in the file. Can be repeated.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=FIELD",
    help="The field that a column holds, if its name doesn't tell; NAME= leaves the column out. Can be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print what the import would do, without changing anything.")
@click.option("--verbose", is_flag=True, help=f"Print all lines instead of the first {MAX_PRINTED_LINES} of each kind.")
def import_file(collection: str, file: Path, overrides: Sequence[str], columns: Sequence[str], **options: Any) -> None:
    """Import the rows of FILE, an Excel workbook or CSV with a header or a JSON array, into COLLECTION.

    Either all rows are imported or, if any has an error, none; enrollments, holds and appointments are imported
    row by row. Every change is printed with the old and new values.
    Importing the same file again changes nothing.
    """
    if collection == ENROLLMENTS and not options["reason"].strip():
        raise click.UsageError("Enrollments need a --reason, which students are told.")
    if not is_readable(options["reason"]):
        raise click.UsageError("The --reason contains unreadable characters.")
    if overrides and collection != ENROLLMENTS:
        raise click.UsageError("--override is only for enrollments.")
    chosen = dict(_column(collection, text) for text in columns)
    set_aside = frozenset(map(Override, overrides))
    done = import_and_report(collection, file, ImportOptions(overrides=set_aside, columns=chosen, **options))
    for note in done.notes:
        click.echo(f"Note: {note}")


def _column(collection: str, text: str) -> tuple[str, str]:
    """Return the name and the field of a column."""
    name, separator, field = text.rpartition("=")
    fields = [one.name for one in ROW_FORMS[collection]()]
    if not separator or field not in ("", *fields):
        raise click.UsageError(f"--column {text}: use NAME=FIELD, where FIELD is empty or one of {', '.join(fields)}.")
    return name, field


def import_and_report(collection: str, file: Path, options: ImportOptions = DEFAULT_OPTIONS) -> ImportResult:
    """Import the file, print the result and return it; raise ClickException if a row can't be imported."""
    verbose, dry_run = options.verbose, options.dry_run
    rows = read(collection, file, options.columns)
    for note in rows.notes:
        click.echo(_printable(f"Note: {note}"))
    try:
        done = _import(collection, file, rows, options)
    except EmailTaken as taken:
        raise click.ClickException(
            "Two rows have the same email in different spellings. Correct one of them and import the file again."
        ) from taken
    except InvalidRows as refused:
        _print_some(rows.describe, refused.problems, "more", verbose, err=True)
        raise click.ClickException(_extent(refused)) from refused
    _print_some(rows.describe, done.refused, "more refused rows", verbose, err=True)
    overbooked = [change for change in done.changes if change.capacity_below_enrolled is not None]
    _print_some(partial(_change_text, rows.unit), done.changes, "more changed rows", verbose)
    _print_some(partial(_warning, rows.unit), overbooked, "more warnings", verbose)
    _print_some(partial(_promotion_text, dry_run), done.promoted, "more students", verbose)
    left_out = f", {len(done.refused)} refused" if done.refused else ""
    if dry_run:
        counts = f"{done.added} would be added, {done.changed} changed, {done.unchanged} left unchanged{left_out}"
        click.echo(f"{collection}: {counts}. This was a dry run: nothing was changed.")
    else:
        click.echo(f"{collection}: {done.added} added, {done.changed} changed, {done.unchanged} unchanged{left_out}.")
    return done


def read(collection: str, file: Path, columns: Mapping[str, str]) -> FileRows:
    """Read the rows of a file; raise ClickException if it can't be read."""
    try:
        with file.open("rb") as source:
            # From a pipe, one byte more is read than a file may have.
            seekable = source if source.seekable() else BytesIO(source.read(MAX_FILE_BYTES + 1))
            return read_rows(ROW_FORMS[collection], file.name, seekable, columns)
    except UnreadableFile as error:
        sentences = "\n".join(_printable(f"{file}: {sentence}") for sentence in error.sentences)
        raise click.ClickException(f"{sentences}\nNothing was imported.") from error


def _extent(refused: InvalidRows) -> str:
    if not refused.imported:
        return "Nothing was imported."
    return f"The first {refused.imported} rows were imported. Correct the others, and import the file again."


def _print_some(
    write: Callable[[T], object], items: Sequence[T], what: str, verbose: bool, *, err: bool = False
) -> None:
    """Print a line for each of the first items, or for all if `verbose`."""
    limit = len(items) if verbose else MAX_PRINTED_LINES
    for item in islice(items, limit):
        click.echo(_printable(str(write(item))), err=err)
    if len(items) > limit:
        click.echo(f"… and {len(items) - limit} {what}; --verbose prints them all.", err=err)


def _printable(text: str) -> str:
    """Return the text as one line, with control characters escaped so that a file can't manipulate the terminal."""
    line = text if len(text) <= MAX_PRINTED_LINE_LENGTH else f"{text[:MAX_PRINTED_LINE_LENGTH]}…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)


def _change_text(unit: str, change: RowChange) -> str:
    fields = ", ".join(f"{one.field} {one_line(one.old)} → {one_line(one.new)}" for one in change.fields)
    counts = {"enrolled": change.enrolled, "waiting": change.waiting}
    people = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{unit} {change.number}: {change.name}: {fields}{f' ({people})' if people else ''}"


def _warning(unit: str, change: RowChange) -> str:
    return (
        f"Warning: {unit} {change.number}: {change.name} has {change.enrolled} enrolled, more than its new "
        f"capacity of {change.capacity_below_enrolled}. Enrolled students keep their seats, and no other student gets "
        "one until there is room."
    )


def _promotion_text(dry_run: bool, event: Event) -> str:
    gets = "would get" if dry_run else "got"
    return f"Student {event.user_id} {gets} a seat in {event.courseID} section {event.section}, {event.term}."


def _import(collection: str, file: Path, rows: FileRows, options: ImportOptions) -> ImportResult:
    config, now = current_site().config, utc_now()
    settings = ImportSettings(config["TIMEZONE"], config["MAX_CREDITS"], config["PASSWORD_METHOD"])

    async def work(db: Database) -> ImportResult:
        author = command_author(
            db, collection, click.format_filename(file.name), now, options.reason, options.overrides
        )
        dry_run = options.dry_run
        return await import_rows_of_file(db, collection, rows, settings, utc_now, dry_run=dry_run, author=author)

    return run_with_database(work)
