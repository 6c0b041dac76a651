"""A row that concerns a student is built for that student; any other row is shared."""

import random
from itertools import product

import pytest

from quart_enroll.domain.catalog import CourseSections
from quart_enroll.domain.models import Course, Meeting, Registration, Section, TakenCourse, Term
from quart_enroll.pages.catalog import course_rows, section_actions
from quart_enroll.pages.student_state import StudentState
from tests.support.people import FALL, FALL_MORNING

TIMES = [("09:00", "09:50"), ("09:30", "10:45"), ("10:00", "10:50"), ("22:00", "23:59"), ("soon", "later")]
MEETINGS = [(), *((Meeting(days, *time),) for days, time in product(("MWF", "TR"), TIMES))]


def _section(courseID: str, seats: int, meetings: tuple[Meeting, ...]) -> Section:
    return Section(FALL.term, courseID, "01", 10, 10 - seats, 5, 0, meetings)


def _found(number: int, dice: random.Random) -> CourseSections:
    needs = tuple(f"{other}" for other in range(6) if dice.random() < 0.15)
    requisite = dice.choice(["", "", f"{(number + 1) % 6} concurrently", f"{(number + 2) % 6} with C or better"])
    about = f"TST {number}", "", dice.choice([1, 3, 6]), "Fall"
    course = Course(f"{number}", *about, prerequisites=needs, requisite=requisite)
    return CourseSections(course, (_section(course.courseID, dice.choice([0, 4]), dice.choice(MEETINGS)),))


def _student(taught: list[CourseSections], earlier: Term, dice: random.Random) -> StudentState:
    has = [Registration(one.course, one.sections[0], "enrolled") for one in dice.sample(taught, dice.randrange(4))]
    return StudentState(
        has,
        (),
        [
            TakenCourse(f"{number}", earlier, dice.choice(["", "C", "D", "F"]))
            for number in range(6)
            if dice.random() < 0.3
        ],
        {one.sections[0].key for one in dice.sample(taught, dice.randrange(3))},
        {one.sections[0].key for one in dice.sample(taught, dice.randrange(3))},
    )


@pytest.mark.parametrize("moment", [FALL.opens_at.replace(year=2025), FALL_MORNING, FALL.add_deadline])
def test_a_cached_row_equals_one_rendered_for_the_student(moment: object) -> None:
    dice = random.Random(7)  # noqa: S311  # the same school each time
    earlier = Term("Spring 2026", *[FALL.opens_at] * 4)
    shared = 0
    for _ in range(200):
        taught = [_found(number, dice) for number in range(12)]
        state = _student(taught, earlier, dice)
        boundary = course_rows.last_boundary(FALL, moment)  # type: ignore[arg-type]
        rows = [course_rows.shared_row(FALL, one, boundary, signed_in=True) for one in taught]
        made = course_rows.personal_rows(FALL, rows, state, boundary)
        for one, common, row in zip(taught, rows, made, strict=True):
            own = section_actions.for_course(FALL, one.course, one.sections, state, moment)  # type: ignore[arg-type]
            assert list(row.choices) == own
            shared += row.choices is common.choices
    assert 200 < shared < 2200
