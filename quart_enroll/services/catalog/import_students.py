"""What imports of changes for students have in common: each row is a transaction, which also records its result."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role
from quart_enroll.domain.stored_import import Outcome
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_results import ImportResult, ImportTotal, RefusedRow
from quart_enroll.services.catalog.import_sections import accounts_of
from quart_enroll.services.catalog.import_transactions import IMPORT_RETRY_SECONDS, ImportAuthor

BATCH_STUDENTS = 500
"""Rows whose students are in memory at once."""


@dataclass(frozen=True, slots=True)
class StudentRow:
    """Row `number` of a file, about a student whom it names by user_id or email."""

    number: int
    student: str


RowT = TypeVar("RowT", bound=StudentRow)

ChangeRow = Callable[[RowT], Awaitable[ImportResult]]
"""Makes the change of a row, and returns the result; in a dry run, it only says what would become of the row."""


async def import_rows(
    db: Database,
    rows: Sequence[RowT | RefusedRow],
    author: ImportAuthor,
    prepare: Callable[[Sequence[RowT]], Awaitable[ChangeRow[RowT]]],
    *,
    dry_run: bool,
) -> ImportResult:
    """Make the change of each row that no earlier run has recorded, one after the other; record refused rows.

    `prepare` reads what the rows of a batch name, so that a long file takes no more memory than a short one. A dry run
    says what would become of each row after the earlier ones.
    """
    total = ImportTotal()
    for start in range(0, len(rows), BATCH_STUDENTS):
        batch = [
            one for one in rows[start : start + BATCH_STUDENTS] if dry_run or one.number not in author.recorded_rows
        ]
        change = await prepare([one for one in batch if not isinstance(one, RefusedRow)])
        for row in batch:
            if not isinstance(row, RefusedRow):
                total.add(await change(row))
                continue
            total.add(result := row.result())
            if not dry_run:
                await record(db, author, result)
    return total.result()


async def record(db: Database, author: ImportAuthor, result: ImportResult) -> None:
    """Record the result of a row that changes nothing."""

    async def body(session: Session) -> None:
        await author.record(session, result)

    await transaction(db, body, IMPORT_RETRY_SECONDS)


async def find_students(db: Database, texts: Collection[str]) -> dict[str, User]:
    """Return the students whom these texts name, by an email address or a user_id."""
    accounts = await accounts_of(db, texts)
    people = await users.find_many(db, set(accounts.values()))
    return {text: people[one] for text, one in accounts.items() if Role.STUDENT in people[one].roles}


def unknown_student(number: int, student: str) -> RowProblem:
    """Return what is wrong with a row that names no student."""
    return RowProblem(number, Sentence("There is no student %(student)s.", student=student), "student")


def refused(row: StudentRow, bad: RowProblem, students: Mapping[str, User]) -> ImportResult:
    """Return the result of a row that can't be imported, with the student's name if the row names one of these."""
    student = students.get(row.student)
    name = student.full_name if student else row.student
    outcome = Outcome(row.number, "refused", bad.sentence, bad.field, name)
    return ImportResult(0, 0, 0, refused=[bad], outcomes=[outcome])
