"""Imported grades: the prerequisites that they meet, and the rows that are refused."""

from dataclasses import replace

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_grades import ImportedGrade, import_grades
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.support.people import ADA, BOB, FALL, SPRING, Browser, Clock, buttons, message_after, set_clock

PYTHON = SectionKey("Fall 2026", "1111", "01")
OPENING = SPRING.opens_at


def row(grade: str, student: str = "ada@school.example", courseID: str = "1111") -> ImportedGrade:  # the stored name
    return ImportedGrade(2, student, "Fall 2026", courseID, grade)


@pytest.fixture
async def java(db: Database) -> Database:
    """Let JAV 201 require a C in PYT 101, which ada took in fall."""
    await db.course.update_one({"courseID": "2222"}, {"$set": {"requisite": "1111 with C or better"}})
    await enrollments.put(db, ADA.user_id, PYTHON, FALL.opens_at, None)
    return db


async def test_a_grade_that_is_too_low_meets_no_prerequisite(ada: Browser, java: Database, clock: Clock) -> None:
    await set_clock(OPENING, clock, (ada, ADA))
    assert "Enroll in JAV 201, section 01" in buttons(await ada.read("/course/2222"))  # until the grade is recorded
    assert (await import_grades(java, [row("D")], OPENING)).changed == 1
    missing = "JAV 201 requires 1111 (PYT 101) with a grade of C or better from an earlier term."
    assert await message_after(ada, "/enrollment", courseID="2222") == missing
    page = await ada.read("/course/2222")
    assert missing in page
    assert "(with a grade of C or better)" in page
    assert "(not met)" in page
    assert (await import_grades(java, [row("B")], OPENING)).changed == 1
    assert await message_after(ada, "/enrollment", courseID="2222") == "You’re enrolled in JAV 201 for Spring 2027."


async def test_a_better_grade_promotes_the_student_who_was_skipped(java: Database) -> None:
    context, request = EnrollmentContext(java), SectionRequest("2222", "Spring 2027")
    await enrollments.put(java, BOB.user_id, PYTHON, FALL.opens_at, None)
    await java.section.update_one({"courseID": "2222"}, {"$set": {"capacity": 1, "waitlist_capacity": 1}})
    await enroll.enroll(context, BOB.user_id, request, OPENING)
    await waitlist.join(context, ADA.user_id, request, OPENING)
    await import_grades(java, [row("F")], OPENING)
    await enroll.drop(context, BOB.user_id, request, OPENING)
    assert await java.enrollment.count_documents({"courseID": "2222"}) == 0
    assert (await import_grades(java, [row("C")], OPENING, dry_run=True)).promoted
    assert [one.user_id for one in (await import_grades(java, [row("C")], OPENING)).promoted] == [ADA.user_id]
    assert (await import_grades(java, [row("C")], OPENING)).unchanged == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("A", "nobody@school.example")], "There is no student nobody@school.example."),
        ([row("A", courseID="3333")], "ada@school.example has no enrollment in 3333 for Fall 2026."),
        ([row("A"), replace(row("B", "1"), number=3)], "user 1, 1111, Fall 2026 is in the file twice."),
    ],
)
async def test_a_file_with_a_grade_for_no_enrollment_changes_nothing(
    java: Database, rows: list[ImportedGrade], message: str
) -> None:
    with pytest.raises(InvalidRows) as refused:
        await import_grades(java, [row("A"), *rows] if len(rows) == 1 else rows, OPENING)
    assert [str(one.sentence) for one in refused.value.problems] == [message]
    assert await java.enrollment.find_one({"grade": {"$exists": True}}) is None
