"""Reads the handwritten parts of the demo school from the files in data/."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from quart_enroll.domain.models import Course, Credentials, Section, User
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import ImportRow
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.imports.users import UserRow
from quart_enroll.forms.imports.validation import check_rows, read_rows

T = TypeVar("T")

DEFAULT_SUBJECT = "Computing"
"""The subject of the courses in data/courses.json, which name none."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The building and the instructors of a subject."""

    building: str
    instructors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchoolData:
    """Courses, fixed sections (their terms are seasons), users, and names for generated users."""

    courses: tuple[Course, ...]
    sections: tuple[Section, ...]
    people: tuple[Credentials, ...]
    unusable_password: str
    subjects: Mapping[str, Subject]
    first_names: Sequence[str]
    last_names: Sequence[str]


def load(data: Path, unusable_password: str) -> SchoolData:
    """Read the files; raise InvalidRows for a row that could not be imported."""
    names = json.loads((data / "demo-school.json").read_text("utf-8"))
    original = _read(data / "courses.json", CourseRow, CourseRow.course)
    more = _read(data / "demo-courses.csv", CourseRow, CourseRow.course)
    return SchoolData(
        courses=(*(replace(course, subject=DEFAULT_SUBJECT) for course in original), *more),
        sections=tuple(_read(data / "sections.json", SectionRow, SectionRow.read)),
        people=tuple(_read(data / "users.json", UserRow, _credentials)),
        unusable_password=unusable_password,
        subjects={name: Subject(one["building"], tuple(one["instructors"])) for name, one in names["subjects"].items()},
        first_names=names["first_names"],
        last_names=names["last_names"],
    )


def _read(file: Path, form: type[ImportRow], read: Callable[[Any], T]) -> Sequence[T]:
    with file.open("rb") as opened:
        return check_rows(form, read_rows(form, file.name, opened), lambda _, row: read(row))


def _credentials(row: UserRow) -> Credentials:
    given = row.data
    user = User(
        given["user_id"],
        given["email"],
        given["first_name"],
        given["last_name"],
        row.read_roles(),
        subjects=cells.subjects(given["subjects"] or ""),
        advisors=tuple(map(int, cells.advisors(given["advisors"] or ""))),
    )
    return Credentials(user, given["password"])
