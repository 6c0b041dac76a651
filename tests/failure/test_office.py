"""Staff change a school while its students enroll over two processes, one of which is killed with SIGKILL."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, SectionStatus, Term
from quart_enroll.domain.roles import Role
from tests.concurrency.invariants import assert_sound
from tests.failure.office import Office, audit_faults
from tests.failure.school import FALL, read_all
from tests.failure.servers import start
from tests.support.processes import quart
from tests.support.school import build
from tests.support.student_crowd import Crowd, FormResponse, Student, sign_in

STUDENTS, REGISTRARS, COLLEAGUES = range(1, 301), range(901, 907), range(911, 914)
COURSES = [f"C{number}" for number in range(6)]
SEATS, PLACES = 30, 20
KEYS = [SectionKey(FALL, courseID, number) for courseID in COURSES for number in ("01", "02")]

RESPONSES_BEFORE_THE_KILL = 300
"""A third of the students' clicks, and most changes by staff are under way or made by then."""

EVERYTHING = [
    "roles.set",
    "section.cancel",
    "section.edit",
    "student.add",
    "student.drop",
    "student.move",
]
"""What the audit log must have afterwards."""


async def open_school(db: Database) -> None:
    """Store an open term and courses with two sections each; those of every other course are at the same time."""
    await build(db)
    opened = datetime.now(UTC) - timedelta(days=1)
    ends = opened + timedelta(days=30)
    await terms.put_all(db, [Term(FALL, opened, ends, ends, ends, max_credits=9)])
    await db.course.insert_many([asdict(Course(one, f"Course {one}", "", 3, "Fall")) for one in COURSES])
    times = [(Meeting("MW", f"{9 + place % 4:02}:00", f"{9 + place % 4:02}:50"),) for place in range(len(KEYS))]
    await sections.put_all(
        db,
        [
            Section(*asdict(key).values(), SEATS, waitlist_capacity=PLACES, meetings=when)
            for key, when in zip(KEYS, times, strict=True)
        ],
    )


async def register(crowd: Crowd, student: Student, rng: random.Random) -> None:
    """Enroll in two courses or wait for them; then drop one, swap it, wait for a swap, or leave a waitlist."""

    async def click(path: str, **form: str) -> FormResponse:
        response = await crowd.send_form(student, path, {"term": FALL} | form)
        assert response.status in (303, 404, 409), response  # 404 for a section that was cancelled
        return response

    first, second, third = rng.sample(KEYS, 3)
    for key in (first, second):
        wanted = {"courseID": key.courseID, "section": key.section}
        if (await click("/enrollment", **wanted)).code == "section_full":
            await click("/waitlist", **wanted)
    match student.user_id % 4:
        case 0:
            await click("/enrollment/drop", courseID=first.courseID)
        case 1:
            await click("/enrollment/swap", drop=first.courseID, add=third.courseID, section=third.section)
        case 2:
            await click("/waitlist", courseID=third.courseID, section=third.section, drop_if_enrolled=first.courseID)
        case 3:
            await click("/waitlist/leave", courseID=second.courseID)


def staff_changes(office: Office, staff: list[Student], rng: random.Random) -> Iterator[Coroutine[Any, Any, None]]:
    """Yield fifty changes, each by one of the registrars."""
    for number in range(14):  # two people edit each section
        key, more = KEYS[number // 2], rng.choice([-6, -3, 4, 9])
        yield office.edit(staff[number % 2], key, capacity=more)
    for key in KEYS[7:10]:
        yield office.edit(staff[2], key, status=str(SectionStatus.CLOSED))
        yield office.edit(staff[3], key, status=str(SectionStatus.ACTIVE))
    for number, key in enumerate(KEYS[10:]):
        yield office.cancel(staff[number], key, "Too few students")
    for number in range(12):
        someone, key = rng.choice(STUDENTS), rng.choice(KEYS)
        reason, rules = f"Graduates in spring ({number})", ["full", "time_conflict", "credit_limit", "section_closed"]
        yield office.act(rng.choice(staff), someone, "enroll", key, reason, overrides=rules)
    for number in range(6):
        yield office.drop(rng.choice(staff), 10 * number, f"Asked for it ({number})")
        yield office.move_up(rng.choice(staff), 10 * number, f"Came first ({number})")
    for key in KEYS[:4]:
        yield office.drop_no_shows(staff[4], key, rng.sample(STUDENTS, 60))
    for number, colleague in enumerate((*COLLEAGUES, *COLLEAGUES)):  # two people set each one's roles
        yield office.set_roles(staff[number % 2], colleague, [Role.AUDITOR, Role.ADVISOR][: 1 + number // 3])


@pytest.mark.timeout(300)
async def test_staff_and_students_change_a_school_at_once_and_nothing_is_unaccounted(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    await open_school(db)
    students = await sign_in(db, STUDENTS)
    staff = await sign_in(db, REGISTRARS)
    await db.user.update_many({"user_id": {"$in": list(REGISTRARS)}}, {"$set": {"roles": [Role.REGISTRAR]}})
    await sign_in(db, COLLEAGUES)
    before, rng = await read_all(db), random.Random(17)  # noqa: S311  # the same changes each time
    with ExitStack() as stack:
        leaving, other, replacement = (start(stack, tmp_path, fresh_uri) for _ in range(3))
        for process in (leaving, other):
            await process.wait_until_listening()
        crowd = Crowd([leaving.port, other.port])
        office = Office(db, crowd)
        async with asyncio.TaskGroup() as everybody:
            for student in students:
                everybody.create_task(register(crowd, student, rng))
            for change in staff_changes(office, staff, rng):
                everybody.create_task(change)
            await crowd.wait_for_responses(RESPONSES_BEFORE_THE_KILL)
            leaving.kill()
            crowd.ports.remove(leaving.port)
            await replacement.wait_until_listening()
            crowd.ports.append(replacement.port)
    print(crowd.report(), f"; {office.conflicts} edits met another one")  # noqa: T201  # shown with -s
    # An unfinished transaction of a killed process would delay dropping the database by a minute.
    await db.client.admin.command("killAllSessions", [])
    rows = await read_all(db)
    done = Counter(entry["action"] for entry in rows["audit"])
    print(done)  # noqa: T201
    assert sorted({*EVERYTHING} - {*done}) == []
    assert audit_faults(before, rows) == []
    await assert_sound(db, datetime.now(UTC), lowered=True)
    checked = await asyncio.to_thread(quart, "check-seats", MONGO_URI=fresh_uri)
    assert checked.returncode == 0, checked.stdout
