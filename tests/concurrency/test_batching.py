"""Batching: students in one transaction get what they would have got alone, and don't wait for others."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import enrollments, schedules, sections
from quart_enroll.domain.errors import Crowded, Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.enrollment import batch_transaction, batching, server_lock
from quart_enroll.services.enrollment.batch_decisions import Waitlisted
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import enroll
from quart_enroll.services.enrollment.seat_changes import Enrolled
from quart_enroll.services.enrollment.waitlist import join
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    course,
    enrolled_students,
    import_section,
    outcomes_of,
    section,
    store,
    term,
    waitlisted_students,
)
from tests.concurrency.test_concurrent import MORNING, OVERLAPPING, request
from tests.support.processes import TIMEOUT_SECONDS
from tests.support.seat_model import OK

ADA, BOB, CAY = 1, 2, 3
MANY = range(1, 41)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of students in each transaction that gave seats."""
    found: list[int] = []
    take_seats = sections.take_seats

    async def counting(db: Database, numbers: Any, session: Session) -> None:
        found.append(sum(numbers.values()))
        await take_seats(db, numbers, session)

    monkeypatch.setattr(sections, "take_seats", counting)
    return found


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of students who joined a waitlist in each step."""
    found: list[int] = []
    join_queue = sections.join_waitlist

    async def counting(db: Database, key: SectionKey, session: Session | None, number: int = 1) -> int | None:
        found.append(number)
        return await join_queue(db, key, session, number)

    monkeypatch.setattr(sections, "join_waitlist", counting)
    return found


async def try_in_batch(context: EnrollmentContext, student: int, courseID: str, *, join_waitlist: bool = False) -> str:
    """Join the next batch, and return "ok", the waitlist position, or the code of the refusal."""
    key = SectionKey(FALL, courseID, "01")
    try:
        if not join_waitlist:
            await context.batches.enroll(student, [key], NOW)
            return OK
        result = await context.batches.enroll_or_wait(student, key, NOW)
    except (Refused, Crowded) as refusal:
        return refusal.code
    return f"waitlist {result.position}" if isinstance(result, Waitlisted) else OK


async def until_waiting(context: EnrollmentContext, number: int) -> None:
    """Wait until so many requests wait for their batch."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while len(context.batches._waiting) < number:  # noqa: ASYNC110  # the queue announces nothing
            await asyncio.sleep(0)


async def enroll_all(context: EnrollmentContext, *wanted: tuple[int, str]) -> list[str]:
    """Try to enroll all these students at once, in this order."""
    return list(await asyncio.gather(*(try_in_batch(context, *one) for one in wanted)))


async def enroll_or_waitlist_all(context: EnrollmentContext, *wanted: tuple[int, str]) -> list[str]:
    """Try the same, with a place on the waitlist for the students who find no seat."""
    return list(await asyncio.gather(*(try_in_batch(context, *one, join_waitlist=True) for one in wanted)))


async def test_students_who_arrive_together_share_a_transaction(
    db: Database, context: EnrollmentContext, sizes: list[int]
) -> None:
    await store(db, term(), course("A"), section("A", 40))
    said = await outcomes_of(enroll(context, student, request("A"), NOW) for student in MANY)
    assert said == [OK] * 40
    assert len(sizes) < 5
    assert await enrolled_students(db, section("A", 0).key) == set(MANY)
    await assert_sound(db)


async def test_the_first_students_of_a_batch_get_the_seats(
    db: Database, context: EnrollmentContext, sizes: list[int]
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 9), section("B", 4))
    said = await enroll_all(context, *((student, "AB"[student % 2]) for student in range(1, 15)))
    assert sizes == [11]
    assert said[1::2] == [OK] * 7
    assert said[0::2] == [OK] * 4 + ["section_full"] * 3
    assert await enrolled_students(db, section("B", 0).key) == {1, 3, 5, 7}
    await assert_sound(db)


async def test_the_students_who_find_a_section_full_are_refused(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), section("A", 2))
    said = await outcomes_of(enroll(context, student, request("A"), NOW) for student in MANY)
    assert sorted(said) == [OK] * 2 + ["section_full"] * 38
    await assert_sound(db)


async def test_a_refusal_does_not_affect_the_rest_of_the_batch(
    db: Database, context: EnrollmentContext, sizes: list[int]
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 9, MORNING), section("B", 9, OVERLAPPING))
    await enroll_all(context, (ADA, "B"), (BOB, "A"))
    said = await enroll_all(context, (ADA, "A"), (BOB, "A"), (CAY, "A"), (4, "C"), (5, "A"))
    assert said == ["time_conflict", "already_enrolled", OK, "unknown_course", OK]
    assert sizes == [2, 2]
    await assert_sound(db)


