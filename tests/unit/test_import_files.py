"""Each file in tests/support/spreadsheets has an oddity of everyday spreadsheets; it is read, or refused in words."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest

from quart_enroll.domain.stored_import import FileColumn
from quart_enroll.forms.imports import file_text, kinds, matching, student_lists
from quart_enroll.forms.imports.columns import ROW_FORMS
from quart_enroll.forms.imports.json_reader import MAX_JSON_PARTS, json_items
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.imports.sheet_program import MAX_CELLS, MAX_ROWS
from quart_enroll.forms.imports.table import TOO_MANY, UnreadableFile
from quart_enroll.forms.imports.table_reader import MAX_JSON_BYTES
from quart_enroll.forms.imports.users import NO_HASH
from quart_enroll.forms.imports.validation import FileRow, check_rows, read_rows
from quart_enroll.i18n.language import use_language
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_enrollments import ImportedEnrollment

FOLDER = Path(__file__).parents[1] / "support/spreadsheets"

DEFAULTS = kinds.TermDefaults("UTC", 18)

ZOE = {"email": "zoe@school.example", "first_name": "Zoë", "last_name": "Müller"}
NOOR = {"email": "noor@school.example", "first_name": "Noor", "last_name": "Haddad"}
BOTH = {2: ZOE, 3: NOOR}

READ: dict[str, dict[int, dict[str, Any]]] = {
    "users-utf-8.csv": BOTH,
    "users-utf-8-with-mark.csv": BOTH,
    "users-unicode-text-of-excel.txt": BOTH,
    "users-utf-16-big-endian.csv": BOTH,
    "users-utf-16-without-mark.csv": BOTH,
    "users-windows-1252-with-semicolons.csv": BOTH,
    "users-line-that-names-the-separator.csv": {3: ZOE, 4: NOOR},
    "users-lines-of-old-macs.csv": BOTH,
    "users-headers-as-people-write-them.csv": BOTH,
    "users-empty-rows-and-columns.csv": {3: ZOE, 6: NOOR},
    "users-rows-that-end-early.csv": {2: ZOE | {"roles": ""}, 3: NOOR | {"roles": "registrar"}},
    "users-with-mark.json": {1: ZOE, 3: NOOR | {"user_id": 30}},
    "courses-decimal-commas.csv": {
        2: {"courseID": "1111", "credits": "3.5", "description": "Loops, lists", "term": "Fall, Spring"},
        3: {"courseID": "2222", "credits": "4", "description": ""},
    },
    "courses-lines-in-quotes.csv": {
        2: {"courseID": "BIO-1", "description": 'Cells,\nand what "living" means', "credits": "3", "term": "Fall"},
        4: {"courseID": "BIO-2", "description": "Birds", "credits": "3", "term": "Spring"},
    },
    "courses-blanks-after-commas.csv": {2: {"courseID": "BIO-1", "title": "Birds, and bees", "term": "Fall, Spring"}},
    "sections-days.csv": {
        2: {"section": "001", "capacity": 30, "meetings": "MWF 9:00–9:50 AM"},
        3: {"section": "2", "capacity": 30, "meetings": "TR 1:00–2:15 PM"},
        4: {"section": "3", "meetings": "MW 9:00–9:50 AM, S 9:00–11:30 AM"},
        6: {"section": "4", "meetings": "MWF 1:00–1:50 PM, U 10:00–11:00 AM"},
        7: {"section": "5", "meetings": "TR 11:00 AM–12:15 PM"},
    },
    "sections-no-fixed-time.csv": {line: {"meetings": ""} for line in range(2, 9)},
}
"""The fields read from each file, by line or place in the list; other fields may be present too."""

NOTES = {
    "users-utf-16-without-mark.csv": ["The file was read as UTF-16."],
    "users-windows-1252-with-semicolons.csv": [
        "The file was read as Windows-1252. Check “Zoë” on line 2: "
        "if that is wrong, save the file as “CSV UTF-8” and import it again."
    ],
    "users-headers-as-people-write-them.csv": [
        "Columns read: “E-mail” → email, “First Name” → first_name, “LAST-NAME” → last_name."
    ],
    "users-rows-that-end-early.csv": ["Columns read: “role” → roles."],
    "users-with-mark.json": ["Columns read: “role” → roles."],
    "courses-lines-in-quotes.csv": [
        "Columns read: “Course ID” → courseID, “Title” → title, “Description” → description, "
        "“Credit Hours” → credits, “Semester” → term."
    ],
    "sections-days.csv": [
        "Columns read: “Course” → courseID, “Section Number” → section, “Max Enrollment” → capacity, "
        "“Meeting Times” → meetings, “Room” → room."
    ],
}
"""The notes about files that need an assumption to be read."""

CSV = "Open it in the spreadsheet program, save it as “CSV UTF-8”, and import that file."
UNCERTAIN = (
    "Line 3 has characters whose encoding can’t be determined. Save the file as “CSV UTF-8” and import that file."
)

REFUSED = {
    "empty.csv": ["The file is empty."],
    "blank.csv": ["The file is empty."],
    "users-column-names-alone.csv": ["The file has no rows below the column names."],
    "users-two-encodings.csv": [UNCERTAIN],
    "users-letters-of-another-codepage.csv": [UNCERTAIN],
    "users-cut-off-utf-16.csv": [UNCERTAIN],
    "users-open-quotation-mark.csv": [
        "Line 3: A quotation mark opens a cell, but nothing closes it. "
        'Remove it, or write "" for a quotation mark in the text.'
    ],
    "users-column-twice.csv": ["The columns “Email” and “E-mail” would all be read as email. Keep only one of them."],
    "users-column-without-name.csv": [
        "Column 4 has no name, but line 3 has “new” in it. Name the column or remove it."
    ],
    "users-title-above-the-names.csv": ["The column names seem to be in line 3. Remove everything above them."],
    "users-no-names-of-columns.csv": ["Line 1 must have the column names, such as first_name, last_name, email."],
    "users-faults-of-all-kinds.csv": [
        "line 2: user_id “1.5”: This must be a whole number, like 30.",
        "line 2: E-mail “zoe@school”: Enter an email like name@school.example.",
        f"line 2: password: {NO_HASH}",
        "line 4: First Name and Last Name are missing.",
    ],
    "users-name-twice.json": ["A JSON object has “email” twice."],
    "users-objects-without-a-list.json": ["Line 2 is not valid JSON: Put all objects into one list, like [{…}, {…}]."],
    "users-comma-missing.json": ["Line 3 is not valid JSON: Expecting ',' delimiter."],
    "courses-name-unknown.json": [
        "Unknown column: “colour” (row 2). Remove or rename it. The columns may be courseID, title, description, "
        "credits, term, subject, prerequisites, corequisites, requisite, restriction, max_attempts, "
        "withdrawals_count, repeat_action, equivalents."
    ],
    "courses-columns-wrong.csv": [
        "Unknown columns: “colour” and “room”. Remove or rename them. The columns may be courseID, title, description, "
        "credits, term, subject, prerequisites, corequisites, requisite, restriction, max_attempts, "
        "withdrawals_count, repeat_action, equivalents.",
        "The column term must be in the file.",
    ],
    "courses-line-break-in-a-title.csv": [
        "line 3: Course title “Introduction to Python”: There is a line break in this cell."
    ],
    "courses-text-past-the-columns.csv": [
        "line 3: There is text after the last column: “Spring”. Does a cell need quotation marks?"
    ],
    "courses-seasons.csv": [
        "line 2: term “Fall;Spring”: Separate seasons with commas, like Fall, Spring.",
    ],
    "sections-ambiguous-days.csv": [
        "line 2: meetings “TU 9:00-9:50”: “TU” could mean different days. Write Tu or TuSu.",
        "line 3: meetings “TH 9:00-9:50”: “TH” could mean different days. Write Th or TuTh.",
        "line 4: meetings “M-F 9:00-9:50”: “M-F” is not a list of days. "
        "Write each day, like MWF or TuTh; R is Thursday, U is Sunday.",
        "line 5: meetings: “TR 1:00-2:15” could be morning or afternoon. Write 13:00 or 1:00 PM, or 01:00 or 1:00 AM.",
        "line 6: meetings: “F 22:00-01:00” ends before it begins. For the afternoon write 13:00 or 1:00 PM; "
        "for a meeting past midnight write two, like F 22:00-23:59; Sa 00:00-01:00.",
        "line 7: meetings: Write “TR TBA” like MWF 09:00-09:50, with ; between meetings, or TBA for no fixed time.",
    ],
    "sections-spoiled-cells.csv": [
        "line 2: courseID “1.00E+05”: The spreadsheet rounded this number. Format its column as text.",
        "line 3: capacity “#REF!”: A spreadsheet formula failed in this cell.",
        "line 4: room “####”: A spreadsheet formula failed in this cell.",
        "line 4: capacity “1,000”: This must be a whole number, like 30.",
    ],
    "terms-deadlines-out-of-order.csv": ["line 2: drop_deadline “2026-09-10”: This must not come before add_deadline."],
    "catalog.xlsx": [f"This is not an .xlsx file, or it is damaged. {CSV}"],
    "catalog-renamed.csv": [f"This is not an .xlsx file, or it is damaged. {CSV}"],
    "catalog.xls": [f"This is an old Excel spreadsheet, or one with a password, not a CSV file. {CSV}"],
    "catalog.ods": [f".ods files can’t be read. {CSV}"],
    "catalog.pdf": [f"This is a PDF document, not a CSV file. {CSV}"],
    "catalog-of-a-web-page.xls": [f".xls files can’t be read. {CSV}"],
    "web-page.csv": [f"This is a web page, not a table. {CSV}"],
    "picture.csv": [f"This is not a text file. {CSV}"],
}
"""All sentences about each refused file."""


def taken(name: str) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """Return the fields of each row, with meetings as they were read, and the notes."""
    collection = name.split("-")[0].removesuffix("s")
    form = ROW_FORMS.get(collection, ROW_FORMS["course"])
    file = read_rows(form, name, BytesIO((FOLDER / name).read_bytes()))
    if collection == "term":
        settings = {"timezone": "UTC", "max_credits": 18}
        file = replace(file, rows=[FileRow(row.number, settings | row.cells) for row in file.rows])
    try:
        found = dict(check_rows(form, file, lambda number, row: (number, _values(row))))
    except InvalidRows as refused:
        raise UnreadableFile(*map(file.describe, refused.problems)) from refused
    return found, list(map(str, file.notes))


def _values(row: Any) -> dict[str, Any]:
    meetings = {"meetings": ", ".join(map(str, row.read().meetings))} if isinstance(row, SectionRow) else {}
    return dict(row.data) | meetings


def test_every_spreadsheet_is_tested() -> None:
    assert {file.name for file in FOLDER.iterdir()} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_the_spreadsheet_is_read(name: str) -> None:
    rows, notes = taken(name)
    wanted = READ[name]
    assert {number: {field: row[field] for field in wanted.get(number, row)} for number, row in rows.items()} == wanted
    assert notes == NOTES.get(name, [])


@pytest.mark.parametrize("name", REFUSED)
def test_the_spreadsheet_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        taken(name)
    assert list(map(str, refused.value.sentences)) == REFUSED[name]
    with use_language("es"):
        for sentence, english in zip(refused.value.sentences, REFUSED[name], strict=True):
            assert str(sentence) != english


def test_text_decoded_in_parts_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [BytesIO((FOLDER / name).read_bytes()) for name in (*READ, *REFUSED)]
    whole = list(map(decoded, files))
    monkeypatch.setattr(file_text, "CHUNK_SIZE", 1)
    assert list(map(decoded, files)) == whole


def decoded(file: BytesIO) -> list[str]:
    """Return the text and the assumptions about it, or why it can't be read."""
    try:
        text = file_text.decode(file)
    except UnreadableFile as unreadable:
        return list(map(str, unreadable.sentences))
    return ["".join(text.parts()), *map(str, text.notes)]


