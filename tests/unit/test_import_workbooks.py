"""Excel workbooks: cells become the texts that forms expect, and hostile ones are refused within limits."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from quart_enroll.forms.imports import sheet_program, table_reader
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.sheet_reader import SheetDamaged, SheetTooLarge, read_sheet
from quart_enroll.forms.imports.table import SAVE_AS_CSV, UnreadableFile
from quart_enroll.forms.imports.validation import FileRows, read_rows


def workbook(*rows: Sequence[Any], book: Workbook | None = None) -> bytes:
    book = book or Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def text_of(value: Any, number_format: str = "General") -> str:
    book = Workbook()
    cell = book.worksheets[0].cell(1, 1, value)
    cell.number_format = number_format
    [(_, [text])] = read_sheet(BytesIO(workbook(book=book))).rows
    return text


def users(data: bytes) -> FileRows:
    return read_rows(ROW_FORMS["user"], "users.xlsx", BytesIO(data))


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        ("00123", "General", "00123"),
        (123, "00000", "00123"),
        (30, "General", "30"),
        (30.0, "0.00", "30"),
        (3.5, "General", "3.5"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567890123456, "General", "1.23E+15"),
        (datetime(2026, 9, 1), "dd/mm/yyyy", "2026-09-01"),  # noqa: DTZ001  # cells have no timezone
        (datetime(2026, 9, 1, 9), "dd/mm/yyyy hh:mm", "2026-09-01T09:00"),  # noqa: DTZ001  # the same
        (datetime(2026, 9, 1), "yyyy-mm-dd hh:mm", "2026-09-01T00:00"),  # noqa: DTZ001  # the same
        (46266.375 - 1e-9, "yyyy-mm-dd hh:mm", "2026-09-01T09:00"),
        (time(9), "hh:mm", "09:00"),
        (timedelta(hours=9), "[h]:mm", "09:00"),
        (True, "General", "TRUE"),
        ("#REF!", "General", "#REF!"),
    ],
)
def test_a_cell_becomes_the_text_that_forms_expect(value: Any, number_format: str, text: str) -> None:
    assert text_of(value, number_format) == text


def test_rows_keep_their_numbers_where_others_are_empty() -> None:
    file = users(workbook([], ["E-mail", "First name"], [], ["zoe@school.example", " Zoë "], [""]))
    assert [(row.number, dict(row.cells)) for row in file.rows] == [
        (4, {"email": "zoe@school.example", "first_name": "Zoë"})
    ]
    assert file.unit == "row"


def test_only_the_first_visible_sheet_is_read() -> None:
    book = Workbook()
    book.worksheets[0].sheet_state = "hidden"
    people = book.create_sheet("People")
    people.append(["email", "first_name"])
    people.append(["zoe@school.example", "Zoë"])
    file = users(workbook(book=book))
    assert len(file.rows) == 1
    assert list(map(str, file.notes)) == ["Only the sheet “People” was read, and not the others: Sheet."]


def test_a_sheet_without_rows_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="has no rows below the column names"):
        users(workbook(["email", "first_name"]))


def test_a_file_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_reader, "MAX_FILE_BYTES", 2**20)
    with pytest.raises(UnreadableFile, match="larger than 32 MB"):
        users(b"x" * (2**20 + 1))


def with_sheet(parts: Sequence[bytes], repeated: int) -> bytes:
    """Return a workbook whose sheet has the first part, the second that many times, and the third."""
    file = BytesIO()
    with ZipFile(BytesIO(workbook(["email"]))) as original, ZipFile(file, "w", ZIP_DEFLATED) as changed:
        for name in original.namelist():
            if name != "xl/worksheets/sheet1.xml":
                changed.writestr(name, original.read(name))
        with changed.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(parts[0])
            for _ in range(repeated):
                sheet.write(parts[1])
            sheet.write(parts[2])
    return file.getvalue()


BEGIN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
END = b"</sheetData></worksheet>"


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked() -> None:
    bomb = with_sheet([BEGIN, b"<row></row>" * 100_000, END], sheet_program.MAX_UNPACKED_BYTES // 1_100_000 + 1)
    assert len(bomb) < 2**20
    with pytest.raises(SheetTooLarge):
        read_sheet(BytesIO(bomb))
    with pytest.raises(UnreadableFile, match="is too large when unpacked"):
        users(bomb)


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_CELLS", "MAX_TEXT_BYTES"])
def test_a_workbook_with_very_many_rows_or_cells_is_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [["Sheet"], *([number, ["x", "y"]] for number in range(1, 7))]
    assert len(list(sheet_program.texts_of(lines))) == len(lines)
    monkeypatch.setattr(sheet_program, limit, 4)
    with pytest.raises(sheet_program.TooLarge):
        list(sheet_program.texts_of(lines))


def test_a_cell_at_the_far_end_costs_no_memory() -> None:
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    first, last = read_sheet(BytesIO(with_sheet([BEGIN, cells, END], 1))).rows
    assert first == (1, ["1"])
    assert (last[0], len(last[1])) == (1048576, 16384)


def test_a_workbook_that_claims_to_be_smaller_than_it_is_reads_as_damaged() -> None:
    real = with_sheet([BEGIN, b"<row></row>" * 1000, END], 100)
    with ZipFile(BytesIO(real)) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size.to_bytes(4, "little")
    with pytest.raises(SheetDamaged):
        read_sheet(BytesIO(real.replace(size, (100).to_bytes(4, "little"))))


def test_entities_that_multiply_are_refused() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    begin = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]>'.encode() + BEGIN
    cell = b'<row r="1"><c r="A1" t="inlineStr"><is><t>&e9;</t></is></c></row>'
    with pytest.raises(SheetDamaged):
        read_sheet(BytesIO(with_sheet([begin, cell, END], 1)))


def test_a_file_that_is_not_a_workbook_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnreadableFile) as refused:
        users(b"PK\x03\x04 and so on")
    assert list(map(str, refused.value.sentences)) == [f"This is not an .xlsx file, or it is damaged. {SAVE_AS_CSV}"]