async def test_a_deleted_account_does_not_affect_the_rest_of_the_batch(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(), course("A"), section("A", 9))
    await schedules.close(db, BOB, FALL, NOW, None)
    said = await outcomes_of(enroll(context, student, request("A"), NOW) for student in (ADA, BOB, CAY))
    assert said == [OK, "account_gone", OK]
    assert await enrolled_students(db, section("A", 0).key) == {ADA, CAY}


async def test_a_student_who_gets_a_seat_leaves_the_waitlist_of_another_section(
    db: Database, context: EnrollmentContext, sizes: list[int]
) -> None:
    await store(db, term(), course("A"), section("A", 0), section("A", 2, number="02"))
    for student in (BOB, CAY):
        await join(context, student, request("A"), NOW)
    key = section("A", 0, number="02").key
    said = await asyncio.gather(*(context.batches.enroll(student, [key], NOW) for student in (ADA, BOB)))
    assert sizes == [2]
    assert [one.left_waitlist for one in said if isinstance(one, Enrolled)] == ["", "01"]
    assert await waitlisted_students(db, section("A", 0).key) == [CAY]
    await assert_sound(db)


async def test_students_who_join_a_waitlist_together_share_a_transaction(
    db: Database, context: EnrollmentContext, lengths: list[int]
) -> None:
    await store(db, term(), course("A"), section("A", 0))
    joined = await asyncio.gather(*(join(context, student, request("A"), NOW) for student in MANY))
    assert sum(lengths) == 40
    assert len(lengths) < 10
    waiting = await waitlisted_students(db, section("A", 0).key)
    assert sorted(waiting) == [*MANY]
    assert [one.position for one in joined] == [waiting.index(student) + 1 for student in MANY]
    await assert_sound(db)


async def test_a_batch_gives_seats_first_and_then_waitlist_places(
    db: Database, context: EnrollmentContext, sizes: list[int], lengths: list[int]
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 2), section("B", 0))
    wanted = [(ADA, "A"), (BOB, "B"), (CAY, "A"), (4, "A"), (5, "B"), (6, "A")]
    assert await enroll_or_waitlist_all(context, *wanted) == [
        OK,
        "waitlist 1",
        OK,
        "waitlist 1",
        "waitlist 2",
        "waitlist 2",
    ]
    assert (sizes, lengths) == ([2], [2, 2])
    assert await waitlisted_students(db, section("A", 0).key) == [4, 6]
    assert await waitlisted_students(db, section("B", 0).key) == [BOB, 5]
    await assert_sound(db)


async def test_the_first_students_of_a_batch_get_the_waitlist_places(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), replace(section("A", 0), waitlist_capacity=3))
    assert await enroll_or_waitlist_all(context, (ADA, "A")) == ["waitlist 1"]
    said = await enroll_or_waitlist_all(context, *((student, "A") for student in (BOB, CAY, 4, 5)))
    assert said == ["waitlist 2", "waitlist 3", "waitlist_full", "waitlist_full"]
    await assert_sound(db)


async def test_a_waitlist_refusal_does_not_affect_the_rest_of_the_batch(
    db: Database, context: EnrollmentContext
) -> None:
    closed = replace(course("C"), prerequisites=("A",))
    await store(db, term(), course("A"), closed, section("A", 0), section("C", 0))
    said = await enroll_or_waitlist_all(context, (ADA, "A"), (ADA, "A"), (BOB, "C"), (CAY, "D"), (4, "A"))
    assert said == ["waitlist 1", "waitlist 1", "prerequisite_missing", "unknown_course", "waitlist 2"]
    await assert_sound(db)


async def test_students_waitlisted_elsewhere_can_enroll_or_join_in_a_batch(
    db: Database, context: EnrollmentContext, sizes: list[int]
) -> None:
    await store(db, term(), course("A"), course("B"), course("C"), section("A", 0), section("B", 0), section("C", 9))
    assert await enroll_or_waitlist_all(context, (ADA, "A")) == ["waitlist 1"]
    assert await enroll_or_waitlist_all(context, (ADA, "B"), (BOB, "B")) == ["waitlist 1", "waitlist 2"]
    assert await enroll_or_waitlist_all(context, (ADA, "C"), (BOB, "A"), (CAY, "C")) == [OK, "waitlist 2", OK]
    assert sizes == [2]
    assert await waitlisted_students(db, section("A", 0).key) == [ADA, BOB]
    await assert_sound(db)


