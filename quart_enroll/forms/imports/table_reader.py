"""Reads the bytes of an Excel workbook or another file from a spreadsheet as a table: its lines and cells.

Only what is certain is detected; otherwise UnreadableFile says in a sentence what to do. Nothing is guessed from letter
frequencies: a wrong guess would store wrong names, and nobody would notice.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePath
from typing import Any

from quart_enroll.domain.readable_text import storable
from quart_enroll.forms.imports.sheet_program import MAX_CELLS, MAX_ROWS
from quart_enroll.forms.imports.sheet_reader import SheetDamaged, SheetTooLarge, read_sheet
from quart_enroll.i18n.language import Sentence, join_sentences
from quart_enroll.system.compact_list import CompactList

SAVE_AS_CSV = Sentence("Open it in the spreadsheet program, save it as “CSV UTF-8”, and import that file.")

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

TOO_MANY = Sentence(
    "The file has more than %(number)s rows, or very many cells. Split it into several files.", number=MAX_ROWS
)

NO_LIST = Sentence("JSON must be a list of objects, like [{…}, {…}].")

BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}

SEPARATORS = ",;\t|"

MAX_JSON_BYTES = 16 * 2**20
"""Longest JSON file that is read: a single object may be as long, and takes many times as much in memory."""

MAX_JSON_PARTS = 5 * MAX_ROWS
"""Objects and lists in a JSON file, which takes many times its own length in memory: a row may contain some."""

_EXCEL_SEPARATOR = re.compile(r'"?sep=([^\w\s"]|\t)"?(?:\r\n?|\n|$)', re.IGNORECASE)
"""The first line that tells Excel the separator of a file."""

MAX_JSON_COLUMNS = 1000
"""Different names in the objects of a JSON file: each object gets a cell for each of them."""

_INVISIBLE = range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2065), (0xAD, 0xFEFF)
_UNSEEN = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "".join(map(chr, chain(*_INVISIBLE)))
"""Blanks, and characters of no width."""

_TEXT_FORMULA = re.compile(r'="([^"]*)"')
"""How a number like 001 keeps its zeros in a spreadsheet."""

_NOT_ASCII = re.compile(r"[\w’'-]*[^\x00-\x7f][\w’'-]*")
_UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_NOT_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_LINE_END = re.compile(r"\r\n?|\n")
_JSON_BLANKS = re.compile(r"[ \t\n\r]*")


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
    notes: list[Sentence] = field(default_factory=list)

    @property
    def has_header(self) -> bool:
        """Whether the column names are in a row of their own."""
        return self.header.number > 0


def read_table(filename: str, data: bytes, is_column: Callable[[str], bool]) -> Table:
    """Read an Excel workbook, a JSON array of objects, or CSV; `is_column` tells whether a text is a column name.

    Raises UnreadableFile.
    """
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableFile(TOO_LARGE)
    _refuse_other_formats(PurePath(filename).suffix.lower(), data)
    if data.startswith(WORKBOOK_SIGNATURE):
        return _read_workbook(data)
    text, notes = _decode(data)
    begins = text.lstrip()[:1]
    if not begins:
        raise UnreadableFile(Sentence("The file is empty."))
    if begins == "<":
        raise _save_as_csv(Sentence("This is a web page, not a table."))
    is_json = filename.lower().endswith(".json") or begins in "[{"
    if is_json and len(data) > MAX_JSON_BYTES:
        raise UnreadableFile(
            Sentence(
                "JSON files can have at most %(number)s MB. Split it into several files, or save it as CSV.",
                number=MAX_JSON_BYTES // 2**20,
            )
        )
    table = _read_json(text, notes) if is_json else _read_csv(text, is_column, notes)
    if not table.rows:
        no_rows = Sentence("The file has no rows below the column names.")
        raise UnreadableFile(Sentence("The file has no rows.") if is_json else no_rows)
    return table


def _refuse_other_formats(suffix: str, data: bytes) -> None:
    for signature, what in SIGNATURES.items():
        if data.startswith(signature):
            raise _save_as_csv(what)
    if suffix in OTHER_FORMATS:
        raise _save_as_csv(Sentence("%(suffix)s files can’t be read.", suffix=suffix))


def _read_workbook(data: bytes) -> Table:
    try:
        sheet = read_sheet(data)
    except SheetTooLarge:
        sentence = Sentence("The workbook unpacks to more than can be read. Split it into several files.")
        raise UnreadableFile(sentence) from None
    except SheetDamaged:
        raise _save_as_csv(Sentence("This is not an .xlsx file, or it is damaged.")) from None
    header, rows = _collect(TableRow(number, [_clean(cell) for cell in cells]) for number, cells in sheet.rows)
    if header is None or not rows:
        raise UnreadableFile(Sentence("The sheet “%(name)s” has no rows below the column names.", name=sheet.name))
    only = Sentence(
        "Only the sheet “%(name)s” was read, and not the others: %(others)s.",
        name=sheet.name,
        others=", ".join(sheet.others),
    )
    return Table("row", header, rows, [only] if sheet.others else [])


def _collect(rows: Iterable[TableRow]) -> tuple[TableRow | None, CompactList[TableRow]]:
    """Return the first row that isn't empty, if any, and the others; raise UnreadableFile if they are too many."""
    found = _not_empty(rows)
    return next(found, None), CompactList(found)


