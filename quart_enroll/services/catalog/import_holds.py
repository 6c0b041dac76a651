"""Imports holds to place and to lift: each row is a transaction of its own, which also records what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import hold_types, holds
from quart_enroll.domain.errors import AccountGone, RowProblem
from quart_enroll.domain.holds import HoldType, RecordedHold, can_take_effect
from quart_enroll.domain.models import SYSTEM_ACTOR, User
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog import import_students
from quart_enroll.services.catalog.import_results import FieldChange, ImportResult, RefusedRow, RowChange
from quart_enroll.services.catalog.import_students import (
    ChangeRow,
    StudentRow,
    find_students,
    refused,
    unknown_student,
)
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.enrollment.act_for import Record, record_nothing
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.staff import access
from quart_enroll.services.staff import holds as changes
from quart_enroll.system.clock import Clock

PLACE, LIFT = "place", "lift"

ACTIONS = (PLACE, LIFT)
"""What a row may do, by the word for it in files."""

PREVIEW_PAGE = "staff_student"
"""The endpoint by which the access log names a preview: it shows holds as the student's record does."""


@dataclass(frozen=True, slots=True)
class ImportedHold(StudentRow):
    """A row with a hold of a `type` to place or lift."""

    type: str
    action: str
    reason: str
    begins_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The students and types that the rows may name; `changed` has the hashes of what earlier rows of a preview do."""

    students: Mapping[str, User]
    types: Mapping[str, HoldType]
    changed: set[int] = field(default_factory=set)

    def find_problem(self, row: ImportedHold, now: datetime) -> RowProblem | None:
        """Return what is wrong with the row, or None."""
        if row.student not in self.students:
            return unknown_student(row.number, row.student)
        if row.action == PLACE and row.type not in self.types:
            return RowProblem(row.number, Sentence("There is no type of hold %(name)s.", name=row.type), "type")
        if not can_take_effect(row.begins_at, row.ends_at, now):
            return RowProblem(row.number, Sentence("The hold would be over before it begins."), "ends_on")
        return None


async def import_holds(
    context: EnrollmentContext,
    rows: Sequence[ImportedHold | RefusedRow],
    clock: Clock,
    *,
    author: ImportAuthor,
    dry_run: bool = False,
) -> ImportResult:
    """Place and lift the holds, one after the other, and return the result with the rows that were refused.

    A hold that the student has already is not placed again, and without one to lift, nothing is changed.
    """
    of_file = KnownNames({}, {one.name: one for one in await hold_types.find_all(context.db)})

    async def prepare(batch: Sequence[ImportedHold]) -> ChangeRow[ImportedHold]:
        known = replace(of_file, students=await find_students(context.db, {row.student for row in batch}))

        async def change(row: ImportedHold) -> ImportResult:
            if dry_run:
                return await _preview(context.db, row, known, author, clock())
            return await _make(context, row, known, author, clock)

        return change

    return await import_students.import_rows(context.db, rows, author, prepare, dry_run=dry_run)


async def _make(
    context: EnrollmentContext, row: ImportedHold, known: KnownNames, author: ImportAuthor, clock: Clock
) -> ImportResult:
    """Make the change of a row and record its result, both in one transaction."""
    problem = known.find_problem(row, clock())
    if problem is None:
        student, made = known.students[row.student], _made(row, known.students[row.student])

        async def record_made(session: Session) -> None:
            await author.record(session, made)

        try:
            if await _change(context, row, student, known, author, clock(), record_made):
                return made
        except AccountGone as refusal:
            problem = RowProblem(row.number, refusal.message, "student")
    result = refused(row, problem, known.students) if problem else _unchanged(row, known.students[row.student])
    await import_students.record(context.db, author, result)
    return result


async def _change(
    context: EnrollmentContext,
    row: ImportedHold,
    student: User,
    known: KnownNames,
    author: ImportAuthor,
    now: datetime,
    record: Record,
) -> bool:
    """Place or lift; return whether that changed something."""
    if row.action == PLACE:
        hold = known.types[row.type].hold(row.reason, row.begins_at, row.ends_at)
        return (await changes.place(context, author.user_id, student.user_id, hold, now, record)).is_new
    current = await _find_current(context.db, student.user_id, row)
    for one in current:
        await changes.lift(context, author.user_id, student.user_id, one.hold_id, row.reason, now, record)
        record = record_nothing
    return bool(current)


async def _preview(
    db: Database, row: ImportedHold, known: KnownNames, author: ImportAuthor, now: datetime
) -> ImportResult:
    """Return what would become of a row after the earlier ones."""
    if problem := known.find_problem(row, now):
        return refused(row, problem, known.students)
    student = known.students[row.student]
    if author.user_id != SYSTEM_ACTOR:
        await access.record_student(db, author.user_id, student.user_id, PREVIEW_PAGE, now)
    current = await _find_current(db, student.user_id, row)
    if row.action == PLACE:
        hold = known.types[row.type].hold(row.reason, row.begins_at, row.ends_at)
        would_change = not any(one.hold == hold for one in current)
    else:
        would_change = bool(current)
    change = hash((student.user_id, row.type, row.action, row.reason))
    if not would_change or change in known.changed:
        return _unchanged(row, student)
    known.changed.add(change)
    return _made(row, student)


async def _find_current(db: Database, user_id: int, row: ImportedHold) -> list[RecordedHold]:
    """Return the student's holds of the row's type that are not lifted."""
    return [one for one in await holds.find_of_student(db, user_id, row.type) if one.lifted_at is None]


def _made(row: ImportedHold, student: User) -> ImportResult:
    outcome = Outcome(row.number, "added" if row.action == PLACE else "changed", _in_words(row), "", student.full_name)
    if row.action == PLACE:
        return ImportResult(1, 0, 0, new_rows=[row.number], outcomes=[outcome])
    changed = RowChange(row.number, f"user {student.user_id}", [FieldChange("hold", row.type, "")])
    return ImportResult(0, 1, 0, [changed], outcomes=[outcome])


def _unchanged(row: ImportedHold, student: User) -> ImportResult:
    outcome = Outcome(row.number, "unchanged", _in_words(row), student=student.full_name)
    return ImportResult(0, 0, 1, outcomes=[outcome])


def _in_words(row: ImportedHold) -> Sentence:
    if row.action == PLACE:
        return Sentence("Place hold: %(type)s, “%(reason)s”.", type=row.type, reason=row.reason)
    return Sentence("Lift hold: %(type)s.", type=row.type)
