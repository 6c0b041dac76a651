"""Concurrent changes in one process: every invariant holds afterwards."""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from quart_enroll.db import client
from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import notices, sections
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.errors import SectionFull
from quart_enroll.domain.models import Course, SectionRequest
from quart_enroll.services.enrollment import seat_changes, server_lock
from quart_enroll.services.enrollment.candidates import load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll, swap
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.waitlist import join, leave
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    course,
    enrolled_students,
    import_section,
    outcome,
    outcomes_of,
    section,
    store,
    term,
    waitlisted_students,
)
from tests.support.seat_model import OK

ADA, BOB, CAY, DAN = 1, 2, 3, 4
MORNING, OVERLAPPING = "MWF 09:00 09:50", "MWF 09:30 10:20"


def request(courseID: str, number: str = "01") -> SectionRequest:
    return SectionRequest(courseID, FALL, number)


async def seat(context: EnrollmentContext, student: int, *courseIDs: str) -> None:
    """Enroll the student in these courses before the test begins."""
    for courseID in courseIDs:
        await enroll(context, student, request(courseID), NOW)


# One student, many tabs


async def test_enrolling_from_ten_tabs_takes_one_seat(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), section("A", 30))
    said = await outcomes_of(enroll(context, ADA, request("A"), NOW) for _ in range(10))
    assert OK in said
    assert set(said) <= {OK, "already_enrolled"}  # those that wait together share one result
    school = await assert_sound(db)
    assert school.taken(section("A", 0).key) == 1


async def test_joining_a_waitlist_from_ten_tabs_takes_one_place(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), section("A", 0))
    said = await outcomes_of(join(context, ADA, request("A"), NOW) for _ in range(10))
    assert OK in said
    assert set(said) <= {OK, "already_waiting"}
    await assert_sound(db)


async def test_of_two_overlapping_courses_at_once_one_is_taken(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 9, MORNING), section("B", 9, OVERLAPPING))
    said = await outcomes_of(enroll(context, ADA, request(courseID), NOW) for courseID in "AB")
    assert sorted(said) == [OK, "time_conflict"]
    await assert_sound(db)


async def test_with_three_credits_left_one_of_two_courses_is_taken(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(max_credits=7), *_courses(A=4, B=3, C=3), *(section(courseID, 9) for courseID in "ABC"))
    await seat(context, ADA, "A")
    said = await outcomes_of(enroll(context, ADA, request(courseID), NOW) for courseID in "BC")
    assert sorted(said) == ["credit_limit", OK]
    school = await assert_sound(db)
    assert school.credits(ADA, FALL) == 7


async def test_adding_while_dropping_ends_as_if_one_came_after_the_other(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(max_credits=3), course("A"), course("B"), section("A", 9), section("B", 9))
    await seat(context, ADA, "A")
    dropped, added = await outcomes_of([drop(context, ADA, request("A"), NOW), enroll(context, ADA, request("B"), NOW)])
    assert (dropped, added) in [(OK, OK), (OK, "credit_limit")]
    school = await assert_sound(db)
    assert list(school.enrolled(ADA, FALL)) == (["B"] if added == OK else [])


async def test_dropping_from_ten_tabs_frees_one_seat(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), section("A", 1))
    await seat(context, ADA, "A")
    await join(context, BOB, request("A"), NOW)
    said = await outcomes_of(drop(context, ADA, request("A"), NOW) for _ in range(10))
    assert sorted(said) == ["not_enrolled"] * 9 + [OK]
    await assert_sound(db)
    assert await enrolled_students(db, section("A", 1).key) == {BOB}


# Waitlists


async def test_nobody_jumps_the_waitlist(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 2, MORNING), section("B", 9, OVERLAPPING))
    full = section("A", 2, MORNING)
    await seat(context, CAY, "A")
    await seat(context, DAN, "A")
    await join(context, ADA, request("A"), NOW)
    await join(context, BOB, request("A"), NOW)
    await seat(context, ADA, "B")  # meets at the same time

    strangers = [enroll(context, 100 + number, request("A"), NOW) for number in range(50)]
    said = await outcomes_of([*strangers[:25], drop(context, CAY, request("A"), NOW), *strangers[25:]])

    assert said == ["section_full"] * 25 + [OK] + ["section_full"] * 25
    assert await enrolled_students(db, full.key) == {BOB, DAN}
    assert [notice.action for notice in await notices.take_unseen(db, BOB)] == ["promote"]
    assert await waitlisted_students(db, full.key) == [ADA]
    shown = await notices.take_unseen(db, ADA)
    assert [notice.action for notice in shown] == ["skip"]
    assert "Course B" in str(shown[0].because)
    await assert_sound(db)

    await import_section(
        db, replace(full, capacity=4)
    )  # two more seats: ada still has a conflict, so other students may enroll
    assert await outcome(enroll(context, 100, request("A"), NOW)) == OK
    assert await waitlisted_students(db, full.key) == [ADA]
    assert await notices.take_unseen(db, ADA) == []
    await drop(context, ADA, request("B"), NOW)
    assert await enrolled_students(db, full.key) == {BOB, DAN, 100, ADA}
    assert [notice.action for notice in await notices.take_unseen(db, ADA)] == ["promote"]
    await assert_sound(db)