def test_a_long_value_is_quoted_in_part() -> None:
    data = f"term,courseID,section,capacity,room\nFall 2026,1111,1,30,{'x' * 500}\n".encode()
    file = read_rows(ROW_FORMS["section"], "rows.csv", BytesIO(data))
    with pytest.raises(InvalidRows) as refused:
        check_rows(ROW_FORMS["section"], file, lambda number, _: number)
    [said] = map(str, map(file.describe, refused.value.problems))
    assert said.startswith(f"line 2: room “{'x' * 60}…”: ")


def refusal(filename: str, data: str) -> list[str]:
    with pytest.raises(UnreadableFile) as refused:
        read_rows(ROW_FORMS["user"], filename, BytesIO(data.encode()))
    return list(map(str, refused.value.sentences))


def test_half_a_letter_is_refused_with_its_row_and_column() -> None:
    rows = r'[{"student": "1", "type": "Fees", "action": "place", "reason": "\ud800"}, {"student": "2\u0000"}]'
    file = read_rows(ROW_FORMS["hold"], "holds.json", BytesIO(rows.encode()))
    with pytest.raises(InvalidRows) as refused:
        check_rows(ROW_FORMS["hold"], file, lambda number, _: number)
    said = [str(file.describe(one)) for one in refused.value.problems]
    assert said[0] == "row 1: reason “\ufffd”: This contains unreadable characters. Type it again."
    assert any(one.startswith("row 2: student") and "unreadable" in one for one in said)
    assert refusal("users.json", r'[{"\ud800": 1, "\ud801": 2}]') == ["A JSON object has “\ufffd” twice."]


