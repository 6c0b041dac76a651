"""Assign enrollment appointments to many students: rank them, preview the slots, and let an import make the changes.

The ranks are stored, so that the order can be recomputed whatever becomes of the students' credits.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

from quart_enroll.db.client import Database
from quart_enroll.db.collections import appointment_ranks, bulk_assignments
from quart_enroll.db.collections.imports import LIFETIME
from quart_enroll.db.queries import people
from quart_enroll.domain import bulk_appointments
from quart_enroll.domain.bulk_appointments import BulkAssignment, BulkRules, PlacedStudent, RankedStudent
from quart_enroll.domain.errors import RowProblem, WrongFields
from quart_enroll.domain.models import PeopleFilter, Term
from quart_enroll.domain.roles import STUDENT_ONLY
from quart_enroll.domain.stored_import import APPOINTMENTS
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_checks import refuse
from quart_enroll.services.catalog.import_sections import accounts_of
from quart_enroll.services.catalog.import_students import unknown_student
from quart_enroll.services.staff import imports

ROWS_PER_BATCH = 500


async def prepare(
    db: Database,
    staff_id: int,
    term: Term,
    rules: BulkRules,
    now: datetime,
    *,
    ranks: Mapping[int, int | float] | None = None,
    filename: str = "",
) -> str:
    """Rank the students, store the assignment, and let its import be checked; return the import_id.

    A ranking by file has the students' `ranks`, and assigns nothing to others. Nothing changes for students before the
    import begins. Raises WrongFields for rules that don't fit the term, or no student.
    """
    await _remove_abandoned(db, now)
    students = await find_students(db, rules, ranks)
    if problems := bulk_appointments.problems(term, rules, len(students)):
        raise WrongFields({name: str(sentence) for name, sentence in problems.items()})
    if not students:
        raise WrongFields({"restriction": str(Sentence("No active student would get an appointment."))})
    assignment_id = secrets.token_urlsafe(16)
    await bulk_assignments.add(
        db, BulkAssignment(assignment_id, rules, len(students), staff_id, now, filename=filename)
    )
    await appointment_ranks.add_all(db, assignment_id, students)
    file = await asyncio.to_thread(_import_file, rules, students, ZoneInfo(term.timezone))
    import_id = await imports.upload(db, staff_id, APPOINTMENTS, term.term, BytesIO(file), now, columns={})
    await bulk_assignments.set_import(db, assignment_id, import_id)
    return import_id


async def find_students(
    db: Database, rules: BulkRules, ranks: Mapping[int, int | float] | None = None
) -> list[RankedStudent]:
    """Return the students who take part now, with their ranks."""
    found: list[RankedStudent] = []
    async for batch in people.batches(db, PeopleFilter(roles=STUDENT_ONLY, order="user_id")):
        for user in batch:
            if rules.admits(user.attributes) and (ranks is None or user.user_id in ranks):
                rank = rules.rank(user.attributes) if ranks is None else ranks[user.user_id]
                found.append(RankedStudent(user.user_id, rank))
    return found


async def find_ranks(db: Database, rows: Sequence[tuple[int, str, int | float]]) -> dict[int, int | float]:
    """Return the ranks of a file by user_id, from the number, the student and the rank of each row.

    Raises InvalidRows for students who don't exist, or are in the file twice.
    """
    accounts, found = await accounts_of(db, {student for _, student, _ in rows}), dict[int, int | float]()
    problems = []
    for number, student, rank in rows:
        user_id = accounts.get(student)
        if user_id is None:
            problems.append(unknown_student(number, student))
        elif user_id in found:
            sentence = Sentence("%(name)s is in the file twice.", name=student)
            problems.append(RowProblem(number, sentence, "student"))
        else:
            found[user_id] = rank
    refuse(problems)
    return found


async def find(db: Database, assignment_id: str) -> BulkAssignment | None:
    """Return the assignment, or None."""
    return await bulk_assignments.find(db, assignment_id)


async def find_by_import(db: Database, import_id: str) -> BulkAssignment | None:
    """Return the assignment whose changes the import makes, or None."""
    return await bulk_assignments.find_by_import(db, import_id)


async def find_begun(db: Database, term: str) -> list[BulkAssignment]:
    """Return the term's assignments that have begun, the latest first."""
    return await bulk_assignments.find_begun(db, term)


async def place(db: Database, assignment: BulkAssignment, term: Term) -> list[PlacedStudent]:
    """Return the students of the assignment in their order, computed again from what is stored."""
    students = await appointment_ranks.find_all(db, assignment.assignment_id)
    return await asyncio.to_thread(_place, assignment.rules, students, ZoneInfo(term.timezone))


async def batches(
    db: Database, assignment: BulkAssignment, term: Term
) -> AsyncGenerator[Sequence[PlacedStudent], None]:
    """Yield the students of the assignment in batches, in their order."""
    placed = await place(db, assignment, term)
    for begin in range(0, len(placed), ROWS_PER_BATCH):
        yield placed[begin : begin + ROWS_PER_BATCH]


async def _remove_abandoned(db: Database, now: datetime) -> None:
    """Remove assignments that were never confirmed, and whose imports are forgotten by now."""
    for assignment_id in await bulk_assignments.find_not_begun(db, now - LIFETIME):
        await appointment_ranks.remove(db, assignment_id)
        await bulk_assignments.remove(db, assignment_id)


def _place(rules: BulkRules, students: Sequence[RankedStudent], zone: ZoneInfo) -> list[PlacedStudent]:
    return [*bulk_appointments.place(rules, students, zone)]


def _import_file(rules: BulkRules, students: Sequence[RankedStudent], zone: ZoneInfo) -> bytes:
    """Return the JSON file of appointments that the import reads."""
    rows = []
    for one in bulk_appointments.place(rules, students, zone):
        given = one.appointment
        row = {"student": str(one.student.user_id), "term": rules.term, "starts_at": given.starts_at.isoformat()}
        if given.ends_at is not None:
            row["ends_at"] = given.ends_at.isoformat()
        if given.max_credits is not None:
            row["max_credits"] = str(given.max_credits)
        rows.append(row)
    return json.dumps(rows).encode()
