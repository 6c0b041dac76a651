"""A process is killed with SIGKILL while staff change what students are enrolling in."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from quart_enroll.db.client import Database
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from tests.concurrency.invariants import assert_sound
from tests.failure.school import FALL, Rows, open_school, read_all
from tests.failure.servers import start
from tests.failure.staff import StaffChange, act, cancel, drop_no_show, edit, set_roles, swap, unexplained_values
from tests.failure.students import LastResponses, register
from tests.support.student_crowd import Crowd, Student, sign_in

FULL = [f"F{number:02}" for number in range(20)]
"""Courses whose sections are full when registration begins: each has three students, and three who wait."""

SEATS = 3

ROOMY = [f"R{number}" for number in range(4)]
ROOMY_SEATS = 50

REOPENED = FULL[13:15]
"""Sections that are closed when registration begins, with two open seats."""

STUDENTS = 300
STAFF = 5


def early(course: int, place: int) -> int:
    """Return the user_id of a student who was early: places 1 to 3 have a seat in the full course, 4 to 6 wait."""
    return course * 2 * SEATS + place


EarlyChoice: TypeAlias = Callable[[EnrollmentContext, int, SectionRequest, datetime], Coroutine[Any, Any, object]]

CHANGES: list[StaffChange] = [
    *(edit(FULL[number], capacity=2 * SEATS) for number in range(5)),
    *(edit(FULL[number], capacity=1) for number in range(5, 8)),
    *(edit(FULL[number], capacity=seats, is_rival=True) for number in (8, 9) for seats in (1, 2 * SEATS)),
    *(edit(FULL[number], status="closed") for number in range(10, 13)),
    *(edit(courseID, status="active") for courseID in REOPENED),
    *(cancel(courseID) for courseID in (FULL[15], FULL[16], ROOMY[0])),
    *(drop_no_show(FULL[number], early(number, 1)) for number in (17, 18)),
    *(set_roles(number, "student", "advisor") for number in (201, 202)),
    *(set_roles(203, "student", role, is_rival=True) for role in ("advisor", "instructor")),
    *(act("drop", "student.drop", early(number, 2), FULL[number], "not_enrolled") for number in (0, 5, 10, 18)),
    *(
        act("reorder", "student.move", early(number, 6), FULL[number], "not_waiting")
        for number in (5, 6, 7, 10, 11, 12)
    ),
    *(act("leave", "student.leave", early(number, 5), FULL[number], "not_waiting") for number in (6, 7, 11)),
    *(act("enroll", "student.add", 210 + number, FULL[number], "already_enrolled") for number in (1, 6, 7, 8, 11, 17)),
    *(act("join", "student.join", 230 + number, FULL[number], "already_waiting") for number in (5, 6, 12)),
    *(swap(early(19, place), FULL[19], FULL[17]) for place in (1, 2)),
]


ACTED = {(change.entry.get("user_id"), change.body.get("courseID")) for change in CHANGES}
"""The students for whom staff act, and the courses."""


async def let_early_students_choose(db: Database) -> None:
    """Fill the full courses and their waitlists."""
    context, now = EnrollmentContext(db), datetime.now(UTC)

    async def each(choice: EarlyChoice, *places: int) -> None:
        await asyncio.gather(
            *(
                choice(context, early(number, place), SectionRequest(courseID, FALL, "01"), now)
                for number, courseID in enumerate(FULL)
                for place in places
            )
        )

    await each(enroll.enroll, 1, 2, 3)
    for place in (4, 5, 6):
        await each(waitlist.join, place)


async def sign_in_staff(db: Database) -> list[Student]:
    """Create registrars who have just confirmed their passwords."""
    staff = await sign_in(db, range(STUDENTS + 1, STUDENTS + STAFF + 1))
    numbers = {"user_id": {"$in": [one.user_id for one in staff]}}
    await db.user.update_many(numbers, {"$set": {"roles": ["registrar"], "role": "registrar"}})
    await db.login.update_many(numbers, {"$set": {"confirmed_at": datetime.now(UTC)}})
    return staff


def chosen_courses(student: Student) -> list[str]:
    """Return the courses that the student wants: none that the student was early for, or that staff choose."""
    number = student.user_id
    full = [FULL[(7 * number + step) % len(FULL)] for step in (0, 4, 9)]
    mine = FULL[(number - 1) // (2 * SEATS)] if number <= early(len(FULL) - 1, 2 * SEATS) else ""
    return [ROOMY[number % len(ROOMY)], *(one for one in full if one != mine and (number, one) not in ACTED)]


def is_planner(student: Student) -> bool:
    """Return whether the student presses a plan, instead of enrolling in one course after the other."""
    return student.user_id % 2 == 1


async def plan(db: Database, students: list[Student]) -> None:
    """Plan the chosen courses of those who press a plan."""
    await db.plan.insert_many(
        {"user_id": one.user_id, "term": FALL, "courseID": courseID, "section": "01", "place": place}
        | {"added_at": datetime.now(UTC)}
        for one in students
        if is_planner(one)
        for place, courseID in enumerate(chosen_courses(one), 1)
    )


async def choose(crowd: Crowd, student: Student, last_responses: LastResponses) -> None:
    """Enroll in the chosen courses."""
    if is_planner(student):
        await crowd.post(student, "/plan/enroll", term=FALL)
        return
    for courseID in chosen_courses(student)[:2]:
        await register(crowd, student, courseID, last_responses)


@pytest.mark.timeout(120)  # ten seconds on two idle cores
async def test_fifty_staff_changes_and_three_hundred_students_survive_the_kill_of_a_process(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    await open_school(db, FULL + ROOMY, capacity=SEATS, waitlist_capacity=30)
    await db.section.update_many({"courseID": {"$in": ROOMY}}, {"$set": {"capacity": ROOMY_SEATS}})
    students, staff = await sign_in(db, range(1, STUDENTS + 1)), await sign_in_staff(db)
    with ExitStack() as stack:
        killed, other = start(stack, tmp_path, fresh_uri), start(stack, tmp_path, fresh_uri)
        await let_early_students_choose(db)
        closed = {"status": "closed", "capacity": SEATS + 2}
        await db.section.update_many({"courseID": {"$in": REOPENED}}, {"$set": closed})
        await plan(db, students)
        before = await read_all(db)
        for process in (killed, other):
            await process.wait_until_listening()
        ports, last_responses = [killed.port, other.port], LastResponses()
        office, crowd = Crowd(ports), Crowd(ports)
        async with asyncio.TaskGroup() as group:
            chosen = [group.create_task(choose(crowd, one, last_responses)) for one in students]
            made = [
                group.create_task(change.send(office, staff[number % STAFF])) for number, change in enumerate(CHANGES)
            ]
            await office.wait_for_responses(len(CHANGES) // 4)
            killed.kill()
            ports.remove(killed.port)
            assert not all(one.done() for one in made)
            assert not all(one.done() for one in chosen)
    print(office.report(), crowd.report(), sep="\n")  # noqa: T201  # shown with -s
    assert office.cut_connections
    rows = await read_all(db)
    confirmed = [change.is_confirmed(task.result()) for change, task in zip(CHANGES, made, strict=True)]
    expected = [change.entry_count if is_made else 0 for change, is_made in zip(CHANGES, confirmed, strict=True)]
    found = [len(change.entries(rows)) for change in CHANGES]
    assert [one for one in zip(CHANGES, expected, found, strict=True) if one[1] != one[2]] == []
    assert len(rows["audit"]) == sum(expected)
    assert refused_changes(confirmed) == []
    assert passed_over(rows) == []
    assert unexplained_values(rows, before) == []
    assert last_responses.contradictions(rows) == []
    assert unsettled_plans(rows, before) == []
    await assert_sound(db, datetime.now(UTC), lowered=True)
    assert (await audit.check(db, datetime.now(UTC))).discrepancies == []


def refused_changes(confirmed: Sequence[bool]) -> list[StaffChange]:
    """Return the changes that were refused for no reason, and the rivals of which not exactly one was confirmed."""
    outcomes = list(zip(CHANGES, confirmed, strict=True))
    rivals = [one for one in outcomes if one[0].is_rival]
    wrong = [change for change, is_made in outcomes if not is_made and not change.is_rival]
    return wrong + [
        one for (one, won), (_, other_won) in zip(rivals[::2], rivals[1::2], strict=True) if won == other_won
    ]


def passed_over(rows: Rows) -> list[str]:
    """Return the students whom staff put first in line, and who neither are first nor have the seat."""
    first = {}
    for row in sorted(rows["waitlist"], key=lambda row: int(row["place"]), reverse=True):
        first[row["courseID"]] = row["user_id"]
    seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"]}
    moves = [row for row in rows["audit"] if row["action"] == "student.move"]
    return [
        f"student {row['user_id']}, {row['about']['courseID']}"
        for row in moves
        if first.get(row["about"]["courseID"]) != row["user_id"]
        and (row["user_id"], row["about"]["courseID"]) not in seated
    ]


def unsettled_plans(rows: Rows, before: Rows) -> list[str]:
    """Return the planned courses in which the student neither got a seat nor was told why not."""
    seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"]}
    told = {(row["user_id"], row["courseID"]) for row in rows["plan"] if row["because"]}
    lost = {(row["user_id"], row["courseID"]) for row in rows["event"] if row["action"] == "cancelled"}
    planned = {(row["user_id"], row["courseID"]) for row in before["plan"]}
    return [f"student {user_id}, {courseID}" for user_id, courseID in planned - (seated ^ told) - lost]
