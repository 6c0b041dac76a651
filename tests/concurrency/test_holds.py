"""Holds: what they block, what promotion does about them, and changes at the same moment."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import SectionKey, SectionRequest, User
from quart_enroll.services.enrollment import act_for, enroll, enroll_plan, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.staff import holds
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    course,
    enrolled_students,
    outcome,
    outcomes_of,
    section,
    store,
    term,
    waitlisted_students,
)

ADA, BOB, CAY, RITA = 1, 2, 3, 9
KEY = SectionKey(FALL, "A", "01")
A, B = SectionRequest("A", FALL, "01"), SectionRequest("B", FALL, "01")


def hold(*blocks: HoldBlock) -> Hold:
    return Hold("bursar", "the Bursar", "Fees are unpaid", "bursar@school.example", frozenset(blocks))


ENROLL_HOLD = hold(HoldBlock.ENROLL)


@pytest.fixture(autouse=True)
async def school(db: Database) -> None:
    """Section A with one seat, and section B with many."""
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 9))
    for number, name in ((ADA, "ada"), (BOB, "bob"), (CAY, "cay"), (RITA, "rita")):
        await users.add(db, User(number, f"{name}@school.example", name.title(), "X"), "x")


async def place(context: EnrollmentContext, student: int, wanted: Hold = ENROLL_HOLD) -> str:
    return (await holds.place(context, RITA, student, wanted, NOW)).hold_id


async def lift(context: EnrollmentContext, student: int, hold_id: str) -> bool:
    return await holds.lift(context, RITA, student, hold_id, "Paid", NOW)


@pytest.mark.parametrize("blocked", HoldBlock)
async def test_a_hold_blocks_the_changes_it_names_and_no_others(
    db: Database, context: EnrollmentContext, blocked: HoldBlock
) -> None:
    await enroll.enroll(context, BOB, A, NOW)
    held = await place(context, ADA, hold(blocked))
    refused = set()
    if await outcome(enroll.enroll(context, ADA, B, NOW)) == "hold":
        refused.add(HoldBlock.ENROLL)
        await lift(context, ADA, held)
        await enroll.enroll(context, ADA, B, NOW)
        await place(context, ADA, hold(blocked))
    if await outcome(waitlist.join(context, ADA, A, NOW)) == "hold":
        refused.add(HoldBlock.WAITLIST)
    if await outcome(enroll.swap(context, ADA, "B", A, NOW)) == "hold":
        refused.add(HoldBlock.SWAP)
    if await outcome(enroll.drop(context, ADA, B, NOW)) == "hold":
        refused.add(HoldBlock.DROP)
    assert refused == {blocked}
    await assert_sound(db)


async def test_the_refusal_names_the_office_the_reason_and_the_contact(context: EnrollmentContext) -> None:
    await place(context, ADA)
    for change in (enroll.enroll(context, ADA, A, NOW), waitlist.join(context, ADA, A, NOW)):
        with pytest.raises(Exception, match=r"\(the Bursar\): “Fees are unpaid”.*contact bursar@school\.example"):
            await change


async def test_a_hold_refuses_each_course_of_a_plan(db: Database, context: EnrollmentContext) -> None:
    await place(context, ADA)
    planned = {"user_id": ADA, "term": FALL, "courseID": "B", "section": "01", "place": 1, "added_at": NOW}
    await db.plan.insert_one(planned)
    _, [result] = await enroll_plan.enroll_plan(context, ADA, FALL, NOW)
    assert result.refusal is not None
    assert result.refusal.code == "hold"


async def test_staff_with_every_override_cannot_set_a_hold_aside(db: Database, context: EnrollmentContext) -> None:
    await place(context, ADA)
    staff = Actor(RITA, "Please", frozenset(Override))
    assert await outcome(act_for.enroll(context, staff, ADA, KEY, NOW)) == "hold"
    assert await enrolled_students(db, KEY) == set()


async def test_promotion_skips_a_held_student_who_gets_an_open_seat_when_the_hold_is_lifted(
    db: Database, context: EnrollmentContext
) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    await waitlist.join(context, BOB, A, NOW)
    held = await place(context, BOB)
    await enroll.drop(context, ADA, A, NOW)
    assert (await enrolled_students(db, KEY), await waitlisted_students(db, KEY)) == (set(), [BOB])
    assert (await audit.check(db, NOW)).discrepancies == []
    assert await lift(context, BOB, held)
    assert (await enrolled_students(db, KEY), await waitlisted_students(db, KEY)) == ({BOB}, [])
    assert not await lift(context, BOB, held)
    actions = [row["action"] async for row in db.audit.find().sort("_id")]
    assert actions == ["hold.place", "hold.lift"]
    assert await db.hold.count_documents({"lift_reason": "Paid"}) == 1
    await assert_sound(db)


async def test_a_hold_blocks_between_its_dates_and_then_the_student_gets_the_open_seat(
    db: Database, context: EnrollmentContext
) -> None:
    later, end = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    await place(context, BOB, replace(ENROLL_HOLD, begins_at=later, ends_at=end))
    await enroll.enroll(context, BOB, B, NOW)
    await enroll.drop(context, BOB, B, NOW)
    assert await outcome(enroll.enroll(context, BOB, B, later)) == "hold"
    await enroll.enroll(context, ADA, A, NOW)
    await waitlist.join(context, BOB, A, NOW)
    await enroll.drop(context, ADA, A, later)
    assert await holds.lift_ended(context, lambda: later) == 0
    assert await holds.lift_ended(context, lambda: end) == 1
    assert (await enrolled_students(db, KEY), await waitlisted_students(db, KEY)) == ({BOB}, [])
    assert [row["action"] async for row in db.notice.find({"user_id": BOB}).sort("_id")] == [
        *("hold_placed", "skip", "hold_lifted", "promote")
    ]


async def test_a_held_student_does_not_keep_others_from_the_seat(db: Database, context: EnrollmentContext) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    for student in (BOB, CAY):
        await waitlist.join(context, student, A, NOW)
    await place(context, BOB)
    await enroll.drop(context, ADA, A, NOW)
    assert (await enrolled_students(db, KEY), await waitlisted_students(db, KEY)) == ({CAY}, [BOB])


async def test_no_seat_stays_open_for_students_whose_holds_are_lifted_meanwhile(
    db: Database, context: EnrollmentContext
) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    await waitlist.join(context, BOB, A, NOW)
    for _ in range(6):
        held = await place(context, BOB)
        await asyncio.gather(enroll.drop(context, ADA, A, NOW), lift(context, BOB, held))
        assert await enrolled_students(db, KEY) == {BOB}
        await enroll.drop(context, BOB, A, NOW)
        await enroll.enroll(context, ADA, A, NOW)
        await waitlist.join(context, BOB, A, NOW)


@pytest.mark.parametrize("seed", range(3))
async def test_random_changes_with_holds_stay_sound(db: Database, context: EnrollmentContext, seed: int) -> None:
    random = Random(seed)  # noqa: S311  # not used for secrets
    placed: list[tuple[int, str]] = []
    for _ in range(8):
        students = random.sample((ADA, BOB, CAY), 3)
        changes = [random.choice((enroll.enroll, enroll.drop, waitlist.join))(context, one, A, NOW) for one in students]
        if placed and random.random() < 0.5:
            changes.append(lift(context, *placed.pop()))
        else:
            student = random.choice(students)
            placed.append((student, await place(context, student, hold(random.choice([*HoldBlock])))))
        await outcomes_of(changes)
        await assert_sound(db)
    for one in placed:
        await lift(context, *one)
    await assert_sound(db)
