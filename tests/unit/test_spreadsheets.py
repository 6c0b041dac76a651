"""Lists as CSV and XLSX files."""

import csv
import io
import zipfile
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from xml.etree import ElementTree

import pytest

from quart_enroll.services.staff import spreadsheets
from quart_enroll.services.staff.spreadsheets import Cell, csv_pieces, xlsx_pieces

HEADER = ["Name", "Seats"]

FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\tx", "\rx"),
    *("＝1+1", "＋1", "－1", "＠SUM(A1)", 'x;=cmd|" /c calc"!A1', 'x; "=1+1"', "x\n=1+1", "x\t@y"),
]
TEXTS = ["Ada", "O’Neill", "a=b", "x, -y", "MWF 09:00-09:50", "", "José", "'=1"]


async def batches(*rows: Sequence[Cell]) -> AsyncGenerator[Sequence[Sequence[Cell]], None]:
    for row in rows:
        yield [row]


async def csv_file(*rows: Sequence[Cell]) -> str:
    return b"".join([piece async for piece in csv_pieces(HEADER, batches(*rows))]).decode()


async def xlsx_file(*rows: Sequence[Cell]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join([piece async for piece in xlsx_pieces(HEADER, batches(*rows))])))


def cells(file: zipfile.ZipFile, sheet: int = 1) -> list[tuple[str, str]]:
    """Return the type and the text of each cell of the sheet."""
    root = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314  # our own file
    return [(cell.get("t", "n"), "".join(cell.itertext())) for cell in root.iter() if cell.tag.endswith("}c")]


async def test_a_csv_file_begins_with_the_byte_order_mark_and_the_header() -> None:
    assert await csv_file(("Ada", 3)) == "\ufeffName,Seats\r\nAda,3\r\n"
    assert await csv_file() == "\ufeffName,Seats\r\n"


@pytest.mark.parametrize("formula", FORMULAS)
async def test_a_csv_file_has_no_formulas(formula: str) -> None:
    text = await csv_file((formula, 3))
    [_, [cell, _]] = csv.reader(io.StringIO(text, newline=""))
    assert cell.replace("'", "") == formula
    for separator in ",;\t":
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            assert [one for one in line if one.strip(' "').startswith(tuple("=+-@＝＋－＠"))] == []


@pytest.mark.parametrize("text", TEXTS)
async def test_other_texts_stay_as_they_are_in_a_csv_file(text: str) -> None:
    [_, [cell, _]] = csv.reader(io.StringIO(await csv_file((text, -3)), newline=""))
    assert cell == text


async def test_numbers_and_times_are_not_texts() -> None:
    at = datetime(2026, 9, 1, 5, 0, 12)  # noqa: DTZ001  # spreadsheets know no timezones
    assert (await csv_file((at, -3))).endswith("\r\n2026-09-01 05:00:12,-3\r\n")
    [*_, time, number] = cells(await xlsx_file((at, -3)))
    assert (time[0], float(time[1]), number) == ("n", pytest.approx(46266.2085, abs=1e-4), ("n", "-3"))


@pytest.mark.parametrize("text", [*FORMULAS, "https://school.example", "12"])
async def test_texts_stay_texts_in_an_xlsx_file(text: str) -> None:
    file = await xlsx_file((text, None))
    kind, found = cells(file)[2]
    assert (kind, found.replace("_x000D_", "\r")) == ("inlineStr", text)
    assert b"<f>" not in file.read("xl/worksheets/sheet1.xml")
    assert b'quotePrefix="1"' in file.read("xl/styles.xml")


async def test_a_list_that_is_too_long_for_a_sheet_continues_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_SHEET_ROWS", 2)
    file = await xlsx_file(("Ada", 1), ("Bob", 2))
    assert [text for _, text in cells(file, 1)] == ["Name", "Seats", "Ada", "1"]
    assert [text for _, text in cells(file, 2)] == ["Name", "Seats", "Bob", "2"]
