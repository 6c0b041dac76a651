"""Students who aren't active: what they can't do, what promotion does about them, and changes at the same moment."""

import asyncio

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.models import Profile, SectionKey, SectionRequest, User
from quart_enroll.domain.student_attributes import StudentAttributes, StudentStatus
from quart_enroll.services.catalog import import_users as service
from quart_enroll.services.catalog.import_users import import_users
from quart_enroll.services.catalog.imported_users import ImportedUser
from quart_enroll.services.enrollment import act_for, enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.staff import people
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import FALL, NOW, course, enrolled_students, outcome, section, store, term
from tests.support.people import RITA

ADA, BOB, CAY = 11, 12, 13
KEY = SectionKey(FALL, "A", "01")
A, B = SectionRequest("A", FALL, "01"), SectionRequest("B", FALL, "01")
ON_LEAVE = StudentAttributes(status=StudentStatus.LEAVE)


@pytest.fixture(autouse=True)
async def school(db: Database) -> None:
    """Section A with one seat, and section B with many."""
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 9))
    for number, name in ((ADA, "ada"), (BOB, "bob"), (CAY, "cay")):
        await users.add(db, User(number, f"{name}@school.example", name.title(), "X"), "x")
    await users.add(db, RITA, "x")


async def change(context: EnrollmentContext, student: int, attributes: StudentAttributes) -> None:
    found = await users.find(context.db, student)
    assert found
    seen = Profile.of(found).fingerprint
    await people.change_profile(context, RITA, student, Profile(found.roles, attributes=attributes), NOW, seen=seen)


async def test_a_student_on_leave_can_only_drop(db: Database, context: EnrollmentContext) -> None:
    await enroll.enroll(context, BOB, A, NOW)
    await enroll.enroll(context, ADA, B, NOW)
    await change(context, ADA, ON_LEAVE)
    staff = Actor(RITA.user_id, "Please", frozenset(Override))
    for attempt in (
        enroll.enroll(context, ADA, SectionRequest("A", FALL, "01"), NOW),
        waitlist.join(context, ADA, A, NOW),
        enroll.swap(context, ADA, "B", A, NOW),
        act_for.enroll(context, staff, ADA, KEY, NOW),
    ):
        assert await outcome(attempt) == "not_active"
    assert await outcome(enroll.drop(context, ADA, B, NOW)) == "ok"
    await assert_sound(db)


async def test_the_refusal_names_the_status_and_who_changes_it(context: EnrollmentContext) -> None:
    await change(context, ADA, ON_LEAVE)
    with pytest.raises(Exception, match=r"is “On leave”.*ask the registrar"):
        await enroll.enroll(context, ADA, B, NOW)


async def test_a_seat_passes_a_student_on_leave_who_gets_one_on_coming_back(
    db: Database, context: EnrollmentContext
) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    for student in (BOB, CAY):
        await waitlist.join(context, student, A, NOW)
    await change(context, BOB, ON_LEAVE)
    await enroll.drop(context, ADA, A, NOW)
    assert await enrolled_students(db, KEY) == {CAY}
    await enroll.drop(context, CAY, A, NOW)
    assert await enrolled_students(db, KEY) == set()
    assert (await audit.check(db, NOW)).discrepancies == []
    await change(context, BOB, StudentAttributes())
    assert await enrolled_students(db, KEY) == {BOB}
    await assert_sound(db)


async def test_an_import_promotes_those_whom_it_makes_active_as_its_preview_said(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    for student in (BOB, CAY):
        await waitlist.join(context, student, A, NOW)
        await change(context, student, ON_LEAVE)
    await enroll.drop(context, ADA, A, NOW)
    rows = [_back(CAY, "cay"), _back(BOB, "bob")]
    preview = await import_users(db, rows, NOW, unusable_password="x", dry_run=True)
    assert [one.user_id for one in preview.promoted] == [BOB]
    assert await enrolled_students(db, KEY) == set()
    monkeypatch.setattr(service, "MAX_TRIED_STUDENTS", 1)
    partly = await import_users(db, rows, NOW, unusable_password="x", dry_run=True)
    assert ([one.user_id for one in partly.promoted], partly.notes) == ([CAY], [service.NOT_ALL_TRIED])
    result = await import_users(db, rows, NOW, unusable_password="x")
    assert [one.user_id for one in result.promoted] == [BOB]
    assert {one.field for one in result.changes[0].fields} == {"status", "standing"}
    assert await enrolled_students(db, KEY) == {BOB}
    await assert_sound(db)


def _back(student: int, name: str) -> ImportedUser:
    """Return a row that makes the student active."""
    back = User(student, f"{name}@school.example", "", "", attributes=StudentAttributes(standing="Senior"))
    return ImportedUser(student, student, back, None, frozenset({"status", "standing"}))


async def test_no_seat_stays_open_for_students_who_become_active_meanwhile(
    db: Database, context: EnrollmentContext
) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    await waitlist.join(context, BOB, A, NOW)
    for _ in range(6):
        await change(context, BOB, ON_LEAVE)
        await asyncio.gather(enroll.drop(context, ADA, A, NOW), change(context, BOB, StudentAttributes()))
        assert await enrolled_students(db, KEY) == {BOB}
        await enroll.drop(context, BOB, A, NOW)
        await enroll.enroll(context, ADA, A, NOW)
        await waitlist.join(context, BOB, A, NOW)