def _not_empty(rows: Iterable[TableRow]) -> Iterator[TableRow]:
    """Yield the rows that aren't empty; raise UnreadableFile if there are too many of them, or of their cells."""
    number = cells = 0
    for row in rows:
        if any(cell not in (None, "") for cell in row.cells):
            number += 1
            cells += len(row.cells)
            if number > MAX_ROWS + 1 or cells > MAX_CELLS:  # one has the names of the columns
                raise UnreadableFile(TOO_MANY)
            yield row


def _decode(data: bytes) -> tuple[str, list[Sentence]]:
    """Return the text, with a note where its encoding had to be assumed."""
    mark = next((mark for mark in BYTE_ORDER_MARKS if data.startswith(mark)), b"")
    encoding, notes = BYTE_ORDER_MARKS.get(mark, "utf-8"), list[Sentence]()
    body = data.removeprefix(mark)
    if not mark and 0 in body[:2]:  # in UTF-16, one of the first two bytes of a column name is zero
        encoding = "utf-16-be" if body[0] == 0 else "utf-16-le"
        notes = [Sentence("The file was read as %(encoding)s.", encoding=encoding[:-3].upper())]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        if mark or encoding != "utf-8":
            raise UnreadableFile(_broken(body[: error.start].decode(encoding, "replace"))) from None
        text, notes = _decode_windows(body, error.start)
    if "\0" in text:
        raise _save_as_csv(Sentence("This is not a text file."))
    return text, notes


def _decode_windows(data: bytes, first: int) -> tuple[str, list[Sentence]]:
    """Read text as Windows-1252; its first byte that isn't UTF-8 is at `first`."""
    if stray := _NOT_WINDOWS.search(data):
        raise UnreadableFile(_broken(data[: stray.start()].decode("latin-1")))
    if _UTF_8.search(data):  # parts of the file come from different programs, so no encoding fits all of it
        raise UnreadableFile(_broken(data[:first].decode("latin-1")))
    text = data.decode("windows-1252")
    found = _NOT_ASCII.search(text)
    example = found[0][:40] if found else ""
    return text, [
        Sentence(
            "The file was read as Windows-1252. Check “%(example)s” on line %(line)s: "
            "if that is wrong, save the file as “CSV UTF-8” and import it again.",
            example=example,
            line=_line(data[:first].decode("latin-1")),
        )
    ]


def _broken(before: str) -> Sentence:
    return Sentence(
        "Line %(line)s has characters whose encoding can’t be determined. Save the file as “CSV UTF-8” and import that "
        "file.",
        line=_line(before),
    )


def _save_as_csv(what: Sentence) -> UnreadableFile:
    """Return the error that says what the file is, and how to get one that can be read."""
    return UnreadableFile(join_sentences([what, SAVE_AS_CSV]))


def _line(before: str) -> str:
    """Return the number of the line that follows, without separators of thousands."""
    return str(1 + len(_LINE_END.findall(before)))


