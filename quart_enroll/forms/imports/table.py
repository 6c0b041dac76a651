"""Tables as they are read from files: their lines and cells."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from quart_enroll.forms.imports.sheet_program import MAX_CELLS, MAX_ROWS
from quart_enroll.i18n.language import Sentence, join_sentences
from quart_enroll.system.compact_list import CompactList

SAVE_AS_CSV = Sentence("Open it in the spreadsheet program, save it as “CSV UTF-8”, and import that file.")

TOO_MANY = Sentence(
    "The file has more than %(number)s rows, or very many cells. Split it into several files.", number=MAX_ROWS
)

_INVISIBLE = range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2065), (0xAD, 0xFEFF)
_UNSEEN = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "".join(map(chr, chain(*_INVISIBLE)))
"""Blanks, and characters of no width."""

_TEXT_FORMULA = re.compile(r'="([^"]*)"')
"""How a number like 001 keeps its zeros in a spreadsheet."""


class UnreadableFile(Exception):
    """The file can't be read; `sentences` say why and what to do."""

    def __init__(self, *sentences: Sentence) -> None:
        super().__init__("\n".join(map(str, sentences)))
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row that isn't empty: `number` is its first line in a CSV file, or its place in a JSON list."""

    number: int
    cells: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's cells: row numbers count in `unit` ("line" or "row").

    In JSON there is no row of column names, and None is a field that a row doesn't have.

    `notes` are sentences about assumptions that were made.
    """

    unit: str
    header: TableRow
    rows: Sequence[TableRow]
    notes: Sequence[Sentence] = field(default_factory=list)

    @property
    def has_header(self) -> bool:
        """Whether the column names are in a row of their own."""
        return self.header.number > 0


def collect(rows: Iterable[TableRow]) -> tuple[TableRow | None, CompactList[TableRow]]:
    """Return the first row that isn't empty, if any, and the others; raise UnreadableFile if they are too many."""
    found = not_empty(rows)
    return next(found, None), CompactList(found)


def not_empty(rows: Iterable[TableRow]) -> Iterator[TableRow]:
    """Yield the rows that aren't empty; raise UnreadableFile if there are too many of them, or of their cells."""
    number = cells = 0
    for row in rows:
        if any(cell not in (None, "") for cell in row.cells):
            number += 1
            cells += len(row.cells)
            if number > MAX_ROWS + 1 or cells > MAX_CELLS:  # one has the names of the columns
                raise UnreadableFile(TOO_MANY)
            yield row


def clean(value: Any) -> Any:
    """Strip blanks and invisible characters from both ends of a text."""
    if not isinstance(value, str):
        return value
    text = value.strip(_UNSEEN)
    formula = _TEXT_FORMULA.fullmatch(text)
    return formula[1] if formula else text


def save_as_csv(what: Sentence) -> UnreadableFile:
    """Return the error that says what the file is, and how to get one that can be read."""
    return UnreadableFile(join_sentences([what, SAVE_AS_CSV]))
