"""Any CSV that a spreadsheet saves is read as the same table; other bytes are read or refused with a sentence."""

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.forms.imports.validation import check_rows, read_rows
from quart_enroll.services.catalog.import_checks import InvalidRows

COLUMNS = ("courseID", "title", "credits", "term", "description", "subject")
HEADERS = {
    "courseID": ["courseID", "Course ID", "course_id", "COURSE-ID", "Course Code"],
    "title": ["title", "Title", " Course Title "],
    "credits": ["credits", "Credit Hours"],
    "term": ["term", "Semester", "TERM"],
    "description": ["description", "Description\u200b"],
    "subject": ["subject", "Subject"],
}
ENCODINGS = {
    "utf-8": ("utf-8", b""),
    "utf-8 with a mark": ("utf-8", b"\xef\xbb\xbf"),
    "utf-16-le": ("utf-16-le", b"\xff\xfe"),
    "utf-16-be": ("utf-16-be", b"\xfe\xff"),
    "utf-16-le without a mark": ("utf-16-le", b""),
    "utf-16-be without a mark": ("utf-16-be", b""),
    "windows-1252": ("windows-1252", b""),
}
# Anything a cell may hold, preferably characters with a meaning in CSV.
CELLS = st.text(
    st.one_of(st.sampled_from(" \",;\t|\n\r='éßŽ€字"), st.characters(exclude_categories=["Cs", "Cc"])), max_size=8
)
AT_THE_EDGES = " \t\n\r\f\v\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\ufeff"


@dataclass(frozen=True)
class Saved:
    """A table, the bytes that a spreadsheet saved, and the lines on which the rows begin."""

    cells: list[dict[str, str]]
    data: bytes
    encoding: str


@st.composite
def saved_tables(draw: st.DrawFn) -> Saved:
    columns = draw(st.permutations(COLUMNS))
    rows = draw(st.lists(st.lists(CELLS, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=5))
    encoding, mark = ENCODINGS[draw(st.sampled_from(sorted(ENCODINGS)))]
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    separator = draw(st.sampled_from(",;\t|"))
    empties = [""] * draw(st.integers(0, 3))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=separator,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        lineterminator=line_end,
    )
    if draw(st.booleans()):
        text.write(f"sep={separator}{line_end}")
    for cells in ([draw(st.sampled_from(HEADERS[name])) for name in columns], *rows):
        writer.writerow([*cells, *empties])
        if draw(st.booleans()):
            writer.writerow([""] * (len(cells) + len(empties)))
    try:
        data = mark + text.getvalue().encode(encoding)
    except UnicodeEncodeError:
        data = b""
    assume(data)
    if encoding == "windows-1252":  # bytes that are also UTF-8 can't be told apart
        assume(_is_ascii_or_no_utf_8(data))
    return Saved([dict(zip(columns, row, strict=True)) for row in rows], data, encoding)


def _is_ascii_or_no_utf_8(data: bytes) -> bool:
    try:
        return data.decode().isascii()
    except UnicodeDecodeError:
        return True


def seen(cell: str) -> str:
    """Return what someone looking at the spreadsheet sees in a cell."""
    text, before = cell, ""
    while text != before:
        text, before = text.strip().strip(AT_THE_EDGES), text
    formula = re.fullmatch('="([^"]*)"', text)
    return formula[1] if formula else text


@given(saved_tables())
@settings(max_examples=300, deadline=None)
def test_what_a_spreadsheet_saves_is_read_as_its_table(saved: Saved) -> None:
    wanted = [
        seen_row for row in saved.cells if any((seen_row := {name: seen(cell) for name, cell in row.items()}).values())
    ]
    file = None
    with suppress(UnreadableFile):
        file = read_rows(CourseRow, "courses.csv", io.BytesIO(saved.data))
    if file is None:
        assert not wanted or saved.encoding == "windows-1252", "only its letters may be ambiguous"
    else:
        assert [dict(row.cells) for row in file.rows] == wanted
        assert not file.faults


@given(st.sampled_from(sorted(ROW_FORMS)), st.binary(max_size=80), st.sampled_from(["rows.csv", "rows.json", "rows"]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused_with_a_sentence(collection: str, data: bytes, name: str) -> None:
    form = ROW_FORMS[collection]
    for whole in (
        data,
        b"courseID,title,credits,term,email,first_name,last_name,section,capacity\n" + data,
        b"[" + data,
    ):
        with suppress(UnreadableFile, InvalidRows):
            check_rows(form, read_rows(form, name, io.BytesIO(whole)), lambda number, _: number)


@pytest.mark.parametrize("separator", list(",;\t|"))
def test_the_line_of_a_row_is_that_of_the_file(separator: str) -> None:
    text = 'courseID;title;credits;term;description\n\n1;A;3;Fall;"one\ntwo\r\nthree"\n\n2;B;3;Fall;\n'
    file = read_rows(CourseRow, "courses.csv", io.BytesIO(text.replace(";", separator).encode()))
    assert [row.number for row in file.rows] == [3, 7]