async def test_a_student_who_becomes_eligible_after_the_seat_is_gone_waits_for_the_next(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1, MORNING), section("B", 9, OVERLAPPING))
    await seat(context, CAY, "A")
    await join(context, ADA, request("A"), NOW)
    await seat(context, ADA, "B")
    await drop(context, CAY, request("A"), NOW)
    await seat(context, DAN, "A")
    await drop(context, ADA, request("B"), NOW)
    assert await waitlisted_students(db, section("A", 1).key) == [ADA]
    await drop(context, DAN, request("A"), NOW)
    assert await enrolled_students(db, section("A", 1).key) == {ADA}
    await assert_sound(db)


async def test_of_two_students_who_become_eligible_at_once_the_first_in_line_gets_the_seat(
    db: Database, context: EnrollmentContext
) -> None:
    """Bob drops B, ada swaps C for it, and then both could take A: ada joined first."""
    full = section("A", 0, MORNING)
    offered = [section("B", 1), section("C", 1, OVERLAPPING), section("E", 1)]
    await store(db, term(max_credits=6), *map(course, "ABCE"), full, *offered)
    await join(context, ADA, request("A"), NOW)
    await join(context, BOB, request("A"), NOW)
    await seat(context, ADA, "C")  # meets at the same time as A
    await seat(context, BOB, "B", "E")  # no credits left for A
    await join(context, ADA, request("B"), NOW, "C")
    await import_section(db, replace(full, capacity=1))
    assert await waitlisted_students(db, full.key) == [ADA, BOB]
    await drop(context, BOB, request("B"), NOW)
    assert await enrolled_students(db, full.key) == {ADA}
    assert await waitlisted_students(db, full.key) == [BOB]
    await assert_sound(db)


async def test_taking_a_prerequisite_again_promotes_the_student_in_the_later_term(
    db: Database, context: EnrollmentContext
) -> None:
    await store(
        db,
        term(),
        term("Spring 2027"),
        course("A"),
        course("B", prerequisites=("A",)),
        section("A", 2),
        section("B", 1, name="Spring 2027"),
    )
    later, key = SectionRequest("B", "Spring 2027"), section("B", 1, name="Spring 2027").key
    await seat(context, ADA, "A")
    await seat(context, BOB, "A")
    await enroll(context, BOB, later, NOW)
    await join(context, ADA, later, NOW)
    await drop(context, ADA, request("A"), NOW)
    await drop(context, BOB, later, NOW)
    assert await waitlisted_students(db, key) == [ADA]
    await assert_sound(db)
    await seat(context, ADA, "A")
    assert await enrolled_students(db, key) == {ADA}
    await assert_sound(db)


# Swaps


async def test_two_students_who_swap_crosswise_between_full_sections_keep_their_seats(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 1))
    await seat(context, ADA, "A")
    await seat(context, BOB, "B")
    said = await outcomes_of([swap(context, ADA, "A", request("B"), NOW), swap(context, BOB, "B", request("A"), NOW)])
    assert said == ["section_full", "section_full"]
    school = await assert_sound(db)
    assert [list(school.enrolled(student, FALL)) for student in (ADA, BOB)] == [["A"], ["B"]]


async def test_a_swap_whose_target_fills_up_meanwhile_keeps_the_old_seat(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 5), section("B", 1))
    for student in range(1, 6):
        await seat(context, student, "A")
    said = await outcomes_of(swap(context, student, "A", request("B"), NOW) for student in range(1, 6))
    assert sorted(said) == [OK] + ["section_full"] * 4
    school = await assert_sound(db)
    assert sorted(list(school.enrolled(student, FALL)) for student in range(1, 6)) == [["A"]] * 4 + [["B"]]


