"""The program that reads a workbook, in a process of its own: `sheet_reader` runs this file.

The workbook is the standard input, a file. It is a ZIP archive of XML, in which a few kilobytes can unpack to
gigabytes, or name a billion cells. Whatever it contains, this process ends within its limits, and the site goes on. It
prints a line of JSON with the names of the sheets, and one for each row of the first that is visible: its number and
its cells as texts.
"""

import json
import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import IO, Any
from zipfile import ZipFile

MAX_MEMORY_BYTES = 512 * 2**20
MAX_CPU_SECONDS = 60
MAX_UNPACKED_BYTES = 256 * 2**20
"""Bytes of all files in the archive, as its directory states them."""

MAX_TEXT_BYTES = 64 * 2**20
"""Bytes that are printed: a hundred thousand rows of six hundred characters."""

MAX_ROWS = 100_000
"""Rows of any file that is read, without empty ones: twice the students of a very large school."""

MAX_CELLS = 2_000_000
"""Cells of any file that is read: each takes up memory, even if it is empty."""

EXIT_TOO_LARGE = 3

MAX_EXACT_NUMBER = 10**15
"""Spreadsheets keep fifteen digits of a number and replace the others by zeros."""


def main() -> int:
    """Read the workbook on standard input, and return the exit code."""
    _limit_resources()
    workbook = sys.stdin.buffer
    with ZipFile(workbook) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
            return EXIT_TOO_LARGE
    try:
        sys.stdout.buffer.writelines(texts_of(_lines(workbook)))
    except TooLarge:
        return EXIT_TOO_LARGE
    return 0


class TooLarge(Exception):
    """The sheet has more rows, cells or text than is read."""


def texts_of(lines: Iterable[list[Any]]) -> Iterator[bytes]:
    """Yield what is printed for these lines; raise TooLarge."""
    printed = cells = 0
    for number, line in enumerate(lines):
        text = json.dumps(line).encode() + b"\n"
        printed += len(text)
        cells += len(line[1]) if number else 0
        if printed > MAX_TEXT_BYTES or cells > MAX_CELLS or number > MAX_ROWS + 1:  # with the names of the columns
            raise TooLarge
        yield text


def _limit_resources() -> None:
    for limit, value in ((resource.RLIMIT_AS, MAX_MEMORY_BYTES), (resource.RLIMIT_CPU, MAX_CPU_SECONDS)):
        with suppress(ValueError, OSError):  # macOS has no limit of memory
            resource.setrlimit(limit, (value, value))


def _lines(workbook: IO[bytes]) -> Iterator[list[Any]]:
    from openpyxl import load_workbook  # here, so that the site, which reads the constants, doesn't load it

    # The values that formulas had when the workbook was saved; links to other files are not followed.
    book = load_workbook(workbook, read_only=True, data_only=True, keep_links=False)
    sheet = next((one for one in book.worksheets if one.sheet_state == "visible"), book.worksheets[0])
    yield [sheet.title, *(one.title for one in book.worksheets if one is not sheet)]
    sheet.reset_dimensions()  # programs often state them wrongly, which would hide rows
    for number, row in enumerate(sheet.iter_rows(), 1):
        if any(cell.value is not None for cell in row):
            yield [number, [_text(cell.value, cell) for cell in row]]


def _text(value: Any, cell: Any) -> str:
    """Return what the cell shows, or dates and times as the forms expect them."""
    match value:
        case None:
            return ""
        case datetime() if "h" not in cell.number_format.lower():
            return value.date().isoformat()
        case datetime():
            return _nearest_second(value).isoformat(timespec="minutes" if not value.second else "seconds")
        case date():
            return value.isoformat()
        case time():
            return value.isoformat(timespec="minutes")
        case timedelta():
            minutes = round(value.total_seconds() / 60)
            return f"{minutes // 60:02}:{minutes % 60:02}"
        case bool():
            return str(value).upper()
        case int() | float():
            return _number(value, cell.number_format)
        case _:
            return str(value)


def _nearest_second(moment: datetime) -> datetime:
    """Return the moment that was typed; a spreadsheet stores it as a fraction of a day."""
    return (moment + timedelta(microseconds=500_000)).replace(microsecond=0)


def _number(value: float, number_format: str) -> str:
    if abs(value) >= MAX_EXACT_NUMBER:
        return f"{value:.2E}"  # which tells the forms that it was rounded
    if value != int(value):
        return f"{value:.15g}"
    has_zeros = len(number_format) > 1 and set(number_format) == {"0"}  # 00000 shows 123 as 00123
    return str(int(value)).zfill(len(number_format) if has_zeros else 0)


if __name__ == "__main__":
    sys.exit(main())
