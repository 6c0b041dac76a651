"""Imports grades of courses that students have taken: all rows of a file or none, but a long file in batches."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import enrollments, schedules
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import terms
from quart_enroll.domain.errors import RowProblem, UnknownTerm
from quart_enroll.domain.models import Term
from quart_enroll.i18n.language import Sentence, TermName
from quart_enroll.services.catalog.import_checks import refuse, refuse_duplicates
from quart_enroll.services.catalog.import_courses import KnownCourseIDs, known_course_ids
from quart_enroll.services.catalog.import_results import FieldChange, ImportResult, RowChange
from quart_enroll.services.catalog.import_sections import accounts_of
from quart_enroll.services.catalog.import_students import unknown_student
from quart_enroll.services.catalog.import_transactions import (
    BATCH_ROWS,
    SYSTEM,
    ImportAuthor,
    run_batches,
    run_catalog_import,
)


@dataclass(frozen=True, slots=True)
class ImportedGrade:
    """Row `number` of a file: a student, by user_id or email, and the grade in a course; empty removes the grade."""

    number: int
    student: str
    term: str
    courseID: str
    grade: str


@dataclass(frozen=True, slots=True)
class ResolvedGrade:
    """A row with the user_id, the term and the courseID that it refers to."""

    row: ImportedGrade
    key: tuple[int, str, str]

    @property
    def number(self) -> int:
        """The number of the row."""
        return self.row.number


async def import_grades(
    db: Database,
    rows: Sequence[ImportedGrade],
    now: datetime,
    *,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Record the grades, and promote waitlisted students who now meet a prerequisite.

    Raises InvalidRows for unknown students, terms and courses, for students without that enrollment, and
    for rows about the same seat.
    """
    resolved = await _resolve(db, rows, now)

    async def batches() -> AsyncGenerator[Sequence[ResolvedGrade], None]:
        for start in range(0, len(resolved), BATCH_ROWS):
            yield resolved[start : start + BATCH_ROWS]

    async def store(batch: Sequence[ResolvedGrade]) -> ImportResult:
        return await run_catalog_import(db, partial(_store, db, batch), now, dry_run=dry_run, author=author)

    return await run_batches(batches(), store)


async def _resolve(db: Database, rows: Sequence[ImportedGrade], now: datetime) -> list[ResolvedGrade]:
    """Return the rows with the students, terms and courses they name; raise InvalidRows."""
    accounts = await accounts_of(db, {row.student for row in rows})
    known_terms = await stored_terms.find_all(db)
    known_courses = await known_course_ids(db)
    found = [_resolve_row(row, accounts, known_terms, known_courses, now) for row in rows]
    refuse([one for one in found if isinstance(one, RowProblem)])
    resolved = [one for one in found if isinstance(one, ResolvedGrade)]
    refuse_duplicates(resolved, lambda one: f"user {one.key[0]}, {one.key[2]}, {one.key[1]}", "student")
    known = await enrollments.find_grades(db, {one.key[0] for one in resolved}, {one.key[1] for one in resolved}, None)
    _refuse_without_seat(resolved, known)
    return resolved


def _resolve_row(
    row: ImportedGrade,
    accounts: Mapping[str, int],
    known_terms: Sequence[Term],
    known_courses: KnownCourseIDs,
    now: datetime,
) -> ResolvedGrade | RowProblem:
    if row.student not in accounts:
        return unknown_student(row.number, row.student)
    try:
        term = terms.find(row.term, known_terms, now).term
    except UnknownTerm as unknown:
        return RowProblem(row.number, unknown.message, "term")
    return ResolvedGrade(row, (accounts[row.student], term, known_courses.stored(row.courseID)))


def _refuse_without_seat(rows: Sequence[ResolvedGrade], known: Mapping[tuple[int, str, str], str]) -> None:
    refuse(
        [
            RowProblem(
                one.row.number,
                Sentence(
                    "%(student)s has no enrollment in %(courseID)s for %(term)s.",
                    student=one.row.student,
                    courseID=one.key[2],
                    term=TermName(one.key[1]),
                ),
                "courseID",
            )
            for one in rows
            if one.key not in known
        ]
    )


async def _store(db: Database, rows: Sequence[ResolvedGrade], session: Session) -> ImportResult:
    user_ids = {one.key[0] for one in rows}
    known = await enrollments.find_grades(db, user_ids, {one.key[1] for one in rows}, session)
    _refuse_without_seat(rows, known)
    changed = [one for one in rows if known[one.key] != one.row.grade]
    await schedules.bump_all_versions(db, {one.key[0] for one in changed}, session)
    await enrollments.set_grades(db, {one.key: one.row.grade for one in changed}, session)
    changes = [
        RowChange(one.row.number, f"user {one.key[0]}", [FieldChange("grade", known[one.key], one.row.grade)])
        for one in changed
    ]
    return ImportResult(0, len(changed), len(rows) - len(changed), changes)