async def test_one_freed_seat_completes_a_whole_chain_of_waiting_swaps(
    db: Database, context: EnrollmentContext
) -> None:
    """Each of twelve students waits for the course of the one before."""
    courses = [f"C{number:02}" for number in range(13)]
    await store(db, term(), *map(course, courses), *(section(courseID, 1) for courseID in courses))
    for student, courseID in enumerate(courses):
        await seat(context, student, courseID)
    for student in range(1, 13):
        await join(context, student, request(courses[student - 1]), NOW, courses[student])
    await join(context, 99, request(courses[-1]), NOW)
    await drop(context, 0, request(courses[0]), NOW)
    for student, courseID in enumerate(courses[:-1], 1):
        assert await enrolled_students(db, section(courseID, 1).key) == {student}
    assert await enrolled_students(db, section(courses[-1], 1).key) == {99}
    await assert_sound(db)


@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize("at_once", [False, True])
async def test_a_swap_cycle_is_completed_when_the_last_student_joins(
    db: Database, context: EnrollmentContext, number: int, at_once: bool
) -> None:
    """Each has the seat that the next one wants, and all sections are full."""
    courses = [f"C{student}" for student in range(number)]
    await store(db, term(), *map(course, courses), *(section(courseID, 1) for courseID in courses))
    for student, courseID in enumerate(courses):
        await seat(context, student, courseID)
    wanted = {student: courses[student - 1] for student in range(number)}
    joins = [join(context, student, request(wanted[student]), NOW, courses[student]) for student in range(number)]
    if at_once:
        assert await outcomes_of(joins) == [OK] * number
    else:
        for one in joins[:-1]:
            assert (await one).position == 1
        assert (await joins[-1]).by_swap_cycle
    for student, courseID in wanted.items():
        assert await enrolled_students(db, section(courseID, 1).key) == {student}
        assert [notice.action for notice in await notices.take_unseen(db, student)] == ["promote"]
    await assert_sound(db)


async def test_a_swap_cycle_within_one_course_records_no_withdrawal(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(drop_deadline=10), course("A"), section("A", 1), section("A", 1, number="02"))
    await enroll(context, ADA, request("A", "01"), NOW)
    await enroll(context, BOB, request("A", "02"), NOW)
    await join(context, ADA, request("A", "02"), NOW, "A")
    await join(context, BOB, request("A", "01"), NOW, "A")
    assert await db.event.distinct("action") == ["enroll", "join", "promote"]
    school = await assert_sound(db)
    assert [school.enrolled(student, FALL)["A"].section for student in (ADA, BOB)] == ["02", "01"]


async def test_a_swap_cycle_does_not_pass_over_a_student_waiting_before_it(
    db: Database, context: EnrollmentContext
) -> None:
    """Cay joined the waitlist of B before ada, and could take the seat: ada and bob keep waiting."""
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 1))
    await seat(context, ADA, "A")
    await seat(context, BOB, "B")
    await join(context, CAY, request("B"), NOW)
    await join(context, ADA, request("B"), NOW, "A")
    assert (await join(context, BOB, request("A"), NOW, "B")).position == 1
    assert await waitlisted_students(db, section("B", 1).key) == [CAY, ADA]
    school = await assert_sound(db)
    assert [list(school.enrolled(student, FALL)) for student in (ADA, BOB, CAY)] == [["A"], ["B"], []]


async def test_a_swap_cycle_is_completed_only_if_the_rules_allow_each_swap(
    db: Database, context: EnrollmentContext
) -> None:
    meetings = {"A": MORNING, "B": "TR 09:00 10:15", "C": "TR 10:00 11:00"}
    await store(db, term(), *map(course, "ABC"), *(section(name, 1, when) for name, when in meetings.items()))
    await seat(context, ADA, "A")
    await seat(context, BOB, "B")
    await join(context, ADA, request("B"), NOW, "A")
    await seat(context, ADA, "C")  # meets while B does
    assert (await join(context, BOB, request("A"), NOW, "B")).position == 1
    assert [await enrolled_students(db, section(one, 1).key) for one in "ABC"] == [{ADA}, {BOB}, {ADA}]
    assert await db.notice.count_documents({}) == 0
    await assert_sound(db)


async def store_cycle_behind_cay(context: EnrollmentContext) -> None:
    """Store a school where ada and bob wait to swap A and B, and cay waits before ada."""
    await store(context.db, term(), *map(course, "ABC"), *(section(one, 1, when) for one, when in WEEK.items()))
    await seat(context, ADA, "A")
    await seat(context, BOB, "B")
    await join(context, CAY, request("B"), NOW)
    await join(context, ADA, request("B"), NOW, "A")
    await join(context, BOB, request("A"), NOW, "B")


WEEK = {"A": "M 09:00 10:00", "B": "T 09:00 10:00", "C": "T 09:30 10:30"}


