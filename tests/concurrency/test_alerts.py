"""Who asked to be told of a seat is told once, when one is open to everybody, and then no more."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import terms
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.enrollment import alerts
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll
from quart_enroll.services.enrollment.waitlist import join
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import FALL, NOW, course, day, found, offer, outcome, section, term
from tests.support.seat_model import OK

ADA, BOB, CAY, DAN = 1, 2, 3, 4
A, B = SectionRequest("A", FALL, "01"), SectionRequest("B", FALL, "01")
MORNING = "MWF 09:00 09:50"


@pytest.fixture
async def full(db: Database, context: EnrollmentContext) -> Database:
    """Two courses at one time with one seat each; ada has the one in A."""
    await found(db, term(), course("A"), course("B"), section("A", 1, MORNING), section("B", 1, MORNING))
    await enroll(context, ADA, A, NOW)
    return db


async def ask(context: EnrollmentContext, *students: int) -> None:
    for student in students:
        await alerts.add(context, student, A, NOW)


async def told(db: Database) -> dict[int, int]:
    """Return how often each student was told of an open seat in A."""
    return dict(Counter([row["user_id"] async for row in db.notice.find({"action": "alert", "courseID": "A"})]))


async def test_a_freed_seat_is_told_once_to_everybody_who_asked(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB, CAY)
    await drop(context, ADA, A, NOW)
    assert await told(full) == {BOB: 1, CAY: 1}
    await enroll(context, BOB, A, NOW)
    await drop(context, BOB, A, NOW)
    assert await told(full) == {BOB: 1, CAY: 1}
    await assert_sound(full)


async def test_a_seat_that_goes_to_the_line_is_told_to_nobody_else(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB)
    await join(context, CAY, A, NOW)
    await drop(context, ADA, A, NOW)
    assert await told(full) == {}
    await drop(context, CAY, A, NOW)
    assert await told(full) == {BOB: 1}


async def test_a_seat_that_nobody_in_line_could_take_is_told(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB)
    await join(context, CAY, A, NOW)
    await enroll(context, CAY, B, NOW)
    await drop(context, ADA, A, NOW)
    assert await told(full) == {BOB: 1}
    await assert_sound(full)


async def test_a_raised_capacity_is_told(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB)
    await offer(full, section("A", 2, MORNING))
    assert await told(full) == {BOB: 1}


async def test_after_the_add_deadline_nobody_is_told_until_it_is_moved(
    full: Database, context: EnrollmentContext
) -> None:
    await ask(context, BOB)
    await drop(context, ADA, A, day(26))
    assert await told(full) == {}
    await terms.put_all(full, [replace(term(), add_deadline=day(27))])
    await offer(full, section("A", 1, MORNING), day(26))
    assert await told(full) == {BOB: 1}


async def test_who_gave_back_the_seat_or_has_it_or_waits_is_not_told(
    full: Database, context: EnrollmentContext
) -> None:
    await ask(context, BOB, CAY, DAN)
    await drop(context, ADA, A, day(26))  # adding is over then, so nobody is told of this seat
    await enroll(context, BOB, A, NOW)
    await join(context, CAY, A, NOW)
    await enroll(context, CAY, B, NOW)
    await drop(context, BOB, A, NOW)
    assert await told(full) == {DAN: 1}
    assert await full.alert.count_documents({}) == 0


@pytest.mark.parametrize(
    ("student", "wish", "now", "code"),
    [
        (BOB, B, NOW, "seat_open"),
        (ADA, A, NOW, "already_enrolled"),
        (CAY, A, NOW, "already_waiting"),
        (BOB, SectionRequest("C", FALL), NOW, "unknown_course"),
        (BOB, A, day(25), "closed"),
        (BOB, A, NOW, OK),
    ],
)
async def test_who_can_ask(
    full: Database, context: EnrollmentContext, student: int, wish: SectionRequest, now: Any, code: str
) -> None:
    await join(context, CAY, A, NOW)
    assert await outcome(alerts.add(context, student, wish, now)) == code
    assert await full.alert.count_documents({}) == (code == OK)


async def test_asking_again_changes_nothing_and_ending_it_twice_neither(
    full: Database, context: EnrollmentContext
) -> None:
    await ask(context, BOB, BOB)
    assert await full.alert.count_documents({}) == 1
    for _ in range(2):
        await alerts.remove(full, BOB, SectionKey(FALL, "A", "01"))
    await drop(context, ADA, A, NOW)
    assert await told(full) == {}


async def test_there_is_a_bound_to_what_one_student_asks(
    full: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "MAX_ALERTS", 1)
    await enroll(context, DAN, B, NOW)
    await ask(context, BOB)
    assert await outcome(alerts.add(context, BOB, B, NOW)) == "too_many_alerts"
    assert await outcome(alerts.add(context, BOB, A, NOW)) == OK


async def test_who_asks_while_the_seat_becomes_free_is_told_or_told_so(
    full: Database, context: EnrollmentContext
) -> None:
    other_process = EnrollmentContext(full)
    for _ in range(10):
        said, _ = await asyncio.gather(outcome(alerts.add(other_process, BOB, A, NOW)), drop(context, ADA, A, NOW))
        assert (said, await told(full)) in [("seat_open", {}), (OK, {BOB: 1})]
        await full.notice.delete_many({})
        await enroll(context, ADA, A, NOW)
