"""The windows of a term: each one begins exactly at its boundary and ends just before the next."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import events
from quart_enroll.domain.errors import NotOpenYet
from quart_enroll.domain.models import SectionRequest, Term
from quart_enroll.services.catalog.import_terms import ImportedTerm, import_terms
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll, swap
from quart_enroll.services.enrollment.waitlist import join
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    course,
    enrolled_students,
    import_section,
    outcome,
    section,
    store,
    term,
    waitlisted_students,
)
from tests.support.seat_model import OK

ADA, BOB, CAY = 1, 2, 3
TERM = term()
A, B = SectionRequest("A", FALL), SectionRequest("B", FALL)
AN_INSTANT = timedelta(milliseconds=1)
"""The resolution of times in the database."""


@pytest.fixture
async def school(db: Database) -> Database:
    await store(db, TERM, course("A"), course("B"), section("A", 1), section("B", 1))
    return db


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (TERM.opens_at - timedelta(seconds=1), "not_open_yet"),
        (TERM.opens_at - AN_INSTANT, "not_open_yet"),
        (TERM.opens_at, OK),
        (TERM.add_deadline - AN_INSTANT, OK),
        (TERM.add_deadline, "closed"),
        (TERM.withdraw_deadline, "closed"),
    ],
)
async def test_students_can_enroll_from_the_opening_to_the_add_deadline(
    school: Database, context: EnrollmentContext, now: datetime, code: str
) -> None:
    assert await outcome(enroll(context, ADA, A, now)) == code
    assert await outcome(join(context, BOB, B, now)) == code
    await assert_sound(school, now)


@pytest.mark.parametrize(
    ("now", "code", "left"),
    [
        (TERM.drop_deadline - AN_INSTANT, OK, None),
        (TERM.drop_deadline, OK, "withdrawn"),
        (TERM.withdraw_deadline - AN_INSTANT, OK, "withdrawn"),
        (TERM.withdraw_deadline, "drop_closed", "enrolled"),
    ],
)
async def test_the_deadlines_decide_whether_a_drop_is_a_withdrawal(
    school: Database, context: EnrollmentContext, now: datetime, code: str, left: str | None
) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    assert await outcome(drop(context, ADA, A, now)) == code
    row = await school.enrollment.find_one({"user_id": ADA})
    assert (row and row["status"]) == left
    await assert_sound(school, now)


async def test_a_late_drop_is_recorded_in_the_history(school: Database, context: EnrollmentContext) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    await outcome(drop(context, ADA, A, TERM.withdraw_deadline))
    happened, _ = await events.find_page(school, ADA, "", 200)
    assert [(event.action, event.result) for event in happened] == [("drop", "drop_closed"), ("enroll", OK)]


async def test_nobody_is_promoted_after_the_add_deadline(school: Database, context: EnrollmentContext) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    await join(context, BOB, A, TERM.opens_at)
    await drop(context, ADA, A, TERM.add_deadline)
    assert await waitlisted_students(school, section("A", 1).key) == [BOB]
    await import_section(school, section("A", 5), TERM.add_deadline)
    assert await waitlisted_students(school, section("A", 1).key) == [BOB]
    await assert_sound(school, TERM.add_deadline)


async def test_a_seat_dropped_just_before_the_add_deadline_promotes(
    school: Database, context: EnrollmentContext
) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    await join(context, BOB, A, TERM.opens_at)
    await drop(context, ADA, A, TERM.add_deadline - AN_INSTANT)
    assert await enrolled_students(school, section("A", 1).key) == {BOB}


async def test_waitlisted_students_are_promoted_while_the_opening_is_postponed(
    school: Database, context: EnrollmentContext
) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    await join(context, BOB, A, TERM.opens_at)
    later = term(opens_at=22)
    await import_terms(school, [ImportedTerm(1, later, frozenset())], NOW)
    await drop(context, ADA, A, NOW)
    assert await outcome(enroll(context, CAY, A, later.opens_at)) == "section_full"
    assert await enrolled_students(school, section("A", 1).key) == {BOB}
    await assert_sound(school, later.opens_at)


async def test_a_request_repeated_after_the_add_deadline_reports_success(
    school: Database, context: EnrollmentContext
) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    await join(context, BOB, A, TERM.opens_at)
    again = [enroll(context, ADA, A, TERM.add_deadline), join(context, ADA, A, TERM.add_deadline)]
    assert [await outcome(one) for one in again] == ["already_enrolled"] * 2
    assert await outcome(join(context, BOB, A, TERM.add_deadline)) == "already_waiting"


async def test_a_waiting_swap_repeated_after_the_add_deadline_reports_success(
    school: Database, context: EnrollmentContext
) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    await join(context, ADA, B, TERM.opens_at, "A")
    assert await outcome(join(context, ADA, B, TERM.add_deadline, "A")) == "already_enrolled"


async def test_a_swap_refused_after_the_add_deadline_keeps_the_old_seat(
    school: Database, context: EnrollmentContext
) -> None:
    await enroll(context, ADA, A, TERM.opens_at)
    assert await outcome(swap(context, ADA, "A", B, TERM.add_deadline)) == "closed"
    assert await enrolled_students(school, section("A", 1).key) == {ADA}


async def test_a_withdrawn_course_frees_its_credits_and_times(db: Database, context: EnrollmentContext) -> None:
    short = term(max_credits=3, drop_deadline=2)
    await store(db, short, course("A"), course("B"), section("A", 1, "M 09:00 09:50"), section("B", 1, "M 09:00 09:50"))
    now = short.drop_deadline
    for action in (enroll(context, ADA, A, now), drop(context, ADA, A, now), enroll(context, ADA, B, now)):
        await action
    await assert_sound(db, now)
    await drop(context, ADA, B, now)
    await enroll(context, ADA, A, now)  # a withdrawn course may be taken again
    school = await assert_sound(db, now)
    assert list(school.enrolled(ADA, FALL)) == ["A"]


NEW_YORK = ZoneInfo("America/New_York")
CLOCKS_GO_BACK = datetime(2026, 11, 1, 6, tzinfo=UTC)
"""At this moment 01:59 is followed by 01:00 in New York."""

CLOCKS_GO_FORWARD = datetime(2027, 3, 14, 7, tzinfo=UTC)
"""At this moment 01:59 is followed by 03:00 in New York."""


@pytest.mark.parametrize(
    ("opens", "spoken"),
    [
        (datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK), "Sunday, November 1, 2026, 1:30 AM"),
        (datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK), "Sunday, November 1, 2026, 1:30 AM"),
        (CLOCKS_GO_BACK, "Sunday, November 1, 2026, 1:00 AM"),
        (CLOCKS_GO_FORWARD, "Sunday, March 14, 2027, 3:00 AM"),
        (datetime(2027, 3, 14, 8, tzinfo=NEW_YORK), "Sunday, March 14, 2027, 8:00 AM"),
    ],
)
async def test_a_window_opens_once_on_the_day_the_clocks_change(
    db: Database, context: EnrollmentContext, opens: datetime, spoken: str
) -> None:
    moment = opens.astimezone(UTC)
    later = moment + timedelta(days=10)
    await store(
        db, Term("Fall 2026", moment, later, later, later, timezone="America/New_York"), course("A"), section("A", 100)
    )
    assert await _can_enroll_around(context, moment) == [False] * 8 + [True] * 8
    with pytest.raises(NotOpenYet) as refusal:
        await enroll(context, ADA, A, moment - timedelta(seconds=1))
    assert spoken in refusal.value.text


@pytest.mark.parametrize(
    ("noon", "hours"),
    [(datetime(2027, 3, 13, 12, tzinfo=NEW_YORK), 23), (datetime(2026, 10, 31, 12, tzinfo=NEW_YORK), 25)],
)
async def test_a_window_from_noon_to_noon_follows_the_schools_clock(
    db: Database, context: EnrollmentContext, noon: datetime, hours: int
) -> None:
    begin, end = noon.astimezone(UTC), (noon + timedelta(days=1)).astimezone(UTC)
    assert end - begin == timedelta(hours=hours)
    await store(db, Term("Fall 2026", begin, end, end, end, timezone="America/New_York"), course("A"), section("A", 9))
    assert await outcome(enroll(context, ADA, A, end - AN_INSTANT)) == OK
    assert await outcome(enroll(context, BOB, A, end)) == "closed"


async def _can_enroll_around(context: EnrollmentContext, moment: datetime) -> list[bool]:
    """Return, for each quarter of an hour from two hours before to two hours after, whether a student can enroll."""
    quarters = [moment + timedelta(minutes=15) * number for number in range(-8, 8)]
    return [await outcome(enroll(context, 100 + number, A, now)) == OK for number, now in enumerate(quarters)]
