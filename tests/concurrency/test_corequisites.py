"""Courses that must be taken together: both seats or none, also where others hurry and where somebody waits."""

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
from quart_enroll.services.catalog.import_terms import ImportedTerm, import_terms
from quart_enroll.services.catalog.imports import ImportResult
from quart_enroll.services.enrollment import plan, seat_changes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import drop, enroll, swap
from quart_enroll.services.enrollment.enroll_plan import enroll_plan, group_by_needs
from quart_enroll.services.enrollment.enroll_together import enroll_together, enroll_with_corequisites
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.waitlist import join
from tests.concurrency.invariants import assert_sound
from tests.concurrency.school import (
    FALL,
    NOW,
    SPRING,
    course,
    found,
    line,
    offer,
    outcome,
    seated,
    section,
    term,
    together,
)
from tests.concurrency.test_concurrent import wish
from tests.support.seat_model import OK

ADA, BOB = 1, 2

LECTURE, LAB = (SectionKey(FALL, courseID, "01") for courseID in ("BIO", "LAB"))
SONG, DANCE = (SectionKey(FALL, courseID, "01") for courseID in ("SONG", "DANCE"))


@pytest.fixture
async def bio(db: Database) -> Database:
    """A lecture with a lab that needs it, and two courses that need each other."""
    courses = [course("BIO"), course("LAB", 1, beside=("BIO",)), course("SONG", beside=("DANCE",))]
    courses += [course("DANCE", beside=("SONG",)), course("ART")]
    await found(db, term(), *courses, *(section(one.courseID, 1) for one in courses))
    return db


async def test_a_lab_alone_is_refused_and_with_its_lecture_taken(bio: Database, context: EnrollmentContext) -> None:
    assert await outcome(enroll(context, ADA, wish("LAB"), NOW)) == "corequisite_missing"
    assert await outcome(enroll(context, ADA, wish("BIO"), NOW)) == OK
    assert await outcome(enroll(context, ADA, wish("LAB"), NOW)) == OK
    await assert_sound(bio)


async def test_a_lecture_of_an_earlier_term_will_do_and_is_not_missed_later(
    bio: Database, context: EnrollmentContext
) -> None:
    await terms.put_all(bio, [term(SPRING, opens_at=2, add_deadline=26, drop_deadline=28, withdraw_deadline=30)])
    await sections.put_all(bio, [section("LAB", 1, name=SPRING), section("BIO", 1, name=SPRING)])
    for courseID, name in (("BIO", FALL), ("LAB", SPRING), ("BIO", SPRING)):
        assert await outcome(enroll(context, ADA, SectionRequest(courseID, name, "01"), NOW)) == OK
    assert [one.courseID for one in (await drop(context, ADA, SectionRequest("BIO", SPRING), NOW)).courses] == ["BIO"]
    await assert_sound(bio)


async def test_together_means_both_or_none(bio: Database, context: EnrollmentContext) -> None:
    assert await outcome(enroll_together(context, ADA, [SONG, DANCE], NOW)) == OK
    for key in (SONG, DANCE):
        assert await seated(bio, key) == {ADA}
    await sections.put_all(bio, [section("SONG", 2)])
    assert await outcome(enroll_together(context, BOB, [SONG, DANCE], NOW)) == "section_full"
    assert await seated(bio, SONG) == {ADA}
    assert await outcome(enroll_together(context, ADA, [SONG, DANCE], NOW)) == "already_enrolled"
    await assert_sound(bio)


async def test_a_crowd_takes_pairs_and_nobody_has_one_of_them_alone(bio: Database, context: EnrollmentContext) -> None:
    await sections.put_all(bio, [section("SONG", 5), section("DANCE", 3)])
    keys = [[SONG, DANCE], [DANCE, SONG]]
    told = await together(enroll_together(context, student, keys[student % 2], NOW) for student in range(1, 21))
    assert (told.count(OK), told.count("section_full")) == (3, 17)
    assert await seated(bio, SONG) == await seated(bio, DANCE)
    await assert_sound(bio)


async def test_the_missing_ones_are_found_in_sections_that_fit(bio: Database, context: EnrollmentContext) -> None:
    await sections.put_all(
        bio,
        [
            section("LAB", 1, "M 09:00 09:50"),
            section("BIO", 1, "M 09:30 10:20"),  # begins before the lab ends
            section("BIO", 1, "M 11:00 11:50", number="02"),
        ],
    )
    assert len(await enroll_with_corequisites(context, ADA, wish("LAB"), NOW)) == 2
    assert await seated(bio, SectionKey(FALL, "BIO", "02")) == {ADA}
    await assert_sound(bio)


