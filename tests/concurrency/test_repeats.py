"""Courses that limit attempts, in two terms at once."""

from dataclasses import replace

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    SPRING,
    course,
    enrolled_students,
    outcome,
    outcomes_of,
    section,
    store,
    term,
)

ADA, BOB = 1, 2
STUDENTS = range(1, 11)
IN_FALL, IN_SPRING = (SectionRequest("ART", name, "01") for name in (FALL, SPRING))
SEAT = SectionKey(SPRING, "ART", "01")


@pytest.fixture
async def art(db: Database) -> Database:
    """A course that can be taken once, offered in two terms with the same dates; in spring, it has one seat."""
    offered = section("ART", len(STUDENTS)), section("ART", 1, name=SPRING)
    await store(db, term(), term(SPRING), replace(course("ART"), max_attempts=1), *offered)
    return db


async def test_of_two_attempts_in_two_processes_one_is_refused(art: Database, context: EnrollmentContext) -> None:
    await sections.put_all(art, [section("ART", len(STUDENTS), name=SPRING)])
    wanted = (context, IN_FALL), (EnrollmentContext(art), IN_SPRING)
    attempts = [enroll.enroll(process, one, where, NOW) for one in STUDENTS for process, where in wanted]
    outcomes = await outcomes_of(attempts)
    assert sorted(outcomes) == sorted(["ok", "repeat_limit"] * len(STUDENTS))
    await assert_sound(art)


async def test_dropping_an_attempt_lets_a_waitlisted_student_in(art: Database, context: EnrollmentContext) -> None:
    await enroll.enroll(context, BOB, IN_SPRING, NOW)
    await waitlist.join(context, ADA, IN_SPRING, NOW)
    await enroll.enroll(context, ADA, IN_FALL, NOW)
    await enroll.drop(context, BOB, IN_SPRING, NOW)
    assert await enrolled_students(art, SEAT) == set()
    assert await outcome(waitlist.join(context, ADA, IN_SPRING, NOW)) == "already_waiting"
    await enroll.drop(context, ADA, IN_FALL, NOW)
    assert await enrolled_students(art, SEAT) == {ADA}
    await assert_sound(art)
