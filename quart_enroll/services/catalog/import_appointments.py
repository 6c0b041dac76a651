"""Imports enrollment appointments: each row is a transaction of its own, which also records what became of it."""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import appointments as stored
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import appointments
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.errors import AccountGone, RowProblem, UnknownTerm, WrongFields
from quart_enroll.domain.models import Term, User
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
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.staff import appointments as changes
from quart_enroll.system.clock import Clock


@dataclass(frozen=True, slots=True)
class ImportedAppointment(StudentRow):
    """A row with the student's appointment."""

    appointment: Appointment


@dataclass(slots=True)
class KnownFacts:
    """What the rows of a batch may name: students by what the file calls them, and terms.

    `current` are the students' appointments as they are or, in a preview, as earlier rows would make them.
    """

    students: Mapping[str, User]
    terms: Mapping[str, Term]
    current: MutableMapping[tuple[int, str], Appointment] = field(default_factory=dict)

    def find_problem(self, row: ImportedAppointment) -> RowProblem | None:
        """Return what is wrong with the row, or None."""
        if row.student not in self.students:
            return unknown_student(row.number, row.student)
        term = self.terms.get(row.appointment.term)
        if term is None:
            return RowProblem(row.number, UnknownTerm(row.appointment.term, []).message, "term")
        problems = appointments.problems(term, row.appointment)
        return next((RowProblem(row.number, sentence, name) for name, sentence in problems.items()), None)

    def result(self, row: ImportedAppointment) -> ImportResult:
        """Return what becomes of a row without a problem."""
        student, term = self.students[row.student], self.terms[row.appointment.term]
        before = self.current.get((student.user_id, term.term))
        text = appointments.in_words(term, row.appointment)
        if before == row.appointment:
            return ImportResult(0, 0, 1, outcomes=[Outcome(row.number, "unchanged", text, student=student.full_name)])
        if before is None:
            outcome = Outcome(row.number, "added", text, student=student.full_name)
            return ImportResult(1, 0, 0, new_rows=[row.number], outcomes=[outcome])
        old = appointments.in_words(term, before)
        outcome = Outcome(
            row.number,
            "changed",
            Sentence("%(new)s Previously: %(old)s", new=text, old=old),
            student=student.full_name,
        )
        changed = RowChange(row.number, f"user {student.user_id}", [FieldChange("appointment", str(old), str(text))])
        return ImportResult(0, 1, 0, [changed], outcomes=[outcome])


async def import_appointments(
    context: EnrollmentContext,
    rows: Sequence[ImportedAppointment | RefusedRow],
    clock: Clock,
    *,
    author: ImportAuthor,
    dry_run: bool = False,
) -> ImportResult:
    """Assign the appointments, one after the other, and return the result with the rows that were refused.

    An appointment that the student has already changes nothing.
    """
    terms = {term.term: term for term in await stored_terms.find_all(context.db)}
    previewed: dict[tuple[int, str], Appointment] = {}

    async def prepare(batch: Sequence[ImportedAppointment]) -> ChangeRow[ImportedAppointment]:
        known = KnownFacts(await find_students(context.db, {row.student for row in batch}), terms)
        if dry_run:
            known.current = ChainMap(previewed, await _find_current(context.db, batch, known))

        async def change(row: ImportedAppointment) -> ImportResult:
            if dry_run:
                return _preview(row, known)
            return await _make(context, row, known, author, clock())

        return change

    return await import_students.import_rows(context.db, rows, author, prepare, dry_run=dry_run)


def _preview(row: ImportedAppointment, known: KnownFacts) -> ImportResult:
    """Return what would become of a row after the earlier ones."""
    if problem := known.find_problem(row):
        return refused(row, problem, known.students)
    result = known.result(row)
    known.current[known.students[row.student].user_id, row.appointment.term] = row.appointment
    return result


async def _make(
    context: EnrollmentContext, row: ImportedAppointment, known: KnownFacts, author: ImportAuthor, now: datetime
) -> ImportResult:
    """Assign the appointment of a row and record the result, both in one transaction."""
    if student := known.students.get(row.student):
        current = await stored.find(context.db, student.user_id, row.appointment.term)
        known.current = {(student.user_id, row.appointment.term): current.appointment} if current else {}
    result = _preview(row, known)

    async def record(session: Session) -> None:
        await author.record(session, result)

    if result.added or result.changed:
        try:
            user_id = known.students[row.student].user_id
            await changes.assign(context, author.user_id, user_id, row.appointment, now, record)
        except (AccountGone, UnknownTerm, WrongFields) as refusal:
            result = refused(row, RowProblem(row.number, refusal.message), known.students)
        else:
            return result
    await import_students.record(context.db, author, result)
    return result


async def _find_current(
    db: Database, rows: Sequence[ImportedAppointment], known: KnownFacts
) -> dict[tuple[int, str], Appointment]:
    """Return the present appointments of the rows' students in the rows' terms."""
    user_ids = [one.user_id for one in known.students.values()]
    return await stored.find_in_terms(db, {row.appointment.term for row in rows}, user_ids)
