"""Reads an Excel workbook or another file from a spreadsheet as a table.

Its kind is found by its content; where it can't be read, UnreadableFile says in a sentence what to do.
"""

from collections.abc import Callable
from io import SEEK_END
from pathlib import PurePath
from typing import IO

from quart_enroll.forms.imports.csv_reader import read_csv
from quart_enroll.forms.imports.file_text import decode
from quart_enroll.forms.imports.json_reader import read_json
from quart_enroll.forms.imports.sheet_reader import SheetDamaged, SheetTooLarge, read_sheet
from quart_enroll.forms.imports.table import Table, TableRow, UnreadableFile, clean, collect, save_as_csv
from quart_enroll.i18n.language import Sentence

OTHER_FORMATS = {".xlsb", ".xls", ".ods", ".numbers", ".pdf"}

WORKBOOK_SIGNATURE = b"PK\x03\x04"
"""How a ZIP archive begins, such as an .xlsx file."""

SIGNATURES = {
    b"\xd0\xcf\x11\xe0": Sentence("This is an old Excel spreadsheet, or one with a password, not a CSV file."),
    b"%PDF": Sentence("This is a PDF document, not a CSV file."),
    b"{\\rtf": Sentence("This is a formatted text document, not a CSV file."),
    b"\x1f\x8b": Sentence("This is a compressed file, not a CSV file."),
}
"""How files that aren't text begin."""

MAX_FILE_BYTES = 32 * 2**20
"""Longest file that is read: 50,000 users with their password hashes take a third of it."""

TOO_LARGE = Sentence(
    "The file is larger than %(number)s MB. Split it into several files.", number=MAX_FILE_BYTES // 2**20
)

MAX_JSON_BYTES = 16 * 2**20
"""Longest JSON file that is read: a single object may be as long, and takes many times as much in memory."""


def read_table(filename: str, file: IO[bytes], is_column: Callable[[str], bool]) -> Table:
    """Read an Excel workbook, a JSON array of objects, or CSV; `is_column` tells whether a text is a column name.

    The file has to be seekable. Raises UnreadableFile.
    """
    size = file.seek(0, SEEK_END)
    if size > MAX_FILE_BYTES:
        raise UnreadableFile(TOO_LARGE)
    file.seek(0)
    beginning = file.read(max(map(len, SIGNATURES)))
    _refuse_other_formats(PurePath(filename).suffix.lower(), beginning)
    if beginning.startswith(WORKBOOK_SIGNATURE):
        return _read_workbook(file)
    text = decode(file)
    begins = text.first_character()
    if not begins:
        raise UnreadableFile(Sentence("The file is empty."))
    if begins == "<":
        raise save_as_csv(Sentence("This is a web page, not a table."))
    is_json = filename.lower().endswith(".json") or begins in "[{"
    if is_json and size > MAX_JSON_BYTES:
        raise UnreadableFile(
            Sentence(
                "JSON files can have at most %(number)s MB. Split it into several files, or save it as CSV.",
                number=MAX_JSON_BYTES // 2**20,
            )
        )
    table = read_json(text) if is_json else read_csv(text, is_column)
    if not table.rows:
        no_rows = Sentence("The file has no rows below the column names.")
        raise UnreadableFile(Sentence("The file has no rows.") if is_json else no_rows)
    return table


def _refuse_other_formats(suffix: str, beginning: bytes) -> None:
    for signature, what in SIGNATURES.items():
        if beginning.startswith(signature):
            raise save_as_csv(what)
    if suffix in OTHER_FORMATS:
        raise save_as_csv(Sentence("%(suffix)s files can’t be read.", suffix=suffix))


def _read_workbook(file: IO[bytes]) -> Table:
    try:
        sheet = read_sheet(file)
    except SheetTooLarge:
        sentence = Sentence("The workbook is too large when unpacked. Split it into several files.")
        raise UnreadableFile(sentence) from None
    except SheetDamaged:
        raise save_as_csv(Sentence("This is not an .xlsx file, or it is damaged.")) from None
    header, rows = collect(TableRow(number, [clean(cell) for cell in cells]) for number, cells in sheet.rows)
    if header is None or not rows:
        raise UnreadableFile(Sentence("The sheet “%(name)s” has no rows below the column names.", name=sheet.name))
    only = Sentence(
        "Only the sheet “%(name)s” was read, and not the others: %(others)s.",
        name=sheet.name,
        others=", ".join(sheet.others),
    )
    return Table("row", header, rows, [only] if sheet.others else [])
