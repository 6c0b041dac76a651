"""Seat alerts: sent once, when a seat is open to everybody."""

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
from tests.concurrency.school import FALL, NOW, course, day, import_section, outcome, section, store, term
from tests.support.seat_model import OK

ADA, BOB, CAY, DAN = 1, 2, 3, 4
A, B = SectionRequest("A", FALL, "01"), SectionRequest("B", FALL, "01")
MORNING = "MWF 09:00 09:50"


@pytest.fixture
async def full(db: Database, context: EnrollmentContext) -> Database:
    """Two overlapping courses with one seat each; ada has the one in A."""
    await store(db, term(), course("A"), course("B"), section("A", 1, MORNING), section("B", 1, MORNING))
    await enroll(context, ADA, A, NOW)
    return db


async def ask(context: EnrollmentContext, *students: int) -> None:
    for student in students:
        await alerts.add(context, student, A, NOW)


async def told(db: Database) -> dict[int, int]:
    """Return how many alerts about A each student got."""
    return dict(Counter([row["user_id"] async for row in db.notice.find({"action": "alert", "courseID": "A"})]))


async def test_a_freed_seat_alerts_every_student_once(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB, CAY)
    await drop(context, ADA, A, NOW)
    assert await told(full) == {BOB: 1, CAY: 1}
    await enroll(context, BOB, A, NOW)
    await drop(context, BOB, A, NOW)
    assert await told(full) == {BOB: 1, CAY: 1}
    await assert_sound(full)


async def test_a_seat_that_goes_to_the_waitlist_sends_no_alert(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB)
    await join(context, CAY, A, NOW)
    await drop(context, ADA, A, NOW)
    assert await told(full) == {}
    await drop(context, CAY, A, NOW)
    assert await told(full) == {BOB: 1}


async def test_a_seat_that_no_waitlisted_student_could_take_sends_an_alert(
    full: Database, context: EnrollmentContext
) -> None:
    await ask(context, BOB)
    await join(context, CAY, A, NOW)
    await enroll(context, CAY, B, NOW)
    await drop(context, ADA, A, NOW)
    assert await told(full) == {BOB: 1}
    await assert_sound(full)


async def test_a_raised_capacity_sends_an_alert(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB)
    await import_section(full, section("A", 2, MORNING))
    assert await told(full) == {BOB: 1}


async def test_after_the_add_deadline_alerts_wait_until_it_is_moved(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB)
    await drop(context, ADA, A, day(26))
    assert await told(full) == {}
    await terms.put_all(full, [replace(term(), add_deadline=day(27))])
    await import_section(full, section("A", 1, MORNING), day(26))
    assert await told(full) == {BOB: 1}


async def test_students_who_dropped_the_seat_or_have_one_or_wait_get_no_alert(
    full: Database, context: EnrollmentContext
) -> None:
    await ask(context, BOB, CAY, DAN)
    await drop(context, ADA, A, day(26))  # after the add deadline, so this sends no alerts
    await enroll(context, BOB, A, NOW)
    await join(context, CAY, A, NOW)
    await enroll(context, CAY, B, NOW)
    await drop(context, BOB, A, NOW)
    assert await told(full) == {DAN: 1}
    assert await full.alert.count_documents({}) == 0


@pytest.mark.parametrize(
    ("student", "wanted", "now", "code"),
    [
        (BOB, B, NOW, "seat_open"),
        (ADA, A, NOW, "already_enrolled"),
        (CAY, A, NOW, "already_waiting"),
        (BOB, SectionRequest("C", FALL), NOW, "unknown_course"),
        (BOB, A, day(25), "closed"),
        (BOB, A, NOW, OK),
    ],
)
async def test_which_students_can_set_an_alert(
    full: Database, context: EnrollmentContext, student: int, wanted: SectionRequest, now: Any, code: str
) -> None:
    await join(context, CAY, A, NOW)
    assert await outcome(alerts.add(context, student, wanted, now)) == code
    assert await full.alert.count_documents({}) == (code == OK)


async def test_setting_or_removing_an_alert_twice_changes_nothing(full: Database, context: EnrollmentContext) -> None:
    await ask(context, BOB, BOB)
    assert await full.alert.count_documents({}) == 1
    for _ in range(2):
        await alerts.remove(full, BOB, SectionKey(FALL, "A", "01"))
    await drop(context, ADA, A, NOW)
    assert await told(full) == {}


async def test_a_student_can_set_only_so_many_alerts(
    full: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "MAX_ALERTS", 1)
    await enroll(context, DAN, B, NOW)
    await ask(context, BOB)
    assert await outcome(alerts.add(context, BOB, B, NOW)) == "too_many_alerts"
    assert await outcome(alerts.add(context, BOB, A, NOW)) == OK


async def test_an_alert_set_while_the_seat_opens_is_sent_or_refused(full: Database, context: EnrollmentContext) -> None:
    other_process = EnrollmentContext(full)
    for _ in range(10):
        said, _ = await asyncio.gather(outcome(alerts.add(other_process, BOB, A, NOW)), drop(context, ADA, A, NOW))
        assert (said, await told(full)) in [("seat_open", {}), (OK, {BOB: 1})]
        await full.notice.delete_many({})
        await enroll(context, ADA, A, NOW)
