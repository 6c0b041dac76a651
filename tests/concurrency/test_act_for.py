"""Acting for students: what is exceeded stays counted, and many students get a result each."""

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.models import SectionKey, SectionRequest, User
from quart_enroll.domain.roles import Role
from quart_enroll.services.catalog.import_enrollments import ImportedEnrollment, import_enrollments
from quart_enroll.services.catalog.import_transactions import ImportAuthor
from quart_enroll.services.enrollment import act_for, enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import FALL, NOW, course, enrolled_students, section, store, term, waitlisted_students

ADA, BOB, CAY, RITA = 1, 2, 3, 9
KEY = SectionKey(FALL, "A", "01")
A = SectionRequest("A", FALL, "01")
STAFF = Actor(RITA, "The lab has another bench.", frozenset({Override.FULL}))
REGISTRAR = User(RITA, "rita@school.example", "Rita", "Moreno", frozenset({Role.REGISTRAR}))


async def open_school(db: Database) -> None:
    """Store a full section with one seat, which ada has, and for which bob waits."""
    await store(db, term(), course("A"), section("A", 1))
    await users.add(db, REGISTRAR, "x")
    for number, name in ((ADA, "ada"), (BOB, "bob"), (CAY, "cay")):
        await users.add(db, User(number, f"{name}@school.example", name.title(), "X"), "x")


async def fill(context: EnrollmentContext) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    await waitlist.join(context, BOB, A, NOW)


async def faults(db: Database) -> list[str]:
    return (await audit.check(db, NOW)).discrepancies


async def test_a_seat_beyond_the_capacity_passes_nobody_on_the_waitlist(
    db: Database, context: EnrollmentContext
) -> None:
    await open_school(db)
    await fill(context)
    await act_for.enroll(context, STAFF, CAY, KEY, NOW)
    assert await enrolled_students(db, KEY) == {ADA, CAY}
    await enroll.drop(context, ADA, A, NOW)  # the section is full again, with one seat
    assert (await enrolled_students(db, KEY), await waitlisted_students(db, KEY)) == ({CAY}, [BOB])
    await enroll.drop(context, CAY, A, NOW)
    assert await enrolled_students(db, KEY) == {BOB}
    await assert_sound(db)


async def test_check_seats_accepts_what_staff_exceeded_and_nothing_more(
    db: Database, context: EnrollmentContext
) -> None:
    await open_school(db)
    await fill(context)
    await act_for.enroll(context, STAFF, CAY, KEY, NOW)
    assert await faults(db) == []
    await enroll.drop(context, CAY, A, NOW)
    row = {"user_id": CAY, "courseID": "A", "term": FALL, "section": "01", "enrolled_at": NOW, "status": "enrolled"}
    await db.enrollment.insert_one(row)
    await db.section.update_one({"courseID": "A"}, {"$inc": {"seats_taken": 1}})
    assert "A, section 01, Fall 2026: 2 enrolled, but the capacity is 1." in await faults(db)


async def test_each_of_many_students_gets_a_result(db: Database, context: EnrollmentContext) -> None:
    await open_school(db)
    texts = ["1", "ADA@school.example", "cay@school.example", "nobody@school.example"]
    rows = [ImportedEnrollment(number, text, FALL, "A", "01", "add") for number, text in enumerate(texts, 1)]
    author = ImportAuthor(RITA, reason="Asked.")
    for is_preview in (True, False):
        done = await import_enrollments(context, rows, lambda: NOW, author=author, dry_run=is_preview)
        outcomes = [(one.student, one.what) for one in done.outcomes]
        assert outcomes == [
            ("Ada X", "added"),
            ("Ada X", "unchanged"),
            ("Cay X", "refused"),
            ("nobody@school.example", "refused"),
        ]
        assert await enrolled_students(db, KEY) == (set() if is_preview else {ADA})
    await assert_sound(db)
