"""What the checked rows of each kind of file say: the same for commands and for pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from quart_enroll.domain import terms
from quart_enroll.domain.models import Term, User
from quart_enroll.domain.stored_import import APPOINTMENTS, ENROLLMENTS, HOLDS
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.appointments import AppointmentRow
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.enrollments import EnrollmentRow
from quart_enroll.forms.imports.grades import GradeRow
from quart_enroll.forms.imports.holds import HoldRow
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.imports.terms import TermRow
from quart_enroll.forms.imports.users import UserRow
from quart_enroll.forms.imports.validation import FileRow, FileRows, check_rows, check_rows_of_students
from quart_enroll.services.catalog.import_appointments import ImportedAppointment
from quart_enroll.services.catalog.import_courses import ImportedCourse
from quart_enroll.services.catalog.import_enrollments import ImportedEnrollment
from quart_enroll.services.catalog.import_grades import ImportedGrade
from quart_enroll.services.catalog.import_holds import ImportedHold
from quart_enroll.services.catalog.import_results import RefusedRow
from quart_enroll.services.catalog.import_sections import ImportedSection
from quart_enroll.services.catalog.import_terms import ImportedTerm
from quart_enroll.services.catalog.imported_users import ImportedUser
from quart_enroll.system.compact_list import CompactList

WITH_TERMS = ("term", APPOINTMENTS)
"""The kinds of files whose times are in the timezone of a term."""


class TermDefaults(NamedTuple):
    """What new terms have if the file leaves it out."""

    timezone: str
    max_credits: float


def read(kind: str, rows: FileRows, defaults: TermDefaults, known: Sequence[Term]) -> Sequence[Any]:
    """Return what `services.catalog.import_rows` imports; raise InvalidRows if a row is wrong by itself.

    Rows about students don't depend on each other: there, RefusedRows stand for wrong ones.
    `known` are the school's terms; only kinds in WITH_TERMS need them.
    """
    if kind == "term":
        return _read_terms(rows, defaults, known)
    if kind == APPOINTMENTS:
        return _read_appointments(rows, defaults, known)
    if kind == HOLDS:
        return _read_holds(rows, defaults)
    return READERS[kind](rows)


def _read_courses(rows: FileRows) -> Sequence[ImportedCourse]:
    return check_rows(CourseRow, rows, lambda number, row: ImportedCourse(number, row.course(), row.given))


def _read_sections(rows: FileRows) -> Sequence[ImportedSection]:
    return check_rows(
        SectionRow,
        rows,
        lambda number, row: ImportedSection(number, row.read(), row.given, row.read_instructors()),
    )


def _read_users(rows: FileRows) -> Sequence[ImportedUser]:
    return check_rows(UserRow, rows, _read_user)


def _read_appointments(
    rows: FileRows, defaults: TermDefaults, known: Sequence[Term]
) -> Sequence[ImportedAppointment | RefusedRow]:
    by_key = {terms.key(term.term): term for term in known}

    def fill_in(given: dict[str, Any]) -> dict[str, Any]:
        term = by_key.get(terms.key(str(given.get("term", ""))))
        if term is None:
            return {"timezone": defaults.timezone} | given
        return {"timezone": term.timezone} | given | {"term": term.term}

    return check_rows_of_students(AppointmentRow, _filled(rows, fill_in), lambda number, row: row.read(number))


def _read_holds(rows: FileRows, defaults: TermDefaults) -> Sequence[ImportedHold | RefusedRow]:
    filled = _filled(rows, lambda given: {"timezone": defaults.timezone} | given)
    return check_rows_of_students(HoldRow, filled, lambda number, row: row.read(number))


def _filled(rows: FileRows, fill_in: Callable[[dict[str, Any]], dict[str, Any]]) -> FileRows:
    """Return the rows with what `fill_in` makes of the cells that aren't empty."""
    return replace(rows, rows=CompactList(FileRow(row.number, fill_in(_given_cells(row))) for row in rows.rows))


def _given_cells(row: FileRow) -> dict[str, Any]:
    return {name: cell for name, cell in row.cells.items() if cell not in (None, "")}


def _read_terms(rows: FileRows, defaults: TermDefaults, known: Sequence[Term]) -> Sequence[ImportedTerm]:
    stored = {terms.key(term.term): {"timezone": term.timezone} for term in known}
    given_cells = {row.number: _given_cells(row) for row in rows.rows}
    # Times are in the timezone of the row, or else in that of the existing term.
    filled = [
        FileRow(number, defaults._asdict() | stored.get(terms.key(TermRow.about(given)), {}) | given)
        for number, given in given_cells.items()
    ]
    return check_rows(
        TermRow,
        replace(rows, rows=filled),
        lambda number, row: ImportedTerm(number, row.read(), frozenset(given_cells[number])),
    )


def _read_user(number: int, row: UserRow) -> ImportedUser:
    user = User(
        user_id=row.user_id.data or 0,
        email=row.email.data or "",
        first_name=row.first_name.data or "",
        last_name=row.last_name.data or "",
        roles=row.read_roles(),
        subjects=cells.subjects(row.subjects.data or ""),
        directory_opt_out=row.opts_out(),
        preferred_name=row.preferred_name.data or "",
        pronouns=row.pronouns.data or "",
        attributes=row.read_attributes(),
    )
    advisors = cells.advisors(row.advisors.data or "")
    return ImportedUser(number, row.user_id.data, user, row.password.data or None, row.given, advisors)


def _read_enrollment(number: int, row: EnrollmentRow) -> ImportedEnrollment:
    return ImportedEnrollment(number, **{field.name: field.data or "" for field in row})


def _read_grade(number: int, row: GradeRow) -> ImportedGrade:
    student, term, courseID = (field.data or "" for field in (row.student, row.term, row.courseID))
    return ImportedGrade(number, student, term, courseID, row.read_grade())


READERS: Mapping[str, Callable[[FileRows], Sequence[Any]]] = {
    "course": _read_courses,
    ENROLLMENTS: lambda rows: check_rows_of_students(EnrollmentRow, rows, _read_enrollment),
    "grade": lambda rows: check_rows(GradeRow, rows, _read_grade),
    "section": _read_sections,
    "user": _read_users,
}
"""What reads the rows of each kind of file that needs nothing else."""
