"""Finds out what an import in the browser would do."""

import asyncio
from collections.abc import Sequence
from tempfile import TemporaryFile

from quart_enroll.db.client import Database
from quart_enroll.domain.errors import EmailTaken, RowProblem
from quart_enroll.domain.stored_import import Outcome, PreviewCounts, StoredImport
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.imports.validation import FileRows, read_rows
from quart_enroll.i18n.language import Sentence
from quart_enroll.importing.file_import import ImportSettings, import_rows_of_file
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.staff import imports
from quart_enroll.services.staff.import_outcomes import find_outcomes
from quart_enroll.services.staff.imports import Preview
from quart_enroll.system.clock import Clock
from quart_enroll.system.compact_list import CompactList

SPELLED_DIFFERENTLY = Sentence("Two rows have the same email in different spellings. Correct one of them.")


async def read_stored(db: Database, stored: StoredImport) -> FileRows:
    """Read the rows of the uploaded file, with its columns as they were matched; raise UnreadableFile."""
    with TemporaryFile() as file:
        await imports.read_file(db, stored.import_id, file)
        return await asyncio.to_thread(read_rows, ROW_FORMS[stored.kind], stored.filename, file, stored.columns)


async def find_preview(db: Database, stored: StoredImport, settings: ImportSettings, clock: Clock) -> Preview:
    """Do everything but the import."""
    try:
        rows = await read_stored(db, stored)
    except UnreadableFile as unreadable:
        return Preview(failures=unreadable.sentences, is_refused=True)
    try:
        author = imports.import_author(stored)
        result = await import_rows_of_file(db, stored.kind, rows, settings, clock, dry_run=True, author=author)
    except EmailTaken:
        return Preview(notes=rows.notes, failures=[SPELLED_DIFFERENTLY], is_refused=True)
    except InvalidRows as invalid:
        refused = await asyncio.to_thread(_refusals, rows, invalid.problems)
        counts = PreviewCounts(refused=len({one.number for one in refused}))
        return Preview(counts, refused, rows.notes, is_refused=True)
    outcomes = await asyncio.to_thread(_in_words, rows, result, await find_outcomes(db, result))
    return Preview(_counts(result), outcomes, [*rows.notes, *result.notes])


def _refusals(rows: FileRows, problems: Sequence[RowProblem]) -> Sequence[Outcome]:
    return CompactList(_refusal(rows, bad) for bad in problems)


def _refusal(rows: FileRows, bad: RowProblem) -> Outcome:
    """Return why a row is refused, with the column as the file names it."""
    return Outcome(bad.number, "refused", rows.quoted_sentence(bad), rows.labels.get(bad.field, bad.field))


def _counts(result: ImportResult) -> PreviewCounts:
    return PreviewCounts(result.added, result.changed, result.unchanged, len(result.refused), len(result.promoted))


def _in_words(rows: FileRows, result: ImportResult, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Add the text in the file to rows that would be added or refused, unless they are about students."""
    if result.outcomes:
        return CompactList(one._replace(column=rows.labels.get(one.column, one.column)) for one in outcomes)
    described = CompactList(_refusal(rows, bad) for bad in result.refused)
    texts = rows.texts()
    for one in outcomes:  # those with texts are in the order of the file
        if one.what == "added":
            described.append(one._replace(text=next(text for number, text in texts if number == one.number)))
        elif one.what != "refused":
            described.append(one)
    return described
