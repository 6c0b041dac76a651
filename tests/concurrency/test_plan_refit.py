"""Plans whose courses may be taken in other sections than the planned ones, pressed by many students at once."""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import pytest

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database
from quart_enroll.domain import rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.domain.plan_fit import ANY_SECTION
from quart_enroll.services.enrollment.batch_decisions import Decision
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import CHANGING, FALL, NOW, course, section, store, term
from tests.support.seat_model import OK, ModelSchool

TIMES = ("M 09:00 10:00", "T 09:00 10:00", "W 09:00 10:00", "M 09:30 10:30", "T 09:30 10:30")
COURSES = [course("A"), course("B", corequisites=("C",)), course("C"), course("D", 6), course("E", 6)]

Plan = Mapping[SectionKey, Sequence[str]]
"""The planned sections in their order, each with its alternatives."""


def draw_sections(rng: random.Random) -> list[Section]:
    """Return three sections of each course with few seats, at random times."""
    return [
        section(one.courseID, rng.randint(0, 2), rng.choice(TIMES), number=number)
        for one in COURSES
        for number in ("01", "02", "03")
    ]


def draw_plan(rng: random.Random) -> Plan:
    """Return a plan of two to four courses with random alternatives."""
    wanted = rng.sample(COURSES, rng.randint(2, 4))
    options = ((), ("03",), (ANY_SECTION,), ("03", ANY_SECTION), ("02", "03"))
    return {SectionKey(FALL, one.courseID, rng.choice(("01", "02"))): rng.choice(options) for one in wanted}


def accepted(key: SectionKey, alternatives: Iterable[str], school: ModelSchool) -> list[SectionKey]:
    """Return the sections that the student accepts, best first."""
    of_course = [other for other in school.sections if other.courseID == key.courseID]
    others = (of_course if one == ANY_SECTION else [SectionKey(FALL, key.courseID, one)] for one in alternatives)
    return [*dict.fromkeys([key, *chain.from_iterable(others)])]


async def store_plans(db: Database, plans: Mapping[int, Plan]) -> None:
    await db.plan.delete_many({})
    await db.plan.insert_many(
        section_keys.to_filter(key)
        | {"user_id": student, "place": place, "added_at": NOW}
        | ({"alternatives": [*alternatives]} if alternatives else {})
        for student, plan in plans.items()
        for place, (key, alternatives) in enumerate(plan.items(), 1)
    )


async def press_all(contexts: Sequence[EnrollmentContext], students: Iterable[int]) -> list[Sequence[Decision]]:
    presses = (contexts[student % len(contexts)].batches.enroll_in_plan(student, FALL, NOW) for student in students)
    return await asyncio.gather(*presses)


def code(decision: Decision) -> str:
    return decision.result.code if isinstance(decision.result, Refused) else OK


@pytest.mark.parametrize("seed", range(25))
async def test_students_get_the_best_sections_that_are_left(db: Database, seed: int) -> None:
    """The model tries every choice for one student after the other, in the order of the presses."""
    rng = random.Random(seed)  # noqa: S311  # the same schools each time
    offered = draw_sections(rng)
    plans = {student: draw_plan(rng) for student in range(1, 6)}
    await store(db, term(), *COURSES, *offered)
    await store_plans(db, plans)
    school = ModelSchool([term()], COURSES, offered)
    expected = [
        school.enroll_in_plan_with_alternatives(
            student, {key: accepted(key, others, school) for key, others in plan.items()}, NOW
        )
        for student, plan in plans.items()
    ]
    decided = await press_all([EnrollmentContext(db)], plans)
    assert [{one.instead_of or one.key: code(one) for one in each} for each in decided] == expected
    assert (await assert_sound(db)).seats == school.seats


async def test_two_processes_refuse_nobody_who_accepts_a_section_that_stays_open(db: Database) -> None:
    """Seats are only taken here, so one that is open at the end was open all the time."""
    rng = random.Random(7)  # noqa: S311
    contexts = [EnrollmentContext(db), EnrollmentContext(db)]
    for _ in range(4):
        for name in CHANGING:
            await db[name].delete_many({})
        late = [section(one.courseID, 8, "F 09:00 10:00", number="04") for one in COURSES]
        await store(db, term(), *COURSES, *draw_sections(rng), *late)
        plans = {student: draw_plan(rng) for student in range(1, 41)}
        await store_plans(db, plans)
        decided = await press_all(contexts, plans)
        school = await assert_sound(db)
        for (student, plan), decisions in zip(plans.items(), decided, strict=True):
            has = school.enrolled(student, FALL)
            enrolled = [school.sections[key] for key in has.values()]
            for refused in (one for one in decisions if code(one) in ("section_full", "time_conflict")):
                if not {*school.courses[refused.key.courseID].corequisites} <= has.keys():
                    continue  # no section would do
                left = [
                    key
                    for key in accepted(refused.key, plan[refused.key], school)
                    if school.open_seats(key)
                    and not any(rules.overlap(school.sections[key], other) for other in enrolled)
                ]
                assert not left, f"{student} was refused {refused.key}, and {left} are open"