async def test_labs_that_all_meet_with_the_lecture_are_not_tried_in_every_combination(
    db: Database, context: EnrollmentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"TALK": "M 09:00 09:50", "LAB": "T {:02}:00 {:02}:50", "BIO": "M 09:30 10:20"}
    offered = [
        section(courseID, 9, when.format(hour, hour), number=f"{hour:02}")
        for courseID, when in times.items()
        for hour in range(1, 21)
    ]
    await found(db, term(), course("BIO"), course("TALK", 1), course("LAB", 1, beside=("TALK", "BIO")), *offered)
    asked: list[object] = []
    fits = rules.fits
    monkeypatch.setattr(rules, "fits", lambda *about: asked.append(about) or fits(*about))
    assert await outcome(enroll_with_corequisites(context, ADA, SectionRequest("LAB", FALL), NOW)) == "time_conflict"
    assert len(asked) < 500  # there are 8000 combinations


async def test_what_is_needed_can_not_be_swapped_away(bio: Database, context: EnrollmentContext) -> None:
    await enroll(context, ADA, wish("BIO"), NOW)
    assert await outcome(swap(context, ADA, "BIO", wish("LAB"), NOW)) == "corequisite_missing"
    await enroll(context, ADA, wish("LAB"), NOW)
    assert await outcome(swap(context, ADA, "BIO", wish("ART"), NOW)) == "corequisites_would_go"
    assert await seated(bio, LECTURE) == await seated(bio, LAB) == {ADA}


