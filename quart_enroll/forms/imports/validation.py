"""The rows of a file to import, and what is wrong on which line."""

import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any, TypeVar

from wtforms import Field

from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.formatting import shortened
from quart_enroll.forms.base import one_line
from quart_enroll.forms.imports import cells, columns, matching
from quart_enroll.forms.imports.base import ImportRow
from quart_enroll.forms.imports.table import Table, TableRow
from quart_enroll.i18n.language import Sentence, join_sentences, plural
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_results import RefusedRow
from quart_enroll.system.compact_list import CompactList

T = TypeVar("T")

SECRET_FIELDS = {"password"}
"""Fields whose values no message quotes."""

MAX_ROW_CHARACTERS = 200
"""Characters that are shown of a row."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a file, by field name; `number` is its place in the file."""

    number: int
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class FileRows:
    """The rows of a file, by their numbers.

    These numbers count in `unit` ("line" or "row"). `labels` are the column names as the file has them, `notes` are
    sentences about assumptions that were made, and `faults` are rows that don't fit the table.
    """

    unit: str
    rows: Sequence[FileRow]
    labels: Mapping[str, str]
    notes: Sequence[Sentence] = ()
    faults: Sequence[RowProblem] = ()

    @cached_property
    def _numbers(self) -> Sequence[int]:
        return array("L", (row.number for row in self.rows))

    def describe(self, bad: RowProblem) -> Sentence:
        """Return what is wrong with a row, with its place in the file, its column and its value."""
        place, sentence = matching.place_of(self.unit, bad.number), self.sentence(bad)
        if label := self.labels.get(bad.field, bad.field):
            what = f"{label}{self.quote(bad)}"
            return Sentence("%(place)s: %(what)s: %(sentence)s", place=place, what=what, sentence=sentence)
        return Sentence("%(place)s: %(sentence)s", place=place, sentence=sentence)

    def sentence(self, bad: RowProblem) -> Sentence:
        """Return what is wrong, with the place of the other row if there are two."""
        if bad.first is None:
            return bad.sentence
        other = Sentence("See also %(place)s.", place=matching.place_of(self.unit, bad.first))
        return join_sentences([bad.sentence, other])

    def quote(self, bad: RowProblem) -> str:
        """Return the value that is wrong in quotation marks, unless it is secret or the sentence already has it."""
        place = bisect_left(self._numbers, bad.number)
        value = self.rows[place].cells.get(bad.field) if bad.field and place < len(self.rows) else None
        return "" if bad.field in SECRET_FIELDS else _quoted(value, str(self.sentence(bad)))

    def quoted_sentence(self, bad: RowProblem) -> Sentence:
        """Return what is wrong, after the value that is wrong unless the sentence has it."""
        sentence = self.sentence(bad)
        if quote := self.quote(bad).strip():
            return Sentence("%(first)s %(next)s", first=quote, next=sentence)
        return sentence

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each row and its cells on one line, without secret ones."""
        for row in self.rows:
            texts = (
                " ".join(str(value).split())
                for name, value in row.cells.items()
                if name not in SECRET_FIELDS and value not in (None, "")
            )
            yield row.number, ", ".join(texts)[:MAX_ROW_CHARACTERS]


def read_rows(
    form: type[ImportRow], filename: str, file: IO[bytes], chosen: Mapping[str, str] | None = None
) -> FileRows:
    """Read a file whose rows `form` checks; raise UnreadableFile if the file as a whole can't be imported.

    `chosen` has the field of columns that someone has matched, by label; it is empty for a column to ignore.
    """
    table = matching.read_file(form, filename, file)
    fields = matching.fields_of_columns(form, table, chosen or {})
    labels = {name: matching.label(table, place) for place, name in fields.items()}
    renamed = [f"“{label}” → {name}" for name, label in labels.items() if label != name]
    notes = [*table.notes, *([Sentence("Columns read: %(columns)s.", columns=", ".join(renamed))] if renamed else [])]
    rows = CompactList(FileRow(row.number, _cells(row, fields, table)) for row in table.rows)
    return FileRows(table.unit, rows, labels, notes, _beyond(table))


def check_rows(form: type[ImportRow], file: FileRows, read: Callable[[int, Any], T]) -> CompactList[T]:
    """Return what `read` makes of the number and the checked form of each row.

    Raises InvalidRows if a row can't be imported.
    """
    found, bad = CompactList[T](), CompactList[RowProblem]()
    for one in _checked(form, file, read):
        if isinstance(one, WrongRow):
            bad.extend(one.problems)
        elif not bad:
            found.append(one)
    if bad:
        raise InvalidRows(CompactList(_told_once(bad)))
    return found


def check_rows_of_students(
    form: type[ImportRow], file: FileRows, read: Callable[[int, Any], T]
) -> CompactList[T | RefusedRow]:
    """Return what `read` makes of each row, as `check_rows` does, and in its place a row that can't be imported."""
    return CompactList(_refused(file, one) if isinstance(one, WrongRow) else one for one in _checked(form, file, read))


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that can't be imported, with everything that is wrong with it."""

    row: FileRow
    problems: Sequence[RowProblem]


