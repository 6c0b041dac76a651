"""Imports changes for students: each row is a transaction of its own, and has a result of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, users
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import folding, terms
from quart_enroll.domain.actors import Actor
from quart_enroll.domain.errors import Refused, RowProblem, UnknownTerm
from quart_enroll.domain.models import SectionKey, Term
from quart_enroll.domain.roles import Role
from quart_enroll.services.catalog.import_courses import KnownCourseIDs
from quart_enroll.services.catalog.import_sections import accounts_of
from quart_enroll.services.catalog.imports import (
    IMPORT_RETRY_SECONDS,
    FieldChange,
    ImportAuthor,
    ImportResult,
    RowChange,
    total,
)
from quart_enroll.services.enrollment import staff_changes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.staff_changes import StaffAction, StaffChange

ADD, DROP = "add", "drop"

RECORDED_ROWS = 100
"""Rows whose results are recorded together; after a crash, up to so many are tried again, which changes nothing."""


@dataclass(frozen=True, slots=True)
class ImportedEnrollment:
    """Row `number` of a file: a student, by user_id or email, to ADD to a section or to DROP from it."""

    number: int
    student: str
    term: str
    courseID: str
    section: str
    action: str


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What the rows of a file may name: students by what the file calls them, terms, courses and sections."""

    students: dict[str, int]
    terms: Sequence[Term]
    courses: KnownCourseIDs
    sections: dict[tuple[str, str, str], SectionKey]
    now: datetime

    def resolve(self, row: ImportedEnrollment) -> tuple[int, SectionKey] | RowProblem:
        """Return the student and the section that a row names, or what it names wrongly."""
        try:
            term = terms.find(row.term, self.terms, self.now).term
        except UnknownTerm as unknown:
            return RowProblem(row.number, unknown.text, "term")
        courseID = self.courses.stored(row.courseID)
        key = self.sections.get((term, courseID, folding.section_key(row.section)))
        if row.student not in self.students:
            return RowProblem(row.number, f"There is no student {row.student}.", "student")
        if courseID not in self.courses:
            return RowProblem(row.number, f"There is no course {courseID} in the catalog.", "courseID")
        if key is None:
            return RowProblem(row.number, f"There is no section {row.section} of {courseID} in {term}.", "section")
        return self.students[row.student], key


async def import_enrollments(
    context: EnrollmentContext,
    rows: Sequence[ImportedEnrollment],
    now: datetime,
    *,
    author: ImportAuthor,
    dry_run: bool = False,
) -> ImportResult:
    """Add and drop the students, one after the other, and return the result with the rows that were refused.

    A row that has come true already changes nothing. A dry run does not count the seats that one row takes from the
    next.
    """
    db, results = context.db, list[ImportResult]()
    known = await _find_names(db, rows, now)
    for start in range(0, len(rows), RECORDED_ROWS):
        some = rows[start : start + RECORDED_ROWS]
        done = total([await _change(context, row, known, author, dry_run=dry_run) for row in some])
        results.append(done)
        if not dry_run:

            async def record(session: Session, done: ImportResult = done) -> None:
                await author.record(session, done)

            await transaction(db, record, IMPORT_RETRY_SECONDS)
    return total(results)


async def _change(
    context: EnrollmentContext, row: ImportedEnrollment, known: KnownNames, author: ImportAuthor, *, dry_run: bool
) -> ImportResult:
    found = known.resolve(row)
    if isinstance(found, RowProblem):
        return ImportResult(0, 0, 0, refused=[found])
    user_id, key = found
    change = StaffChange(StaffAction.ENROLL if row.action == ADD else StaffAction.DROP, key)
    try:
        if await _has_come_true(context.db, user_id, change):
            return ImportResult(0, 0, 1)
        if dry_run:
            await _check(context.db, user_id, change, known.now)
        else:
            await staff_changes.make(context, Actor(author.user_id, author.reason), user_id, change, known.now)
    except Refused as refusal:
        return ImportResult(0, 0, 0, refused=[RowProblem(row.number, refusal.text)])
    if row.action == ADD:
        return ImportResult(1, 0, 0, new_rows=[row.number])
    dropped = RowChange(row.number, f"user {user_id}", [FieldChange("enrollment", f"{key.courseID}-{key.section}", "")])
    return ImportResult(0, 1, 0, [dropped])


async def _has_come_true(db: Database, user_id: int, change: StaffChange) -> bool:
    """Return whether the student has the seat that is to be added, or has not the one that is to be dropped."""
    key = change.key
    enrolled = [
        one.section.key for one in await enrollments.find_in_term(db, user_id, key.term) if one.status == "enrolled"
    ]
    return (key in enrolled) is (change.action is StaffAction.ENROLL)


async def _check(db: Database, user_id: int, change: StaffChange, now: datetime) -> None:
    """Raise the first refusal that stands in the way of the change."""
    for refusal in (await staff_changes.find_rules(db, user_id, change, now)).values():
        if refusal is not None:
            raise refusal


async def _find_names(db: Database, rows: Sequence[ImportedEnrollment], now: datetime) -> KnownNames:
    accounts = await accounts_of(db, {row.student for row in rows})
    people = await users.find_many(db, set(accounts.values()))
    students = {text: one for text, one in accounts.items() if Role.STUDENT in people[one].roles}
    all_terms = await stored_terms.find_all(db)
    keys = await import_guards.find_sections(db, [term.term for term in all_terms])
    by_number = {(key.term, key.courseID, folding.section_key(key.section)): key for key in keys}
    known_courses = KnownCourseIDs([course.courseID for course in await courses.find_all(db)])
    return KnownNames(students, all_terms, known_courses, by_number, now)
