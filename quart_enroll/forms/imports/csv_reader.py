"""Reads CSV as a table."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator

from quart_enroll.forms.imports.file_text import FileText
from quart_enroll.forms.imports.sheet_program import MAX_CELLS
from quart_enroll.forms.imports.table import TOO_MANY, Table, TableRow, UnreadableFile, clean, collect
from quart_enroll.i18n.language import Sentence

SEPARATORS = ",;\t|"

_EXCEL_SEPARATOR = re.compile(r'"?sep=([^\w\s"]|\t)"?(?:\r\n?|\n|$)', re.IGNORECASE)
"""The first line that tells Excel the separator of a file."""

_EXCEL_SEPARATOR_CHARACTERS = 16
"""Characters from which such a line can be told: it has fewer."""


def read_csv(text: FileText, is_column: Callable[[str], bool]) -> Table:
    """Read the table; `is_column` tells whether a text is a column name. Raises UnreadableFile."""
    with text.open() as lines:
        declared = _EXCEL_SEPARATOR.match(lines.read(_EXCEL_SEPARATOR_CHARACTERS))
    separator = declared[1] if declared else _separator(text, is_column)
    with text.open() as lines:
        if declared:
            lines.readline()
        header, rows = collect(_records(lines, separator, skipped=1 if declared else 0))
    if header is None:
        raise UnreadableFile(Sentence("The file is empty."))
    return Table("line", header, rows, text.notes)


def _separator(text: FileText, is_column: Callable[[str], bool]) -> str:
    """Return the separator that finds the most column names in the first line with text."""

    def names(separator: str) -> int:
        try:
            with text.open() as lines:
                header = next((row.cells for row in _records(lines, separator) if any(row.cells)), ())
        except UnreadableFile:
            return 0
        return sum(map(is_column, header))

    return max(SEPARATORS, key=names)


def _records(lines: Iterable[str], separator: str, skipped: int = 0) -> Iterator[TableRow]:
    """Yield the rows with the lines on which they begin; a quoted cell may span several lines."""
    reader = csv.reader(_narrow(lines, separator), delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                most = str(csv.field_size_limit())
                sentence = Sentence(
                    "Line %(line)s: A cell has more than %(most)s characters.", line=str(line), most=most
                )
                raise UnreadableFile(sentence) from None
            raise UnreadableFile(
                Sentence(
                    "Line %(line)s: A quotation mark opens a cell, but nothing closes it. "
                    'Remove it, or write "" for a quotation mark in the text.',
                    line=str(line),
                )
            ) from None
        yield TableRow(line, [clean(cell) for cell in cells])


def _narrow(lines: Iterable[str], separator: str) -> Iterator[str]:
    """Yield the lines; raise UnreadableFile for one whose cells alone would fill the memory."""
    for line in lines:
        if line.count(separator) > MAX_CELLS:
            raise UnreadableFile(TOO_MANY)
        yield line
