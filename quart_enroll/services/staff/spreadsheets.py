"""Lists as files for spreadsheet programs, CSV and XLSX, made piece by piece so that their length doesn't matter."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, TypeAlias

from xlsxwriter import Workbook

Cell: TypeAlias = str | int | float | datetime | None
"""The value of a cell; a datetime has no timezone, like every time in a spreadsheet."""

Batches: TypeAlias = AsyncGenerator[Sequence[Sequence[Cell]], None]
"""The rows of a list; a few hundred at a time are in memory."""

BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel takes UTF-8 for another encoding."""

BEFORE_FORMULA = re.compile(r"^(?=[\t\r])|(?:^|[;\t\r\n])[\s\"]*(?=[=+\-@＝＋－＠])")
"""What may come before a formula; some programs take full-width signs for signs too.

Where decimals have commas, Excel divides the line of a CSV file at semicolons, even those inside of quotation marks.
"""

MAX_SHEET_ROWS = 1_048_576
"""Rows of a sheet in Excel; a longer list continues on another one."""

PIECE_BYTES = 64 * 1024
"""Bytes of a finished file in memory at the same time."""


async def csv_pieces(header: Sequence[str], batches: Batches) -> AsyncGenerator[bytes, None]:
    """Yield a CSV file in UTF-8, one piece for each batch. An apostrophe keeps texts from becoming formulas."""
    text = BYTE_ORDER_MARK + _csv_lines([header])
    async with aclosing(batches):
        async for rows in batches:
            yield (text + _csv_lines(rows)).encode()
            text = ""
    yield text.encode()


def _csv_lines(rows: Sequence[Sequence[Cell]]) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows([_csv_cell(cell) for cell in row] for row in rows)
    return lines.getvalue()


def _csv_cell(cell: Cell) -> Cell:
    match cell:
        case str():
            return BEFORE_FORMULA.sub(r"\g<0>'", cell)
        case datetime():
            return cell.isoformat(" ", "seconds")
        case _:
            return cell


async def xlsx_pieces(header: Sequence[str], batches: Batches) -> AsyncGenerator[bytes, None]:
    """Yield an XLSX file. It is written to disk first, in a thread; an empty piece comes before that.

    Its texts stay texts, even if they look like formulas and someone edits them.
    """
    yield b""
    with TemporaryFile() as file, TemporaryDirectory() as folder:
        sheets = _Sheets(file, folder, header)
        async with aclosing(batches):
            async for rows in batches:
                await asyncio.to_thread(sheets.write, rows)
        await asyncio.to_thread(sheets.close)
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


class _Sheets:
    """The sheets of an XLSX file with a list, each with the header on top."""

    def __init__(self, file: IO[bytes], folder: str, header: Sequence[str]) -> None:
        self._book = Workbook(file, {"constant_memory": True, "tmpdir": folder})
        self._header = header
        self._text = self._book.add_format({"quote_prefix": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._bold = self._book.add_format({"bold": True, "quote_prefix": True})
        self._add_sheet()

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows."""
        for row in rows:
            if self._next_row == MAX_SHEET_ROWS:
                self._add_sheet()
            for column, cell in enumerate(row):
                self._write_cell(column, cell)
            self._next_row += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()

    def _add_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(self._header) - 1, width=20)
        for column, label in enumerate(self._header):
            self._sheet.write_string(0, column, label, self._bold)
        self._next_row = 1

    def _write_cell(self, column: int, cell: Cell) -> None:
        match cell:
            case str() if cell:
                self._sheet.write_string(self._next_row, column, cell, self._text)
            case datetime():
                self._sheet.write_datetime(self._next_row, column, cell, self._time)
            case int() | float():
                self._sheet.write_number(self._next_row, column, cell)


FORMATS: dict[str, tuple[str, Callable[[Sequence[str], Batches], AsyncGenerator[bytes, None]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_pieces),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx_pieces),
}
"""The content type of each format, and what makes the file."""
