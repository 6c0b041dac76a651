"""Reads lists of students, as someone has typed them or as a file has them, into texts that name one student each."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import IO

from quart_enroll.forms.imports import columns, matching
from quart_enroll.forms.imports.enrollments import EnrollmentRow
from quart_enroll.forms.imports.table import UnreadableFile
from quart_enroll.i18n.language import Sentence

FIELD_NAMES = tuple(map(columns.key, ("student", "email", "email address", "user_id", "id", "student id")))
"""Names that a column of students may have, the clearest first: a “Student ID” may also be a number of the school's."""


def read_text(text: str) -> list[str]:
    """Return the emails and IDs of a text that separates them by line breaks, blanks, commas or semicolons."""
    return _different(re.split(r"[\s,;]+", text))


def read_file(filename: str, file: IO[bytes]) -> list[str]:
    """Return the emails and IDs in the first column whose name means them, or in the only column of a file.

    Raises UnreadableFile.
    """
    table = matching.read_file(EnrollmentRow, filename, file)
    header = table.header.cells
    keys = [columns.key(cell) for cell in header]
    if name := next((name for name in FIELD_NAMES if name in keys), ""):
        place = keys.index(name)
        return _texts(row.cells[place] for row in table.rows if place < len(row.cells))
    only = _texts([header[0], *(row.cells[0] for row in table.rows)])
    if len(header) > 1 or not table.has_header or any("@" not in text and not text.isdigit() for text in only):
        raise UnreadableFile(Sentence("No column is named student, email or ID."))
    return only


def rows_file(students: Iterable[str], others: Mapping[str, str]) -> bytes:
    """Return a JSON file of enrollments with a row for each student, which all have the `others` in common."""
    return json.dumps([{"student": student, **others} for student in students]).encode()


def _texts(cells: Iterable[object]) -> list[str]:
    return _different(EnrollmentRow.NUMBERS["student"](str(cell)).strip() for cell in cells if cell not in (None, ""))


def _different(texts: Iterable[str]) -> list[str]:
    """Return each text once."""
    return list(dict.fromkeys(filter(None, texts)))
