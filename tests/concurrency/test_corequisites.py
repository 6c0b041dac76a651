"""Corequisites: all seats or none, in a crowd, from the plan and from waitlists too."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import date

import pytest

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import enrollments, sections, terms
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import rules
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.services.catalog.import_courses import ImportedCourse, import_courses
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.catalog.import_terms import ImportedTerm, import_terms
from quart_enroll.services.enrollment import plan, seat_changes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll, swap
from quart_enroll.services.enrollment.enroll_plan import enroll_plan
from quart_enroll.services.enrollment.enroll_together import enroll_together, enroll_with_corequisites
from quart_enroll.services.enrollment.plan_order import group_by_needs
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.waitlist import join
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    SPRING,
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
from tests.concurrency.test_concurrent import request
from tests.support.seat_model import OK

ADA, BOB = 1, 2

LECTURE, LAB = (SectionKey(FALL, courseID, "01") for courseID in ("BIO", "LAB"))
SONG, DANCE = (SectionKey(FALL, courseID, "01") for courseID in ("SONG", "DANCE"))


@pytest.fixture
async def bio(db: Database) -> Database:
    """A lecture with a lab that needs it, and two courses that need each other."""
    courses = [course("BIO"), course("LAB", 1, corequisites=("BIO",)), course("SONG", corequisites=("DANCE",))]
    courses += [course("DANCE", corequisites=("SONG",)), course("ART")]
    await store(db, term(), *courses, *(section(one.courseID, 1) for one in courses))
    return db


async def test_a_lab_requires_its_lecture(bio: Database, context: EnrollmentContext) -> None:
    assert await outcome(enroll(context, ADA, request("LAB"), NOW)) == "corequisite_missing"
    assert await outcome(enroll(context, ADA, request("BIO"), NOW)) == OK
    assert await outcome(enroll(context, ADA, request("LAB"), NOW)) == OK
    await assert_sound(bio)


async def test_a_lecture_taken_in_an_earlier_term_satisfies_the_lab(bio: Database, context: EnrollmentContext) -> None:
    await terms.put_all(bio, [term(SPRING, opens_at=2, add_deadline=26, drop_deadline=28, withdraw_deadline=30)])
    await sections.put_all(bio, [section("LAB", 1, name=SPRING), section("BIO", 1, name=SPRING)])
    for courseID, name in (("BIO", FALL), ("LAB", SPRING), ("BIO", SPRING)):
        assert await outcome(enroll(context, ADA, SectionRequest(courseID, name, "01"), NOW)) == OK
    assert [one.courseID for one in (await drop(context, ADA, SectionRequest("BIO", SPRING), NOW)).courses] == ["BIO"]
    await assert_sound(bio)


async def test_enrolling_together_takes_all_seats_or_none(bio: Database, context: EnrollmentContext) -> None:
    assert await outcome(enroll_together(context, ADA, [SONG, DANCE], NOW)) == OK
    for key in (SONG, DANCE):
        assert await enrolled_students(bio, key) == {ADA}
    await sections.put_all(bio, [section("SONG", 2)])
    assert await outcome(enroll_together(context, BOB, [SONG, DANCE], NOW)) == "section_full"
    assert await enrolled_students(bio, SONG) == {ADA}
    assert await outcome(enroll_together(context, ADA, [SONG, DANCE], NOW)) == "already_enrolled"
    await assert_sound(bio)


async def test_in_a_crowd_nobody_gets_only_one_course_of_a_pair(bio: Database, context: EnrollmentContext) -> None:
    await sections.put_all(bio, [section("SONG", 5), section("DANCE", 3)])
    keys = [[SONG, DANCE], [DANCE, SONG]]
    outcomes = await outcomes_of(enroll_together(context, student, keys[student % 2], NOW) for student in range(1, 21))
    assert (outcomes.count(OK), outcomes.count("section_full")) == (3, 17)
    assert await enrolled_students(bio, SONG) == await enrolled_students(bio, DANCE)
    await assert_sound(bio)


async def test_missing_corequisites_are_taken_in_sections_that_fit(bio: Database, context: EnrollmentContext) -> None:
    await sections.put_all(
        bio,
        [
            section("LAB", 1, "M 09:00 09:50"),
            section("BIO", 1, "M 09:30 10:20"),  # begins before the lab ends
            section("BIO", 1, "M 11:00 11:50", number="02"),
        ],
    )
    assert len(await enroll_with_corequisites(context, ADA, request("LAB"), NOW)) == 2
    assert await enrolled_students(bio, SectionKey(FALL, "BIO", "02")) == {ADA}
    await assert_sound(bio)


async def test_the_search_for_fitting_sections_does_not_try_every_combination(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"TALK": "M 09:00 09:50", "LAB": "T {:02}:00 {:02}:50", "BIO": "M 09:30 10:20"}
    offered = [
        section(courseID, 9, when.format(hour, hour), number=f"{hour:02}")
        for courseID, when in times.items()
        for hour in range(1, 21)
    ]
    await store(db, term(), course("BIO"), course("TALK", 1), course("LAB", 1, corequisites=("TALK", "BIO")), *offered)
    calls: list[object] = []
    fits = rules.fits
    monkeypatch.setattr(rules, "fits", lambda *about: calls.append(about) or fits(*about))
    assert await outcome(enroll_with_corequisites(context, ADA, SectionRequest("LAB", FALL), NOW)) == "time_conflict"
    assert len(calls) < 500  # there are 8000 combinations


async def test_a_course_that_another_requires_cannot_be_swapped_away(bio: Database, context: EnrollmentContext) -> None:
    await enroll(context, ADA, request("BIO"), NOW)
    assert await outcome(swap(context, ADA, "BIO", request("LAB"), NOW)) == "corequisite_missing"
    await enroll(context, ADA, request("LAB"), NOW)
    assert await outcome(swap(context, ADA, "BIO", request("ART"), NOW)) == "corequisites_would_go"
    assert await enrolled_students(bio, LECTURE) == await enrolled_students(bio, LAB) == {ADA}


async def test_a_lab_without_its_lecture_can_still_change_sections(bio: Database, context: EnrollmentContext) -> None:
    await enroll(context, ADA, request("BIO"), NOW)
    await enroll(context, ADA, request("LAB"), NOW)
    await bio.enrollment.delete_one({"courseID": "BIO"})
    await sections.put_all(bio, [section("LAB", 1, number="02")])
    assert await outcome(swap(context, ADA, "LAB", request("LAB", "02"), NOW)) == OK


async def test_joining_the_waitlist_of_a_lab_requires_the_lecture_or_its_waitlist(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    assert await outcome(join(context, ADA, request("LAB"), NOW)) == "corequisite_missing"
    assert await outcome(join(context, ADA, request("LAB"), NOW, "ART")) == "not_enrolled"
    for courseID in ("BIO", "LAB"):
        assert await outcome(join(context, ADA, request(courseID), NOW)) == OK
    await assert_sound(bio)


async def test_courses_that_need_each_other_have_no_waitlist_of_their_own(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [SONG, DANCE], NOW)
    for courseID in ("SONG", "DANCE"):
        assert await outcome(join(context, ADA, request(courseID), NOW)) == "corequisite_missing"
    await assert_sound(bio)


async def test_a_student_waiting_for_lecture_and_lab_gets_both_when_the_lecture_opens(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    for courseID in ("BIO", "LAB"):
        await join(context, ADA, request(courseID), NOW)
    await drop(context, BOB, request("LAB"), NOW)
    assert await waitlisted_students(bio, LAB) == [ADA]  # skipped, with the place kept
    await assert_sound(bio)
    await drop(context, BOB, request("BIO"), NOW)
    assert await enrolled_students(bio, LECTURE) == await enrolled_students(bio, LAB) == {ADA}
    await assert_sound(bio)


@pytest.mark.parametrize("at_once", [False, True])
async def test_enrolling_in_the_lecture_promotes_the_student_into_the_lab(
    bio: Database, context: EnrollmentContext, at_once: bool
) -> None:
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    for courseID in ("BIO", "LAB"):
        await join(context, ADA, request(courseID), NOW)
    await drop(context, BOB, request("LAB"), NOW)
    await sections.put_all(bio, [section("BIO", 1, number="02"), section("BIO", 1, number="03")])
    crowd = [
        enroll(context, ADA, request("BIO", "02"), NOW),
        *([enroll(context, 7, request("BIO", "03"), NOW)] if at_once else []),
    ]
    assert set(await outcomes_of(crowd)) == {OK}
    assert await enrolled_students(bio, LAB) == {ADA}
    await assert_sound(bio)


async def test_a_plan_enrolls_in_lectures_before_labs_and_in_pairs_together(
    bio: Database, context: EnrollmentContext
) -> None:
    for courseID in ("LAB", "SONG", "ART", "DANCE", "BIO"):
        await plan.add(context, ADA, request(courseID), NOW)
    _, outcomes = await enroll_plan(context, ADA, FALL, NOW)
    assert all(one.enrolled for one in outcomes)
    assert [one.key.courseID for one in outcomes] == ["BIO", "LAB", "SONG", "DANCE", "ART"]
    await assert_sound(bio)


async def test_a_planned_pair_with_a_full_course_stays_in_the_plan(bio: Database, context: EnrollmentContext) -> None:
    await enroll_together(context, BOB, [SONG, DANCE], NOW)
    await import_section(bio, section("SONG", 2))
    for courseID in ("SONG", "DANCE"):
        await plan.add(context, ADA, request(courseID), NOW)
    _, outcomes = await enroll_plan(context, ADA, FALL, NOW)
    assert [one.refusal and one.refusal.code for one in outcomes] == ["section_full", "section_full"]
    assert await enrolled_students(bio, SONG) == {BOB}
    assert await bio.plan.count_documents({"because": {"$exists": True}}) == 2


async def test_a_planned_lab_whose_lecture_is_full_stays_with_the_reason(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll(context, BOB, request("BIO"), NOW)
    for courseID in ("LAB", "BIO"):
        await plan.add(context, ADA, request(courseID), NOW)
    _, outcomes = await enroll_plan(context, ADA, FALL, NOW)
    codes = {one.key.courseID: one.refusal and one.refusal.code for one in outcomes}
    assert codes == {"BIO": "section_full", "LAB": "corequisite_missing"}


def test_courses_that_need_each_other_form_a_group_after_the_courses_they_need() -> None:
    needs = {"A": ["B"], "B": ["C"], "C": ["B", "E"], "D": [], "E": []}
    assert group_by_needs(needs) == [["E"], ["B", "C"], ["A"], ["D"]]


async def test_a_student_skipped_while_an_import_removes_the_corequisite_gets_the_seat(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll(context, BOB, request("ART"), NOW)
    await enroll(context, ADA, request("BIO"), NOW)
    await join(context, ADA, request("ART"), NOW, "BIO")
    await enroll(context, ADA, request("LAB"), NOW)
    alone = ImportedCourse(2, course("LAB", 1), frozenset({"corequisites"}))
    await drop_during_import(bio, SectionKey(FALL, "ART", "01"), import_courses(bio, [alone], NOW))
    assert await enrolled_students(bio, SectionKey(FALL, "ART", "01")) == {ADA}
    await assert_sound(bio)


async def test_a_student_skipped_while_an_import_moves_the_term_gets_the_seat(
    db: Database, context: EnrollmentContext
) -> None:
    earlier = replace(term(), starts_on=date(2026, 9, 1), ends_on=date(2026, 11, 30))
    overlapping = replace(earlier, ends_on=date(2026, 12, 18))
    later = replace(term(SPRING), starts_on=date(2026, 12, 1), ends_on=date(2027, 5, 1))
    full = section("D", 1, name=SPRING)
    await store(db, earlier, later, course("A"), course("D", prerequisites=("A",)), section("A", 2), full)
    await enroll(context, BOB, request("A"), NOW)
    await enroll(context, BOB, SectionRequest("D", SPRING), NOW)
    await enroll(context, ADA, request("A"), NOW)
    await join(context, ADA, SectionRequest("D", SPRING), NOW)
    days = frozenset({"starts_on", "ends_on"})
    await import_terms(db, [ImportedTerm(2, overlapping, days)], NOW)
    await drop_during_import(db, full.key, import_terms(db, [ImportedTerm(2, earlier, days)], NOW))
    assert await enrolled_students(db, full.key) == {ADA}
    await assert_sound(db)


async def drop_during_import(db: Database, key: SectionKey, importing: Coroutine[None, None, ImportResult]) -> None:
    """Drop bob's seat in a transaction that ends after the import has begun."""

    async def body(session: Session) -> asyncio.Task[ImportResult]:
        dropping = SeatTransaction(db, session, NOW, BOB)
        [registration] = await enrollments.find_in_term(db, BOB, key.term, session)
        await seat_changes.drop(dropping, BOB, registration, is_withdrawal=False)
        await promote_waitlists(dropping)  # skips ada
        begun = asyncio.create_task(importing)
        await asyncio.wait([begun], timeout=0.5)
        return begun

    await (await transaction(db, body))


async def test_a_seat_in_the_lecture_promotes_its_student_in_the_lab_too(
    bio: Database, context: EnrollmentContext
) -> None:
    change = {"$set": {"corequisites": [], "requisite": "ART or BIO concurrently"}}
    await bio.course.update_one({"courseID": "LAB"}, change)
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    for courseID in ("BIO", "LAB"):
        assert await outcome(join(context, ADA, request(courseID), NOW)) == OK
    await drop(context, BOB, request("LAB"), NOW)
    assert await enrolled_students(bio, LAB) == set()
    await drop(context, BOB, request("BIO"), NOW)
    assert await enrolled_students(bio, LECTURE) == await enrolled_students(bio, LAB) == {ADA}
    await assert_sound(bio)