async def test_who_has_a_lab_alone_keeps_it_and_may_change_its_section(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll(context, ADA, wish("BIO"), NOW)
    await enroll(context, ADA, wish("LAB"), NOW)
    await bio.enrollment.delete_one({"courseID": "BIO"})
    await sections.put_all(bio, [section("LAB", 1, number="02")])
    assert await outcome(swap(context, ADA, "LAB", wish("LAB", "02"), NOW)) == OK


async def test_waiting_for_a_lab_takes_the_lecture_or_a_place_in_its_line(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    assert await outcome(join(context, ADA, wish("LAB"), NOW)) == "corequisite_missing"
    assert await outcome(join(context, ADA, wish("LAB"), NOW, "ART")) == "not_enrolled"
    for courseID in ("BIO", "LAB"):
        assert await outcome(join(context, ADA, wish(courseID), NOW)) == OK
    await assert_sound(bio)


async def test_nobody_waits_for_one_of_two_courses_that_need_each_other(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [SONG, DANCE], NOW)
    for courseID in ("SONG", "DANCE"):
        assert await outcome(join(context, ADA, wish(courseID), NOW)) == "corequisite_missing"
    await assert_sound(bio)


async def test_a_seat_in_the_lab_waits_for_the_lecture_and_comes_with_it(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    for courseID in ("BIO", "LAB"):
        await join(context, ADA, wish(courseID), NOW)
    await drop(context, BOB, wish("LAB"), NOW)
    assert await line(bio, LAB) == [ADA]  # passed over, and keeps the place
    await assert_sound(bio)
    await drop(context, BOB, wish("BIO"), NOW)
    assert await seated(bio, LECTURE) == await seated(bio, LAB) == {ADA}
    await assert_sound(bio)


@pytest.mark.parametrize("at_once", [False, True])
async def test_taking_the_lecture_gives_the_seat_in_the_lab_to_who_waits(
    bio: Database, context: EnrollmentContext, at_once: bool
) -> None:
    await enroll_together(context, BOB, [LECTURE, LAB], NOW)
    for courseID in ("BIO", "LAB"):
        await join(context, ADA, wish(courseID), NOW)
    await drop(context, BOB, wish("LAB"), NOW)
    await sections.put_all(bio, [section("BIO", 1, number="02"), section("BIO", 1, number="03")])
    crowd = [
        enroll(context, ADA, wish("BIO", "02"), NOW),
        *([enroll(context, 7, wish("BIO", "03"), NOW)] if at_once else []),
    ]
    assert set(await together(crowd)) == {OK}
    assert await seated(bio, LAB) == {ADA}
    await assert_sound(bio)


async def test_a_plan_takes_the_lecture_before_the_lab_and_a_pair_together(
    bio: Database, context: EnrollmentContext
) -> None:
    for courseID in ("LAB", "SONG", "ART", "DANCE", "BIO"):
        await plan.add(context, ADA, wish(courseID), NOW)
    _, outcomes = await enroll_plan(context, ADA, FALL, NOW)
    assert all(one.enrolled for one in outcomes)
    assert [one.key.courseID for one in outcomes] == ["BIO", "LAB", "SONG", "DANCE", "ART"]
    await assert_sound(bio)


async def test_of_a_planned_pair_with_a_full_course_none_is_taken_and_both_stay(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll_together(context, BOB, [SONG, DANCE], NOW)
    await offer(bio, section("SONG", 2))
    for courseID in ("SONG", "DANCE"):
        await plan.add(context, ADA, wish(courseID), NOW)
    _, outcomes = await enroll_plan(context, ADA, FALL, NOW)
    assert [one.refusal and one.refusal.code for one in outcomes] == ["section_full", "section_full"]
    assert await seated(bio, SONG) == {BOB}
    assert await bio.plan.count_documents({"because": {"$exists": True}}) == 2


async def test_a_planned_lab_whose_lecture_is_full_stays_with_the_reason(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll(context, BOB, wish("BIO"), NOW)
    for courseID in ("LAB", "BIO"):
        await plan.add(context, ADA, wish(courseID), NOW)
    _, outcomes = await enroll_plan(context, ADA, FALL, NOW)
    codes = {one.key.courseID: one.refusal and one.refusal.code for one in outcomes}
    assert codes == {"BIO": "section_full", "LAB": "corequisite_missing"}


def test_what_needs_each_other_is_one_group_and_comes_after_what_it_needs() -> None:
    needs = {"A": ["B"], "B": ["C"], "C": ["B", "E"], "D": [], "E": []}
    assert group_by_needs(needs) == [["E"], ["B", "C"], ["A"], ["D"]]


async def test_who_is_passed_over_beside_an_import_that_frees_a_lab_of_its_lecture_gets_the_seat(
    bio: Database, context: EnrollmentContext
) -> None:
    await enroll(context, BOB, wish("ART"), NOW)
    await enroll(context, ADA, wish("BIO"), NOW)
    await join(context, ADA, wish("ART"), NOW, "BIO")
    await enroll(context, ADA, wish("LAB"), NOW)
    alone = ImportedCourse(2, course("LAB", 1), frozenset({"corequisites"}))
    await give_back_beside(bio, SectionKey(FALL, "ART", "01"), import_courses(bio, [alone], NOW))
    assert await seated(bio, SectionKey(FALL, "ART", "01")) == {ADA}
    await assert_sound(bio)


async def test_who_is_passed_over_beside_an_import_that_puts_a_term_first_gets_the_seat(
    db: Database, context: EnrollmentContext
) -> None:
    earlier = replace(term(), starts_on=date(2026, 9, 1), ends_on=date(2026, 11, 30))
    overlapping = replace(earlier, ends_on=date(2026, 12, 18))
    later = replace(term(SPRING), starts_on=date(2026, 12, 1), ends_on=date(2027, 5, 1))
    full = section("D", 1, name=SPRING)
    await found(db, earlier, later, course("A"), course("D", needs=("A",)), section("A", 2), full)
    await enroll(context, BOB, wish("A"), NOW)
    await enroll(context, BOB, SectionRequest("D", SPRING), NOW)
    await enroll(context, ADA, wish("A"), NOW)
    await join(context, ADA, SectionRequest("D", SPRING), NOW)
    days = frozenset({"starts_on", "ends_on"})
    await import_terms(db, [ImportedTerm(2, overlapping, days)], NOW)
    await give_back_beside(db, full.key, import_terms(db, [ImportedTerm(2, earlier, days)], NOW))
    assert await seated(db, full.key) == {ADA}
    await assert_sound(db)


async def give_back_beside(db: Database, key: SectionKey, importing: Coroutine[None, None, ImportResult]) -> None:
    """Give bob's seat back in a transaction that ends after the import has begun."""

    async def body(session: Session) -> asyncio.Task[ImportResult]:
        dropping = SeatTransaction(db, session, NOW, BOB)
        [held] = await enrollments.find_in_term(db, BOB, key.term, session)
        await seat_changes.drop(dropping, BOB, term(key.term), held)
        await promote_waitlists(dropping)  # passes ada over
        begun = asyncio.create_task(importing)
        await asyncio.wait([begun], timeout=0.5)
        return begun

    await (await transaction(db, body))
