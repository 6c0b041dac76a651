"""A school with a crowd of different students, in all the situations that a catalog page shows differently."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections import terms
from quart_enroll.domain.models import Section, Term
from tests.bench.school_data import FALL, course, in_production, section
from tests.support.school import build
from tests.support.student_crowd import Student, sign_in

COURSES = 500
FIRST_STUDENT_ID = 10_001
COURSES_PER_PAGE = 25
FULL_SECTIONS_PER_PAGE, NEARLY_FULL_SECTIONS_PER_PAGE = 3, 5
"""Sections at the end of each catalog page that are full, with a waitlist, and before those, sections with one seat."""

SEATS = 90
"""The capacity of all other sections."""

MOVERS_PER_SECTION = 4
"""Students whose seats in a section move while pages are measured."""

KINDS = (
    *["nothing yet"] * 5,
    *["a plan"] * 4,
    *["courses"] * 6,
    *["courses and a plan"] * 4,
    "waitlisted",
)
"""Of each twenty students, how many are in which situation a few minutes after the opening: a quarter hasn't begun, a
fifth has planned, half has one to five courses, and one in twenty waits for a seat."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The numbers of the courses in which a student is enrolled, which the student plans and is waitlisted for.

    `moving` is the number of the course that the student takes and drops while pages are measured.
    """

    student: Student
    enrolled: tuple[int, ...]
    planned: tuple[int, ...]
    waitlisted: tuple[int, ...]
    moving: int | None = None


def is_full(number: int) -> bool:
    """Return whether the course's section is full, and has a waitlist."""
    return number % COURSES_PER_PAGE >= COURSES_PER_PAGE - FULL_SECTIONS_PER_PAGE


def is_nearly_full(number: int) -> bool:
    """Return whether the course's section has one open seat."""
    first_full = COURSES_PER_PAGE - FULL_SECTIONS_PER_PAGE
    return first_full - NEARLY_FULL_SECTIONS_PER_PAGE <= number % COURSES_PER_PAGE < first_full


def meeting_slot(number: int) -> tuple[str, str]:
    """Return the days and the start of the course's only meeting: two courses with the same conflict."""
    [meeting] = section(number, 0).meetings
    return meeting.days, meeting.start


def chosen_situations(students: Sequence[Student], courses: int = COURSES) -> list[Situation]:
    """Give each student a situation, the same in each run.

    Earlier courses of the catalog are more popular, and the courses of a student don't conflict.
    """
    rng = random.Random(16)  # noqa: S311  # no secret
    moving = iter([number for number in range(COURSES_PER_PAGE) if not is_full(number)] * MOVERS_PER_SECTION)
    waiting = iter([number for number in range(courses) if is_full(number)] * len(students))
    situations = []
    for index, student in enumerate(students):
        kind = KINDS[index % len(KINDS)]
        enrolled, planned, waitlisted = (), (), ()
        if kind == "waitlisted":
            waitlisted = (next(waiting),)
        if kind in ("courses", "courses and a plan", "waitlisted"):
            enrolled = _choose(rng, rng.randint(1, 5), courses, waitlisted)
        if "plan" in kind:
            planned = _choose(rng, rng.randint(1, 5), courses, enrolled)
        situation = Situation(student, enrolled, planned, waitlisted)
        if kind == "nothing yet" or (kind == "courses" and len(enrolled) < 5):
            situation = _with_moving(situation, moving)
        situations.append(situation)
    return situations


def _choose(rng: random.Random, count: int, courses: int, without: Sequence[int]) -> tuple[int, ...]:
    chosen: list[int] = []
    slots = {meeting_slot(number) for number in without}
    while len(chosen) < count:
        number = min(courses - 1, int(rng.expovariate(3 / courses)))
        if meeting_slot(number) not in slots and number not in without:
            slots.add(meeting_slot(number))
            chosen.append(number)
    return tuple(chosen)


def _with_moving(situation: Situation, moving: Iterator[int]) -> Situation:
    number = next(moving, None)
    if number is None or meeting_slot(number) in map(meeting_slot, situation.enrolled):
        return situation
    return replace(situation, moving=number)


async def create_school(db: Database, students: int, courses: int = COURSES, key: str = "") -> list[Situation]:
    """Fill an empty database with an open term, courses with a section each, and the students in their situations.

    `key` is the site's SECRET_KEY, if it differs from that of the measured sites.
    """
    await build(db)
    now = datetime.now(UTC)
    deadline = now + timedelta(days=30)
    await terms.put_all(db, [Term("Fall 2026", now - timedelta(days=1), deadline, deadline, deadline)])
    await db.course.insert_many([asdict(course(number)) for number in range(courses)])
    crowd = in_production(await sign_in(db, range(FIRST_STUDENT_ID, FIRST_STUDENT_ID + students), key))
    situations = chosen_situations(crowd, courses)
    taken = Counter(number for one in situations for number in one.enrolled)
    waiting = Counter(number for one in situations for number in one.waitlisted)
    sections = [_section(number, taken[number], waiting[number]) for number in range(courses)]
    await db.section.insert_many([asdict(one) | {"queue_tail": one.waiting} for one in sections])
    await _insert_enrollments(db, situations, now)
    await _insert_plans(db, situations, now)
    await _insert_waitlists(db, situations, now)
    return situations


def _section(number: int, taken: int, waiting: int) -> Section:
    capacity = taken if is_full(number) else taken + 1 if is_nearly_full(number) else max(SEATS, taken + 20)
    return replace(section(number, taken), capacity=capacity, waiting=waiting)


def _row(user_id: int, number: int) -> Document:
    return {"user_id": user_id, "courseID": course(number).courseID, "term": FALL, "section": "01"}


async def _insert_enrollments(db: Database, situations: Sequence[Situation], now: datetime) -> None:
    await db.enrollment.insert_many(
        _row(one.student.user_id, number) | {"enrolled_at": now, "status": "enrolled"}
        for one in situations
        for number in one.enrolled
    )
    await db.schedule.insert_many(
        {"user_id": one.student.user_id, "term": FALL, "credits": 3 * len(one.enrolled), "version": 1}
        for one in situations
    )


async def _insert_plans(db: Database, situations: Sequence[Situation], now: datetime) -> None:
    await db.plan.insert_many(
        _row(one.student.user_id, number) | {"place": place, "added_at": now, "expires_at": now + timedelta(days=200)}
        for one in situations
        for place, number in enumerate(one.planned, 1)
    )


async def _insert_waitlists(db: Database, situations: Sequence[Situation], now: datetime) -> None:
    places: Counter[int] = Counter()
    rows = []
    for one in situations:
        for number in one.waitlisted:
            places[number] += 1
            more = {"place": places[number], "joined_at": now, "drop_if_enrolled": None, "skipped_because": None}
            rows.append(_row(one.student.user_id, number) | more)
    await db.waitlist.insert_many(rows)
