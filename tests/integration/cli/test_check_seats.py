"""`check-seats`: recounts everything, reports each discrepancy in a sentence, and repairs it with `--repair`."""

import asyncio
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms, users
from quart_enroll.domain.models import Section, SectionRequest, User
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from tests.support.people import ADA, BOB, EVENINGS, FALL, FALL_MORNING, RITA

NOW = FALL_MORNING
PHP = {"term": "Fall 2026", "courseID": "3333"}
CLEO = User(4, "cleo@school.example", "Cleo", "Marsh")

Fields = dict[str, Any]


@pytest.fixture
async def school(db: Database) -> Database:
    """Ada is enrolled in PHP 202, which is full; bob is on its waitlist and enrolled in PYT 101."""
    await enroll.enroll(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    await enroll.enroll(EnrollmentContext(db), BOB.user_id, SectionRequest("1111", section="01"), NOW)
    await waitlist.join(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), NOW)
    return db


async def discrepancies(db: Database) -> list[str]:
    return (await audit.check(db, NOW)).discrepancies


async def repair(db: Database) -> list[str]:
    """Repair the database and return the remaining discrepancies."""
    await audit.repair(db, NOW)
    return await discrepancies(db)


async def test_a_consistent_database_has_no_discrepancies(school: Database) -> None:
    checked = await audit.check(school, NOW)
    assert (checked.discrepancies, checked.notes) == ([], [])
    assert (checked.seats, checked.waiting) == (2, 1)
    before = await school.section.find().to_list(None)
    assert await audit.repair(school, NOW) == []
    assert await school.section.find().to_list(None) == before


@pytest.mark.parametrize(
    ("collection", "row", "change", "sentence"),
    [
        ("section", PHP, {"seats_taken": 0}, "3333, section 01, Fall 2026: 0 seats counted as taken, but 1 enrolled."),
        ("section", PHP, {"waiting": 3}, "3333, section 01, Fall 2026: 3 counted as waiting, but 1 on the waitlist."),
        (
            "section",
            PHP,
            {"queue_tail": 0},
            "3333, section 01, Fall 2026: place 1 is beyond the last counted waitlist place, 0.",
        ),
        (
            "schedule",
            {"user_id": 1},
            {"credits": 9},
            "Student 1, Fall 2026: 9 credits counted, but the courses add up to 4.",
        ),
        (
            "waitlist",
            {},
            {"user_id": 99},
            "3333, section 01, Fall 2026: student 99 is waitlisted, but the student has no account.",
        ),
        (
            "waitlist",
            {},
            {"user_id": 1},
            "3333, section 01, Fall 2026: student 1 is waitlisted, but the student is already enrolled in the course.",
        ),
        (
            "waitlist",
            {},
            {"courseID": "9999"},
            "9999, section 01, Fall 2026: student 2 is waitlisted, but there is no such course.",
        ),
        (
            "waitlist",
            {},
            {"section": "09"},
            "3333, section 09, Fall 2026: student 2 is waitlisted, but there is no such section.",
        ),
    ],
)
async def test_discrepancies_are_reported_and_repaired(
    school: Database, collection: str, row: Fields, change: Fields, sentence: str
) -> None:
    await school[collection].update_one(row, {"$set": change})
    assert sentence in await discrepancies(school)
    assert await repair(school) == []
    assert await school.enrollment.count_documents({"status": "enrolled"}) == 2


async def test_repairing_gives_an_open_seat_to_a_waitlisted_student(school: Database) -> None:
    await school.section.update_one(PHP, {"$set": {"capacity": 2}})
    open_seat = "3333, section 01, Fall 2026: waitlisted student 2 could take an open seat."
    assert await discrepancies(school) == [open_seat]
    assert await audit.repair(school, NOW) == [
        "3333, section 01, Fall 2026: waitlisted students were enrolled in open seats."
    ]
    assert await discrepancies(school) == []
    assert await school.enrollment.count_documents({"user_id": 2}) == 2
    assert await school.notice.count_documents({"user_id": 2}) == 1


async def test_an_open_seat_that_no_waitlisted_student_can_take_is_fine(school: Database) -> None:
    await school.section.update_one(PHP, {"$set": {"capacity": 2}})
    await school.course.update_one({"courseID": "3333"}, {"$set": {"prerequisites": ["2222"]}})
    assert await discrepancies(school) == []
    assert (await audit.check(school, FALL.add_deadline)).discrepancies == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"user_id": 99}, "(3333, section 01, Fall 2026): student 99 is enrolled, but the student has no account."),
        ({"courseID": "9999"}, "(9999, section 01, Fall 2026): student 1 is enrolled, but there is no such course."),
        ({"section": "09"}, "(3333, section 09, Fall 2026): student 1 is enrolled, but there is no such section."),
        ({"term": "Fall 1999"}, "(3333, section 01, Fall 1999): student 1 is enrolled, but there is no such term."),
    ],
)
async def test_an_orphaned_enrollment_is_reported_and_never_removed(
    school: Database, change: Fields, sentence: str
) -> None:
    await school.enrollment.update_one({"user_id": 1}, {"$set": change})
    assert any(line.endswith(sentence) for line in await discrepancies(school))
    [remaining] = await repair(school)
    assert remaining.endswith(sentence)
    assert await school.enrollment.count_documents(change) == 1