def _checked(form: type[ImportRow], file: FileRows, read: Callable[[int, Any], T]) -> Iterator[T | WrongRow]:
    """Yield what `read` makes of each row, or what is wrong with it; one form checks the rows one after the other."""
    taken = form()
    shifted = {one.number: one for one in file.faults}  # their cells may be in the wrong columns
    for row in file.rows:
        if row.number in shifted:
            yield WrongRow(row, [shifted[row.number]])
            continue
        faults = taken.refill(row.cells)
        problems = _problems(taken, faults, row, file.labels)
        yield WrongRow(row, problems) if problems else read(row.number, taken)


def _refused(file: FileRows, wrong: WrongRow) -> RefusedRow:
    """Return the row with all its problems in one: the column is that of the first, and the others name theirs."""
    first, *others = wrong.problems
    more = [
        Sentence(
            "%(place)s: %(sentence)s",
            place=f"{file.labels.get(one.field, one.field)}{file.quote(one)}",
            sentence=one.sentence,
        )
        for one in others
    ]
    is_named = all(one.field != "student" for one in wrong.problems)
    student = str(wrong.row.cells.get("student", "")) if is_named else ""
    problem = replace(first, sentence=join_sentences([first.sentence, *more]))
    quoted = file.quoted_sentence(first)
    return RefusedRow(problem, join_sentences([quoted, *more]), student)


def _problems(
    taken: ImportRow, faults: Sequence[tuple[str, Sentence]], row: FileRow, labels: Mapping[str, str]
) -> list[RowProblem]:
    """Return everything that is wrong with a row, which has these `faults` by itself."""
    lacks = columns.missing(type(taken), (name for name, value in row.cells.items() if value not in (None, "")))
    damage = {name: sentence for name, value in row.cells.items() if (sentence := cells.damage(value))}
    bad = []
    if lacks:
        names = [labels.get(name, name) for name in lacks]
        sentence = plural("%(names)s is missing.", "%(names)s are missing.", len(lacks), names=names)
        bad.append(RowProblem(row.number, sentence))
    bad += [RowProblem(row.number, sentence, name) for name, sentence in damage.items()]
    bad += [
        RowProblem(row.number, _line_break(taken[name], row.cells.get(name)) or sentence, name)
        for name, sentence in faults
        if name not in {*lacks, *damage}
    ]
    return bad


def _told_once(bad: Sequence[RowProblem]) -> Iterator[RowProblem]:
    """Yield a problem with a secret field only once for many rows: without values, the sentences are all alike."""
    alike = Counter((one.field, one.sentence) for one in bad if one.field in SECRET_FIELDS)
    for one in bad:
        if one.field not in SECRET_FIELDS:
            yield one
        elif number := alike.pop((one.field, one.sentence), 0):
            yield _with_number(one, number - 1)


def _with_number(bad: RowProblem, others: int) -> RowProblem:
    if not others:
        return bad
    more = plural("The same problem is in %(number)s more row.", "The same problem is in %(number)s more rows.", others)
    return RowProblem(bad.number, join_sentences([bad.sentence, more]), bad.field)


def _beyond(table: Table) -> Sequence[RowProblem]:
    """Return the rows that have text after the last column."""
    width = len(table.header.cells)
    return CompactList(
        RowProblem(
            row.number,
            Sentence("There is text after the last column: “%(text)s”. Does a cell need quotation marks?", text=text),
        )
        for row in table.rows
        if (text := " ".join(str(cell) for cell in row.cells[width:] if cell))
    )


def _line_break(field: Field, value: Any) -> Sentence | None:
    """Return a sentence if a cell has several lines but may have only one, which a spreadsheet doesn't show."""
    is_broken = one_line in field.validators and isinstance(value, str) and len(value.splitlines()) > 1
    return Sentence("There is a line break in this cell.") if is_broken else None


def _cells(row: TableRow, fields: Mapping[int, str], table: Table) -> dict[str, Any]:
    """Return the cells by field name; where a row below a header ends early, its cells are empty."""
    if table.has_header:
        return {name: row.cells[place] if place < len(row.cells) else "" for place, name in fields.items()}
    return {name: row.cells[place] for place, name in fields.items() if row.cells[place] is not None}


def _quoted(value: Any, sentence: str) -> str:
    """Return the value in quotation marks, unless the sentence already has it or it isn't a text or a number."""
    text = " ".join(str(value).split()) if isinstance(value, str | int | float) else ""
    if not text or re.search(rf"(?<!\w){re.escape(text)}(?!\w)", sentence):
        return ""
    return f" {shortened(text)}"
