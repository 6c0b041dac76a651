"""Reserved pools: two processes at once, drops, releases, and what waiting students get."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import alerts, sections, users
from quart_enroll.domain import pools
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Profile, SectionKey, SectionRequest, User
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.services.enrollment import act_for, enroll, waitlist
from quart_enroll.services.enrollment import alerts as seat_alerts
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.swap_cycles import release_pools
from quart_enroll.services.maintenance import audit
from quart_enroll.services.staff import people
from quart_enroll.services.staff.pools import release_due_forever
from quart_enroll.system.background import run_in_background
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
from tests.support.people import RITA
from tests.support.processes import TIMEOUT_SECONDS

KEY = SectionKey(FALL, "A", "01")
A = SectionRequest("A", FALL, "01")
NURSE = StudentAttributes(("Nursing",))
NURSES, OTHERS = range(11, 31), range(31, 51)
ADA, EVE, BOB, CAY, DAN = 11, 12, 31, 32, 33  # ada and eve are nurses
RELEASE = NOW + timedelta(days=1)


@pytest.fixture(autouse=True)
async def school(db: Database) -> None:
    """A section with 2 seats, of which one is for nurses."""
    await store(db, term(), course("A"), course("B"), section("B", 9))
    await reserve(db, 2, "Nurses: 1 for program: Nursing until 2026-09-21 12:00")
    students = [
        User(one, f"{one}@school.example", "A", "B", attributes=NURSE if one in NURSES else NO_ATTRIBUTES)
        for one in (*NURSES, *OTHERS)
    ]
    await db.user.insert_many([users.to_row(one) | {"password": "x"} for one in (*students, RITA)])


async def reserve(db: Database, capacity: int, text: str) -> None:
    await sections.put_all(db, [replace(section("A", capacity), pools=pools.parse(text))])


async def read_catalog(db: Database) -> Catalog:
    return Catalog((course("A"),), (term(),), tuple(await sections.find_all(db, [FALL])))


async def taken(db: Database) -> dict[str, int]:
    found = await sections.find(db, KEY)
    assert found
    return {one.name: one.taken for one in found.pools}


async def test_a_crowd_in_two_processes_leaves_the_reserved_seats(db: Database) -> None:
    await reserve(db, 12, "Nurses: 5 for program: Nursing")
    processes = EnrollmentContext(db), EnrollmentContext(db)
    crowd = [*NURSES[:3], *OTHERS]
    found = await outcomes_of(enroll.enroll(processes[one % 2], one, A, NOW) for one in crowd)
    assert sorted(found) == ["ok"] * 10 + ["seats_reserved"] * 13
    assert {*NURSES[:3]} < await enrolled_students(db, KEY)
    assert await taken(db) == {"Nurses": 3}
    found = await outcomes_of(enroll.enroll(processes[one % 2], one, A, NOW) for one in NURSES[3:])
    assert sorted(found) == ["ok"] * 2 + ["section_full"] * 15
    await assert_sound(db)


async def test_a_dropped_seat_goes_back_to_its_pool(db: Database, context: EnrollmentContext) -> None:
    for student in (ADA, BOB):
        await enroll.enroll(context, student, A, NOW)
    for student in (CAY, EVE):
        await waitlist.join(context, student, A, NOW)
    await enroll.drop(context, ADA, A, NOW)  # cay, who waits first, is no nurse
    assert await enrolled_students(db, KEY) == {BOB, EVE}
    await enroll.drop(context, EVE, A, NOW)
    assert await waitlisted_students(db, KEY) == [CAY]
    assert await db.event.count_documents({"action": "skip"}) == 0
    await enroll.drop(context, BOB, A, NOW)
    assert await enrolled_students(db, KEY) == {CAY}
    assert await taken(db) == {"Nurses": 0}
    await assert_sound(db)


async def test_staff_give_a_reserved_seat_away_with_its_own_override(db: Database, context: EnrollmentContext) -> None:
    await enroll.enroll(context, BOB, A, NOW)
    staff = Actor(RITA.user_id, "Please", frozenset({Override.FULL}))
    assert await outcome(act_for.enroll(context, staff, CAY, KEY, NOW)) == "seats_reserved"
    staff = replace(staff, overrides=frozenset({Override.RESERVED_SEATS}))
    assert await outcome(act_for.enroll(context, staff, CAY, KEY, NOW)) == "ok"
    assert await outcome(enroll.enroll(context, ADA, A, NOW)) == "section_full"
    assert await taken(db) == {"Nurses": 0}
    await assert_sound(db)


@pytest.mark.parametrize("by", ["a press", "a swap", "the tasks of two processes"])
async def test_released_seats_go_to_the_waitlist_first(db: Database, context: EnrollmentContext, by: str) -> None:
    await enroll.enroll(context, EVE, SectionRequest("B", FALL, "01"), NOW)
    await enroll.enroll(context, BOB, A, NOW)
    await waitlist.join(context, CAY, A, NOW)
    assert await outcome(enroll.enroll(context, DAN, A, RELEASE - timedelta(seconds=1))) == "seats_reserved"
    if by == "a press":
        assert await outcome(enroll.enroll(context, EVE, A, RELEASE)) == "section_full"
    elif by == "a swap":
        assert await outcome(enroll.swap(context, EVE, "B", A, RELEASE)) == "section_full"
    else:
        tasks = (
            release_due_forever(EnrollmentContext(db), partial(read_catalog, db), lambda: RELEASE) for _ in range(2)
        )
        async with asyncio.timeout(TIMEOUT_SECONDS), run_in_background(*tasks):
            while await waitlisted_students(db, KEY):
                pass
    assert await enrolled_students(db, KEY) == {BOB, CAY}
    await assert_sound(db)


async def test_an_alert_waits_for_a_seat_that_is_open_to_its_student(db: Database, context: EnrollmentContext) -> None:
    for student in (ADA, BOB):
        await enroll.enroll(context, student, A, NOW)
    for student in (EVE, CAY):
        await seat_alerts.add(context, student, A, NOW)
    await enroll.drop(context, ADA, A, NOW)
    assert await alerts.find_students(db, KEY, None) == [CAY]
    assert await outcome(seat_alerts.add(context, EVE, A, NOW)) == "seat_open"
    await release_pools(context.locks, KEY, RELEASE)
    assert await alerts.find_students(db, KEY, None) == []


@pytest.mark.parametrize("run", range(3))
async def test_a_student_who_becomes_a_nurse_while_a_seat_opens_gets_it(
    db: Database, context: EnrollmentContext, run: int
) -> None:
    for student in (ADA, BOB):
        await enroll.enroll(context, student, A, NOW)
    await waitlist.join(context, CAY, A, NOW)
    cay = await users.find(db, CAY)
    assert cay
    wanted, seen = Profile(cay.roles, attributes=NURSE), Profile.of(cay).fingerprint
    await asyncio.gather(
        enroll.drop(context, ADA, A, NOW),
        people.change_profile(EnrollmentContext(db), RITA, CAY, wanted, NOW, seen=seen),
    )
    assert await enrolled_students(db, KEY) == {BOB, CAY}
    assert await taken(db) == {"Nurses": 1}
    await assert_sound(db)


async def test_check_seats_recounts_the_pools(db: Database, context: EnrollmentContext) -> None:
    await enroll.enroll(context, ADA, A, NOW)
    await db.section.update_one({"courseID": "A"}, {"$set": {"pools.0.taken": 0}})
    [found] = (await audit.check(db, NOW)).discrepancies
    assert "0 seats counted as taken in the pool Nurses, but 1" in found
    await audit.repair(db, NOW)
    assert (await audit.check(db, NOW)).discrepancies == []
    await db.enrollment.insert_one(
        {
            "user_id": EVE,
            "courseID": "A",
            "term": FALL,
            "section": "01",
            "enrolled_at": NOW,
            "status": "enrolled",
            "pool": "Nurses",
        }
    )
    await audit.repair(db, NOW)
    assert "2 students have a seat of the pool Nurses, which has 1" in "\n".join(
        (await audit.check(db, NOW)).discrepancies
    )