def test_the_times_of_a_hold_are_checked_in_the_schools_timezone() -> None:
    row = "1,Fees,place,Unpaid,2026-11-"
    rows = f"student,type,action,reason,begins_on\n{row}01T01:30\n{row}02\n"
    file = read_rows(ROW_FORMS["hold"], "holds.csv", BytesIO(rows.encode()))
    wrong, hold = kinds.read("hold", file, kinds.TermDefaults("America/New_York", 18), [])
    assert "In America/New_York, this time occurs twice." in str(wrong.text)
    assert hold.begins_at == datetime(2026, 11, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize("field", [one.name for one in ROW_FORMS["user"]()])
def test_no_cell_of_a_user_has_unreadable_characters(field: str) -> None:
    for value in ("pbkdf2:\ufffd$a$0", "a\0b", "a\u202eb"):
        assert field in dict(ROW_FORMS["user"].faults({"email": "a@b.example", "first_name": "A", field: value})[1])


def test_a_wrong_row_about_a_student_is_refused_alone() -> None:
    data = '[{"student": "1"}, {"student": "\\ud800\\u0000"}, {"student": "%s"}]' % ("9" * 300)
    students = student_lists.read_file("list.json", BytesIO(data.encode()))
    drop = {"term": "Fall", "courseID": "1111", "section": "1", "action": "drop"}
    file = read_rows(ROW_FORMS["enrollment"], "rows.json", BytesIO(student_lists.rows_file(students, drop)))
    rows = kinds.read("enrollment", file, DEFAULTS, ())
    assert rows[0] == ImportedEnrollment(1, "1", "Fall", "1111", "1", "drop")
    assert [str(one.text) for one in rows[1:]] == [
        "“\ufffd\0” This contains unreadable characters. Type it again.",
        f"“{'9' * 60}…” Use at most 254 characters.",
    ]


def test_a_hostile_file_takes_no_longer_than_any_other() -> None:
    blanks = " " * 120_000  # a search for the blanks at the end would look at each of them from each of them
    data = f"email,first_name,last_name\nzoe@school.example,Z{blanks}oe,Adler\n"
    [row] = read_rows(ROW_FORMS["user"], "users.csv", BytesIO(data.encode())).rows
    assert len(row.cells["first_name"]) == len(blanks) + 3
    many = ",".join(f'"k{number}": 1' for number in range(50_000))
    assert refusal("users.json", f'[{{{many}, "k49999": 2}}]') == ["A JSON object has “k49999” twice."]
    different = ",".join(f'{{"k{number}": 1}}' for number in range(50_000))
    assert refusal("users.json", f"[{different}]") == [
        "The objects have 50000 different names, and 1000 at most are read."
    ]


def test_a_file_with_very_many_rows_or_cells_is_refused_before_it_fills_the_memory() -> None:
    different = ",".join(f'{{"k{number % 900}": 1}}' for number in range(10_000))
    wide = "," * 999
    for name, data in {
        "rows.csv": "email\n" + "x\n" * (MAX_ROWS + 1),
        "cells.csv": f"email{wide}\n" + f"x{wide}\n" * (MAX_CELLS // 1000),
        "rows.json": "[" + '{"email": 1},' * (MAX_ROWS + 1) + '{"email": 1}]',
        "cells.json": f"[{different}]",
        "commas.csv": "email\n" + "," * (MAX_CELLS + 1),
        "lists.json": "[" + "[]," * MAX_JSON_PARTS + "[]]",
    }.items():
        assert refusal(name, data) == [str(TOO_MANY)]
    assert refusal("long.json", f"[{' ' * MAX_JSON_BYTES}]") == [
        "JSON files can have at most 16 MB. Split it into several files, or save it as CSV."
    ]


def test_a_file_may_have_as_many_rows_as_the_documentation_says() -> None:
    data = "email,first_name,last_name\n" + "x,y,z\n" * 100_000
    assert len(read_rows(ROW_FORMS["user"], "users.csv", BytesIO(data.encode())).rows) == 100_000


def test_rows_take_little_memory() -> None:
    lines = (f"person{number}@school.example,Pat,Person{number},student" for number in range(2000))
    data = "\n".join(["email,first_name,last_name,roles", *lines]).encode()
    kinds.read(
        "user", read_rows(ROW_FORMS["user"], "users.csv", BytesIO(data)), DEFAULTS, ()
    )  # loads what is loaded only once
    tracemalloc.start()
    try:
        file = read_rows(ROW_FORMS["user"], "users.csv", BytesIO(data))
        checked = kinds.read("user", file, DEFAULTS, ())
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / len(checked) < 500  # bytes: as objects, they take 1800


def test_json_read_in_parts_equals_the_whole() -> None:
    text = ' [ {"a": [1, "]", {}]} ,{}, {"b": null}\n] '
    places = range(len(text))
    changed = [text[:place] + other + text[place + 1 :] for place in places for other in ("", ",", "]", "[")]
    numbers = "[1.5, 1e+5, -0, 12, true, NaN,\n1.,1]"
    for one in (text, "[]", numbers, *(text[:place] for place in places), *changed):
        for characters in (1, 10, 1000):
            read = partial(json_items, buffer_characters=characters)
            assert parsed(lambda text, read=read: list(read(StringIO(text))), one) == parsed(json.loads, one)


def parsed(parse: Callable[[str], Any], text: str) -> Any:
    """Return what the text says, or the line in which it is wrong."""
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        return error.lineno


def test_a_cell_that_is_too_long_is_not_taken_for_a_missing_quotation_mark() -> None:
    data = f"email,first_name,last_name\nzoe@school.example,{'Z' * 140_000},Adler\n"
    assert refusal("users.csv", data) == ["Line 2: A cell has more than 131072 characters."]


def test_some_of_many_wrong_columns_are_named() -> None:
    header, row = ",".join(f"c{number}" for number in range(5000)), "," * 5000 + "x" * 200
    [unknown] = refusal("users.csv", f"email,first_name,last_name,{header}\n1\n")
    assert "“c19” and 4980 more." in unknown
    [nameless] = refusal("users.csv", f"email,first_name,last_name{',' * 6000}\n{row}\n")
    assert nameless.startswith(f"Column 5001 has no name, but line 2 has “{'x' * 60}…” in it.")


def test_columns_are_proposed_with_examples() -> None:
    data = b"E-mail,Surname,Year,mail\nzoe@school.example,Adler,2,z@school.example\nnoor@school.example,Haddad,2,\n"
    form = ROW_FORMS["user"]
    assert matching.propose(form, matching.read_file(form, "users.csv", BytesIO(data))) == [
        FileColumn("E-mail", "email", ["“zoe@school.example”", "“noor@school.example”"]),
        FileColumn("Surname", "last_name", ["“Adler”", "“Haddad”"]),
        FileColumn("Year", matching.IGNORED, ["“2”"]),
        FileColumn("mail", matching.IGNORED, ["“z@school.example”"]),
    ]


def test_chosen_columns_replace_what_their_names_mean() -> None:
    data = b"Contact,email,Surname,Year\nzoe@school.example,old,Adler,2\n"
    chosen = {"Contact": "email", "email": matching.IGNORED, "Year": matching.IGNORED}
    [row] = read_rows(ROW_FORMS["user"], "users.csv", BytesIO(data), chosen).rows
    assert row.cells == {"email": "zoe@school.example", "last_name": "Adler"}


def test_two_columns_cannot_be_chosen_for_one_field() -> None:
    with pytest.raises(UnreadableFile, match="“Contact” and “email” would all be read as email"):
        read_rows(ROW_FORMS["user"], "users.csv", BytesIO(b"Contact,email,Surname\na,b,c\n"), {"Contact": "email"})


def test_a_field_that_does_not_exist_cannot_be_chosen() -> None:
    with pytest.raises(UnreadableFile, match="Unknown column: “Year”"):
        read_rows(ROW_FORMS["user"], "users.csv", BytesIO(b"email,Surname,Year\na,b,c\n"), {"Year": "is_admin"})
