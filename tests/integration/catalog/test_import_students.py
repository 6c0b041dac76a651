"""Imports of files about students, of which a few are in memory at a time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import appointments, users
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.models import User
from quart_enroll.domain.stored_import import APPOINTMENTS, ENROLLMENTS, HOLDS
from quart_enroll.services.catalog import import_students
from quart_enroll.services.catalog.import_appointments import ImportedAppointment
from quart_enroll.services.catalog.import_enrollments import ImportedEnrollment
from quart_enroll.services.catalog.import_holds import ImportedHold
from quart_enroll.services.catalog.import_rows import import_rows
from tests.support.holds import BURSAR, add_type
from tests.support.people import FALL, FALL_MORNING, PASSWORD_HASH

STUDENTS = [User(100 + number, f"s{number}@school.example", f"S{number}", "X") for number in range(4)]
NAMES = [*(one.email for one in STUDENTS), STUDENTS[0].email]
"""What the rows call their students: the last is about the first student again, in another batch."""

LATER = FALL.opens_at + timedelta(days=1)
ROWS: dict[str, Sequence[Any]] = {
    ENROLLMENTS: [ImportedEnrollment(n, name, "Fall 2026", "1111", "01", "add") for n, name in enumerate(NAMES, 1)],
    HOLDS: [ImportedHold(n, name, BURSAR.name, "place", "Late") for n, name in enumerate(NAMES, 1)],
    APPOINTMENTS: [ImportedAppointment(n, name, Appointment("Fall 2026", LATER)) for n, name in enumerate(NAMES, 1)],
}


@pytest.mark.parametrize("kind", ROWS)
async def test_the_students_of_a_long_file_are_read_in_batches(
    db: Database, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_students, "BATCH_STUDENTS", 2)
    for one in STUDENTS:
        await users.add(db, one, PASSWORD_HASH)
    await add_type(db)
    found_at_once: list[int] = []
    appointments_at_once: list[int] = []
    find_by_emails, find_in_terms = users.find_by_emails, appointments.find_in_terms

    async def find_and_count(db: Database, emails: Sequence[str], session: Session | None = None) -> dict[str, User]:
        found_at_once.append(len(emails))
        return await find_by_emails(db, emails, session)

    async def find_and_count_appointments(*wanted: Any) -> dict[tuple[int, str], Appointment]:
        found = await find_in_terms(*wanted)
        appointments_at_once.append(len(found))
        return found

    monkeypatch.setattr(users, "find_by_emails", find_and_count)
    monkeypatch.setattr(appointments, "find_in_terms", find_and_count_appointments)
    for dry_run in (True, False, True):
        result = await import_rows(db, kind, ROWS[kind], lambda: FALL_MORNING, unusable_password="x", dry_run=dry_run)
        assert [one.number for one in result.outcomes] == [1, 2, 3, 4, 5]
        assert result.outcomes[4].what == "unchanged"
    assert max(found_at_once) == 2
    assert max(appointments_at_once, default=0) == (2 if kind == APPOINTMENTS else 0)