@pytest.mark.parametrize("way", ["leaves", "becomes ineligible"])
async def test_a_swap_cycle_is_completed_once_nobody_waits_before_it(
    db: Database, context: EnrollmentContext, way: str
) -> None:
    await store_cycle_behind_cay(context)
    await (leave(context, CAY, request("B"), NOW) if way == "leaves" else enroll(context, CAY, request("C"), NOW))
    assert [await enrolled_students(db, section(one, 1).key) for one in "AB"] == [{BOB}, {ADA}]
    await assert_sound(db)


async def test_a_swap_cycle_is_completed_once_its_last_student_is_eligible(
    db: Database, context: EnrollmentContext
) -> None:
    await store(db, term(), *map(course, "ABC"), *(section(one, 1, when) for one, when in WEEK.items()))
    await seat(context, ADA, "A")
    await seat(context, BOB, "B")
    await join(context, ADA, request("B"), NOW, "A")
    await seat(context, ADA, "C")
    await join(context, BOB, request("A"), NOW, "B")
    assert await enrolled_students(db, section("A", 1).key) == {ADA}
    await drop(context, ADA, request("C"), NOW)
    assert [await enrolled_students(db, section(one, 1).key) for one in "AB"] == [{BOB}, {ADA}]
    await assert_sound(db)


async def test_repeating_the_request_tries_an_unfinished_swap_cycle_again(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 1))
    await seat(context, ADA, "A")
    await seat(context, BOB, "B")
    await join(context, ADA, request("B"), NOW, "A")
    with monkeypatch.context() as patched:
        patched.setattr(seat_changes, "open_provisional_seat", time_out)
        assert (await join(context, BOB, request("A"), NOW, "B")).position == 1
    assert await outcome(join(context, BOB, request("A"), NOW, "B")) == "already_waiting"
    assert [await enrolled_students(db, section(one, 1).key) for one in "AB"] == [{BOB}, {ADA}]
    await assert_sound(db)


async def time_out(*_: object) -> None:
    """Stand in for a database that does not respond in time."""
    raise client.OutcomeUnknown


async def test_a_repeated_swap_reports_that_it_is_done(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 1))
    await seat(context, ADA, "A")
    said = await outcomes_of(swap(context, ADA, "A", request("B"), NOW) for _ in range(5))
    assert sorted(said) == ["already_enrolled"] * 4 + [OK]
    await assert_sound(db)


async def test_a_repeated_waiting_swap_reports_that_it_is_done(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 1))
    await seat(context, ADA, "A")
    said = [await outcome(join(context, ADA, request("B"), NOW, "A")) for _ in range(2)]
    assert said == [OK, "already_enrolled"]
    await assert_sound(db)


async def test_a_waiting_swap_that_would_drop_another_course_waits(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), *map(course, "AB"), course("C", corequisites=("A",)), *(section(one, 1) for one in "ABC"))
    await seat(context, BOB, "B")
    await seat(context, ADA, "A")
    await join(context, ADA, request("B"), NOW, "A")
    await seat(context, ADA, "C")
    await drop(context, BOB, request("B"), NOW)
    assert await waitlisted_students(db, section("B", 1).key) == [ADA]
    await drop(context, ADA, request("C"), NOW)
    school = await assert_sound(db)
    assert list(school.enrolled(ADA, FALL)) == ["B"]


async def test_leaving_without_a_term_means_the_only_term_with_an_entry(
    db: Database, context: EnrollmentContext
) -> None:
    again = [section("A", capacity, name=name) for capacity, name in ((1, FALL), (0, "Spring 2027"))]
    await store(db, term(), term("Spring 2027"), course("A"), *again)
    await seat(context, ADA, "A")
    await join(context, ADA, SectionRequest("A", "Spring 2027"), NOW)
    assert await outcome(leave(context, ADA, SectionRequest("A"), NOW)) == OK
    await join(context, ADA, SectionRequest("A", "Spring 2027"), NOW)
    assert await outcome(drop(context, ADA, SectionRequest("A"), NOW)) == OK
    assert await waitlisted_students(db, again[1].key) == [ADA]
    await assert_sound(db)


# A client that disconnects


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.003, 0.006, 0.01])
async def test_a_client_that_disconnects_leaves_no_partial_change(
    db: Database, context: EnrollmentContext, moment: float
) -> None:
    await store(db, term(), course("A"), course("B"), section("A", 1), section("B", 1))
    await seat(context, ADA, "A")
    await join(context, BOB, request("A"), NOW)
    swapping = asyncio.ensure_future(swap(context, ADA, "A", request("B"), NOW))
    await asyncio.wait([swapping], timeout=moment)
    swapping.cancel()
    await asyncio.gather(swapping, return_exceptions=True)
    await context.locks.finish()
    school = await assert_sound(db)
    has = [list(school.enrolled(student, FALL)) for student in (ADA, BOB)]
    assert has in ([["A"], []], [["B"], ["A"]])