@pytest.mark.parametrize("elsewhere", [("B", "01"), ("A", "02")], ids=["another course", "another section"])
async def test_students_waitlisted_elsewhere_keep_their_turn_for_a_seat(
    db: Database, context: EnrollmentContext, elsewhere: tuple[str, str]
) -> None:
    offered = [section("A", 1), section("A", 0, number="02"), section("B", 0)]
    await store(db, term(), course("A"), course("B"), *offered)
    await join(context, ADA, request(*elsewhere), NOW)
    assert await enroll_all(context, (ADA, "A"), (BOB, "A"), (CAY, "A")) == [OK, "section_full", "section_full"]
    await assert_sound(db)


async def test_students_waitlisted_elsewhere_keep_their_turn_for_a_waitlist_place(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 0))
    await join(context, ADA, request("B"), NOW)
    assert await enroll_or_waitlist_all(context, (ADA, "A"), (BOB, "A"), (CAY, "A")) == [OK, "waitlist 1", "waitlist 2"]
    await assert_sound(db)


async def test_a_student_who_becomes_ineligible_lets_a_swap_cycle_complete(
    db: Database, context: EnrollmentContext
) -> None:
    """Cay waits before the swap cycle of ada and bob, and becomes ineligible with another seat."""
    credits = {"A": 3, "B": 3, "C": 3}
    await store(
        db,
        term(max_credits=5),
        *(course(name, number) for name, number in credits.items()),
        *(section("A", 1), section("B", 1), section("C", 9)),
    )
    await outcomes_of(enroll(context, student, request(name), NOW) for student, name in ((ADA, "A"), (BOB, "B")))
    await join(context, CAY, request("A"), NOW)
    await join(context, ADA, request("B"), NOW, "A")
    await join(context, BOB, request("A"), NOW, "B")
    assert await enrolled_students(db, section("A", 0).key) == {ADA}
    await enroll(context, CAY, request("C"), NOW)
    assert await enrolled_students(db, section("A", 0).key) == {BOB}
    assert await enrolled_students(db, section("B", 0).key) == {ADA}
    await assert_sound(db)


async def test_with_a_wrong_place_counter_each_student_joins_alone(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), section("A", 0))
    await join(context, ADA, request("A"), NOW)
    await db.section.update_one({"courseID": "A"}, {"$set": {"queue_tail": 0}})
    said = await enroll_or_waitlist_all(context, (BOB, "A"), (CAY, "A"))
    assert sorted(said) == ["waitlist 2", "waitlist 3"]
    assert sorted(await waitlisted_students(db, section("A", 0).key)) == [ADA, BOB, CAY]


async def test_the_enrollments_of_past_terms_are_not_read(db: Database, context: EnrollmentContext) -> None:
    """Only those that a requisite names are, in whatever term."""
    needs_p1 = course("B", prerequisites=("P1",))
    await store(db, term(), course("A"), course("P1"), needs_p1, section("A", 9), section("B", 9))
    past = {"term": "Fall 2020", "section": "01", "status": "enrolled", "enrolled_at": NOW}
    await db.enrollment.insert_many(
        past | {"user_id": student, "courseID": f"P{number}"} for student in (ADA, BOB) for number in range(500)
    )
    await db.command("profile", 2)
    await enroll_all(context, (ADA, "A"), (BOB, "B"))
    await db.command("profile", 0)
    examined = [row["docsExamined"] async for row in db["system.profile"].find({"docsExamined": {"$exists": True}})]
    await db["system.profile"].drop()
    assert len(examined) > 2
    assert max(examined) < 20


async def test_two_clicks_take_one_seat(db: Database, context: EnrollmentContext, sizes: list[int]) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 9, MORNING), section("B", 9, OVERLAPPING))
    assert await enroll_all(context, (ADA, "A"), (ADA, "A"), (ADA, "B")) == [OK, OK, "time_conflict"]
    assert sizes == [1]
    await assert_sound(db)


async def test_after_a_failed_batch_each_student_enrolls_alone(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_all = enrollments.put_all

    async def fail_for_cay(db: Database, new: Any, *more: Any) -> None:
        if CAY in [user_id for user_id, *_ in new]:
            raise RuntimeError
        await put_all(db, new, *more)

    monkeypatch.setattr(enrollments, "put_all", fail_for_cay)
    await store(db, term(), course("A"), section("A", 9))
    tries = (enroll(context, student, request("A"), NOW) for student in (ADA, BOB, CAY, 4))
    said = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(one, Enrolled) for one in said] == [True, True, False, True]
    assert isinstance(said[2], RuntimeError)
    assert await enrolled_students(db, section("A", 0).key) == {ADA, BOB, 4}
    await assert_sound(db)