async def test_an_old_row_of_an_unknown_course_is_not_said_to_be_of_an_unknown_term(school: Database) -> None:
    rows = [{"user_id": ADA.user_id, "courseID": courseID} for courseID in ("9999", "2222")]
    await school.enrollment.insert_many(rows, bypass_document_validation=True)
    unknown, unplaced = await discrepancies(school)
    assert unknown.endswith("(9999, section (none), no term): student 1 is enrolled, but there is no such course.")
    assert unplaced.endswith(
        "(2222, section (none), no term): student 1 is enrolled, but no term is given; `upgrade-db` assigns one."
    )


async def test_invisible_sections_are_reported(school: Database) -> None:
    invisible = [
        Section("Fall 2026", "9999", "01", 9),
        Section("Fall 2026", "9999", "02", 9),
        Section("Fall 19", "1111", "A", 9),
    ]
    await sections.put_all(school, invisible)
    assert await repair(school) == [
        "Students can’t see the sections of course 9999, which is not in the catalog: 01 (Fall 2026), 02 (Fall 2026). "
        "Add the course with `import course`.",
        "Students can’t see the sections of Fall 19, which is not a term of the school: 1111 A. "
        "Add the term with `import term`.",
    ]


async def test_courses_without_sections_are_a_note_and_not_an_error(school: Database) -> None:
    await school.section.delete_many({"courseID": "2222"})
    old = {"courseID": "4444", "title": "OLD 1", "description": "", "credits": 3, "term": "Winter 2022"}
    await school.course.insert_one(old)
    checked = await audit.check(school, NOW)
    assert checked.discrepancies == []
    assert checked.notes == [
        "No student can enroll in 1 course of “Winter 2022”, which is not a term of the school: 4444. "
        "Add the term with `import term`, or change the course with `import course`.",
        "No student can enroll in 1 course without sections: 2222. "
        "Add sections with `import section`, or give each course a section 01 with `upgrade-db --sections`.",
    ]


async def test_more_students_than_seats_are_reported(school: Database) -> None:
    await users.add(school, CLEO, "no hash")
    seat = await school.enrollment.find_one({"user_id": ADA.user_id}, {"_id": 0})
    assert seat is not None
    await school.enrollment.insert_one({**seat, "user_id": CLEO.user_id})
    assert await repair(school) == ["3333, section 01, Fall 2026: 2 enrolled, but the capacity is 1."]


async def test_two_courses_at_the_same_time_are_reported(school: Database) -> None:
    await school.section.update_many({"term": "Fall 2026"}, {"$set": {"meetings": [_stored(EVENINGS[0])]}})
    seat = await school.enrollment.find_one({"user_id": ADA.user_id}, {"_id": 0})
    assert seat is not None
    await school.enrollment.insert_one({**seat, "courseID": "1111", "section": "02"})
    assert await repair(school) == ["Student 1, Fall 2026: 1111 and 3333 both meet on TR 6:00–7:15 PM."]


async def test_waiting_to_swap_within_a_course_is_fine(school: Database) -> None:
    await sections.put_all(school, [Section("Fall 2026", "3333", "02", 0, waitlist_capacity=1)])
    await waitlist.join(EnrollmentContext(school), ADA.user_id, SectionRequest("3333", section="02"), NOW, "3333")
    assert await discrepancies(school) == []


async def test_a_row_left_alone_by_upgrade_db_is_listed(school: Database) -> None:
    await school.enrollment.insert_one({"user_id": "?", "courseID": "77"}, bypass_document_validation=True)
    [line] = await repair(school)
    assert line.endswith("(77, section (none), no term): student ? is enrolled, but the student has no account.")


async def test_the_command_reports_repairs_and_exits_with_a_status(school: Database, app: Quart) -> None:
    runner = app.test_cli_runner()

    async def run(*words: str) -> tuple[int, str]:
        result = await asyncio.to_thread(runner.invoke, args=words)
        return result.exit_code, result.output

    count = await school.section.count_documents({})
    fine = f"No discrepancies: {count} sections, 2 enrolled, 1 waiting.\n"
    assert await run("check-seats") == (0, fine)
    await school.section.update_one(PHP, {"$set": {"seats_taken": 0}})
    wrong = "3333, section 01, Fall 2026: 0 seats counted as taken, but 1 enrolled.\n"
    assert await run("check-seats") == (1, f"{wrong}Error: Found 1 discrepancy.\n")
    done = "Repaired: 3333, section 01, Fall 2026: recounted, 1 enrolled and 1 waiting.\n"
    assert await run("check-seats", "--repair") == (0, done + fine)


async def test_check_seats_may_run_while_students_enroll_and_drop(school: Database) -> None:
    await terms.put_all(school, [FALL])

    async def enroll_and_drop() -> None:
        for _ in range(10):
            await enroll.enroll(EnrollmentContext(school), RITA.user_id, SectionRequest("1111", section="01"), NOW)
            await enroll.drop(EnrollmentContext(school), RITA.user_id, SectionRequest("1111"), NOW)

    student = asyncio.create_task(enroll_and_drop())
    while not student.done():
        assert await discrepancies(school) == []
        assert await audit.repair(school, NOW) == []
    await student


def _stored(meeting: Any) -> Fields:
    return {"days": meeting.days, "start": meeting.start, "end": meeting.end}