# Crowds


@pytest.mark.timeout(120)
async def test_three_hundred_students_compete_for_thirty_seats(db: Database, context: EnrollmentContext) -> None:
    await store(db, term(), course("A"), section("A", 30))
    students = range(300)
    said = await outcomes_of(enroll(context, student, request("A"), NOW) for student in students)
    assert sorted(said) == [OK] * 30 + ["section_full"] * 270
    refused = [student for student, code in zip(students, said, strict=True) if code != OK]
    assert await outcomes_of(join(context, student, request("A"), NOW) for student in refused) == [OK] * 270
    school = await assert_sound(db)
    key = section("A", 30).key
    assert school.taken(key) == 30
    assert sorted(entry.student for entry in school.waitlists[key]) == refused
    stored = await sections.find(db, key)
    assert stored is not None
    assert (stored.seats_taken, stored.waiting) == (30, 270)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
async def test_after_random_changes_of_a_crowd_all_counts_are_right(
    db: Database, context: EnrollmentContext, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret
    offered = [
        section("A", 3, MORNING),
        section("A", 2, "TR 09:00 10:15", number="02"),
        section("B", 3, OVERLAPPING),
        section("C", 4),
        section("D", 2, "F 09:40 10:30"),
    ]
    await store(db, term(max_credits=8), *_courses(A=3, B=3, C=2), course("D", 3, corequisites=("C",)), *offered)

    async def one_student(student: int) -> None:
        for _ in range(12):
            await outcome(_anything(context, student, chance))

    async def the_registrar() -> None:
        for _ in range(12):
            one = chance.choice(offered)
            await import_section(db, replace(one, capacity=one.capacity + chance.randrange(3)))

    await asyncio.gather(*(one_student(student) for student in range(24)), the_registrar())
    await import_section(db, offered[0])
    await assert_sound(db, lowered=True)


async def test_a_crowd_for_one_section_does_not_lock_out_the_others(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.locks.max_section_changes = 2
    await store(db, term(), *_courses(A=3, B=3), section("A", 9), section("B", 9))
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 20)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", 20)
    async with context.locks.server_lock.shared():
        wanted = [(ADA, "A"), (BOB, "A"), (CAY, "A"), (DAN, "B")]
        crowd = [asyncio.ensure_future(outcome(enroll(context, one, request(name), NOW))) for one, name in wanted]
        [refused], _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        assert refused.result() == "busy"
    said = await asyncio.gather(*crowd)
    assert (sorted(said[:3]), said[3]) == (["busy", OK, OK], OK)
    await assert_sound(db)


@pytest.mark.parametrize(("several", "error"), [(False, SectionFull), (True, RuntimeError)])
async def test_a_seat_that_is_not_open_is_never_committed(db: Database, several: bool, error: type[Exception]) -> None:
    """The functions raise, so no caller can forget to check a result."""
    full = section("A", 0)
    await store(db, term(), course("A"), full)

    async def body(session: Session) -> None:
        seats = SeatTransaction(db, session, NOW, ADA)
        candidate = await load_candidate(db, ADA, full.key, session)
        if several:
            await sections.take_seats(db, {(full.key, None): 1}, session)
        else:
            await seat_changes.take(seats, ADA, "enroll", candidate)

    with pytest.raises(error):
        await transaction(db, body)
    assert await enrolled_students(db, full.key) == set()
    await assert_sound(db)


def _anything(context: EnrollmentContext, student: int, chance: random.Random) -> Coroutine[None, None, object]:
    wanted = SectionRequest(chance.choice("AABCD"), FALL, chance.choice(["", "01"]))
    other = chance.choice("ABCD")
    linked = other if chance.random() < 0.5 else None
    match chance.choice(("enroll", "enroll", "drop", "swap", "join", "join", "leave")):
        case "enroll":
            return enroll(context, student, wanted, NOW)
        case "drop":
            return drop(context, student, wanted, NOW, with_corequisites=linked is not None)
        case "swap":
            return swap(context, student, other, wanted, NOW)
        case "join":
            return join(context, student, wanted, NOW, linked)
        case _:
            return leave(context, student, wanted, NOW)


def _courses(**credits: float) -> list[Course]:
    return [course(courseID, number) for courseID, number in credits.items()]