async def test_students_do_not_wait_long_for_a_single_change(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 0.01)
    await store(db, term(), course("A"), course("B"), section("A", 9), section("B", 9))
    holds, free = asyncio.Event(), asyncio.Event()

    async def hold(_: Session) -> None:
        holds.set()
        await free.wait()

    holding = asyncio.ensure_future(context.locks.run_transaction([section("A", 0).key], hold, timeout_seconds=20))
    await holds.wait()
    assert await enroll_all(context, (ADA, "A"), (CAY, "B")) == [OK] * 2
    assert not holding.done()
    free.set()
    await holding


async def test_students_do_not_wait_for_a_stalled_batch(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "STALLED_BATCH_SECONDS", 0.01)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 0.01)
    await store(db, term(), course("A"), course("B"), section("A", 9), section("B", 9))
    begun, free, take_seats = asyncio.Event(), asyncio.Event(), sections.take_seats

    async def hang(db: Database, numbers: Any, session: Session) -> None:
        begun.set()
        if (section("A", 0).key, None) in numbers:
            await free.wait()
        await take_seats(db, numbers, session)

    monkeypatch.setattr(sections, "take_seats", hang)
    hangs = asyncio.ensure_future(try_in_batch(context, ADA, "A"))
    await begun.wait()
    assert await enroll_all(context, (BOB, "B"), (CAY, "B")) == [OK] * 2
    assert not hangs.done()
    free.set()
    assert await hangs == OK
    assert await enroll_all(context, (4, "A")) == [OK]
    await assert_sound(db)


async def test_a_student_who_waits_too_long_is_told_so_and_not_enrolled(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 20)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", 20)
    await store(db, term(), course("A"), section("A", 9))
    async with context.locks.server_lock.shared():
        waiting = [asyncio.ensure_future(try_in_batch(context, ADA, "A"))]
        await until_waiting(context, 1)
        context.batches._waiting[0].queued_at -= batching.MAX_QUEUE_SECONDS
        waiting.append(asyncio.ensure_future(try_in_batch(context, BOB, "A")))
        await until_waiting(context, 2)
    assert await asyncio.gather(*waiting) == ["busy", OK]
    assert await enrolled_students(db, section("A", 0).key) == {BOB}
    await assert_sound(db)


async def test_everyone_who_arrives_before_its_turn_joins_the_batch(
    db: Database, context: EnrollmentContext, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 20)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", 20)
    await store(db, term(), course("A"), section("A", 9))
    async with context.locks.server_lock.shared():
        waiting = []
        for student in (ADA, BOB, CAY):
            waiting.append(asyncio.ensure_future(try_in_batch(context, student, "A")))
            await until_waiting(context, len(waiting))
    assert await asyncio.gather(*waiting) == [OK] * 3
    assert sizes == [3]


async def test_a_conflict_with_another_process_runs_the_batch_again(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(db, term(), course("A"), section("A", 9))
    take_seats, met = sections.take_seats, False

    async def meet(*those: Any, **more: Any) -> None:
        nonlocal met
        if not met:  # after the batch has read that there are nine
            met = True
            await import_section(db, section("A", 3))
        await take_seats(*those, **more)

    monkeypatch.setattr(sections, "take_seats", meet)
    assert await enroll_all(context, *((student, "A") for student in range(1, 6))) == [OK] * 3 + ["section_full"] * 2
    assert met
    await assert_sound(db)


async def test_a_student_blocked_by_another_transaction_does_not_block_the_others(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_transaction, "BATCH_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 0.05)
    courses = [course("A"), course("B"), course("C")]
    await store(db, term(), *courses, section("A", 9), section("B", 9), section("C", 9))
    await enroll(context, ADA, request("B"), NOW)
    async with await db.client.start_session() as session, session.start_transaction():
        await schedules.bump_version(db, ADA, FALL, session)
        wanted = [(ADA, "C"), (BOB, "A"), (CAY, "A")]
        blocked, *others = [asyncio.ensure_future(enroll_all(context, one)) for one in wanted]
        assert await asyncio.gather(*others) == [[OK], [OK]]
        assert not blocked.done()
    assert await blocked == [OK]
    await assert_sound(db)
