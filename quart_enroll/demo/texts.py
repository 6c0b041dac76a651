"""What of the demo school is written by hand: the files of data/."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quart_enroll.domain.models import Course, Credentials, Section, User
from quart_enroll.forms.import_offerings import SectionRow
from quart_enroll.forms.import_rows import CourseRow, Row, UserRow
from quart_enroll.forms.row_validation import check_rows, read_rows

DEFAULT_SUBJECT = "Computing"
"""Of the courses in data/courses.json, which name none."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Where the courses of a subject meet, and who teaches them."""

    building: str
    teachers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchoolData:
    """Courses, the sections that are not left to chance (their terms are seasons), people, and names for more."""

    courses: tuple[Course, ...]
    sections: tuple[Section, ...]
    people: tuple[Credentials, ...]
    nobodys_password: str
    subjects: Mapping[str, Subject]
    first_names: Sequence[str]
    last_names: Sequence[str]


def load(data: Path, nobodys_password: str) -> SchoolData:
    """Read the texts; a row that could not be imported raises InvalidRows."""
    words = json.loads((data / "demo-school.json").read_text("utf-8"))
    first = [row.course() for row in _rows(CourseRow, data / "courses.json")]
    more = [row.course() for row in _rows(CourseRow, data / "demo-courses.csv")]
    return SchoolData(
        courses=(*(replace(course, subject=DEFAULT_SUBJECT) for course in first), *more),
        sections=tuple(row.read() for row in _rows(SectionRow, data / "sections.json")),
        people=tuple(_person(row) for row in _rows(UserRow, data / "users.json")),
        nobodys_password=nobodys_password,
        subjects={name: Subject(one["building"], tuple(one["teachers"])) for name, one in words["subjects"].items()},
        first_names=words["first_names"],
        last_names=words["last_names"],
    )


def _rows(form: type[Row], file: Path) -> list[Any]:
    return [row for _, row in check_rows(form, read_rows(form, file.name, file.read_bytes()))]


def _person(row: UserRow) -> Credentials:
    given = row.data
    user = User(given["user_id"], given["email"], given["first_name"], given["last_name"], given["role"])
    return Credentials(user, given["password"])