def _read_json(text: str, notes: list[Sentence]) -> Table:
    if text.count("{") + text.count("[") > MAX_JSON_PARTS:
        raise UnreadableFile(TOO_MANY)
    try:
        items = CompactList(json_items(text))
    except json.JSONDecodeError as error:
        is_list_missing = error.msg == "Extra data"
        hint = Sentence("Put all objects into one list, like [{…}, {…}]") if is_list_missing else error.msg
        sentence = Sentence("Line %(line)s is not valid JSON: %(hint)s.", line=str(error.lineno), hint=hint)
        raise UnreadableFile(sentence) from None
    except (ValueError, RecursionError):
        sentence = Sentence("The JSON has a number with too many digits, or lists nested too deeply.")
        raise UnreadableFile(sentence) from None
    if not all(isinstance(item, dict) for item in items):
        raise UnreadableFile(NO_LIST)
    labels = list(dict.fromkeys(label for item in items for label in item))
    if len(labels) > MAX_JSON_COLUMNS:
        raise UnreadableFile(
            Sentence(
                "The objects have %(number)s different names, and %(most)s at most are read.",
                number=str(len(labels)),
                most=str(MAX_JSON_COLUMNS),
            )
        )
    rows = (TableRow(number, [_clean(item.get(label)) for label in labels]) for number, item in enumerate(items, 1))
    return Table("row", TableRow(0, labels), CompactList(_not_empty(rows)), notes)


def json_items(text: str) -> Iterator[Any]:
    """Yield the items of a JSON list one by one, because all of them at once would fill the memory.

    Raises what json.loads raises, and UnreadableFile if the text is not a list.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    place = _skip_blanks(text, 0)
    if text[place : place + 1] != "[":
        json.loads(text)
        raise UnreadableFile(NO_LIST)
    place = _skip_blanks(text, place + 1)
    is_end = text[place : place + 1] == "]"
    while not is_end:
        item, end = decoder.raw_decode(text, place)
        yield item
        place = _skip_blanks(text, end)
        is_end = text[place : place + 1] == "]"
        if not is_end:
            if text[place : place + 1] != ",":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
            place = _skip_blanks(text, place + 1)
    if (end := _skip_blanks(text, place + 1)) < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _skip_blanks(text: str, place: int) -> int:
    """Return the next place with a character that JSON doesn't ignore."""
    blanks = _JSON_BLANKS.match(text, place)
    return blanks.end() if blanks else place


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    pairs = [(storable(name), storable(value)) for name, value in pairs]
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise UnreadableFile(Sentence("A JSON object has “%(name)s” twice.", name=twice))
    return found


def _read_csv(text: str, is_column: Callable[[str], bool], notes: list[Sentence]) -> Table:
    declared = _EXCEL_SEPARATOR.match(text)
    skipped = 1 if declared else 0
    text = text[declared.end() :] if declared else text
    separator = declared[1] if declared else _separator(text, is_column)
    header, rows = _collect(_records(text, separator, skipped))
    if header is None:
        raise UnreadableFile(Sentence("The file is empty."))
    return Table("line", header, rows, notes)


def _separator(text: str, is_column: Callable[[str], bool]) -> str:
    """Return the separator that finds the most column names in the first line with text."""

    def names(separator: str) -> int:
        try:
            header = next((row.cells for row in _records(text, separator) if any(row.cells)), ())
        except UnreadableFile:
            return 0
        return sum(map(is_column, header))

    return max(SEPARATORS, key=names)


def _records(text: str, separator: str, skipped: int = 0) -> Iterator[TableRow]:
    """Yield the rows with the lines on which they begin; a quoted cell may span several lines."""
    reader = csv.reader(_lines(text), delimiter=separator, skipinitialspace=True, strict=True)
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
        yield TableRow(line, [_clean(cell) for cell in cells])


def _lines(text: str) -> Iterator[str]:
    """Yield the lines with their ends; a StringIO would copy the text, with four bytes for each character."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def _clean(value: Any) -> Any:
    """Strip blanks and invisible characters from both ends of a text."""
    if not isinstance(value, str):
        return value
    text = value.strip(_UNSEEN)
    formula = _TEXT_FORMULA.fullmatch(text)
    return formula[1] if formula else text
