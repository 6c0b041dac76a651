"""Corequisites on pages and in the API, and how a student enrolls in them together."""

from html import unescape

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from tests.support.api_clients import ENROLLMENTS, Program, program
from tests.support.people import (
    ADA,
    EVENINGS,
    FALL,
    NOONS,
    Browser,
    Clock,
    buttons,
    message_after,
    offer_course,
    seats_taken,
    set_clock,
    text,
)

MISSING_COREQUISITE = "ART LAB must be taken with 6666 (ART 100)."
HINT = "Enroll in both at once on the course page or from your plan."
BUTTON = "Enroll with 6666 (ART 100) : ART LAB, section 01"
PAGES = ("/course/7777", "/courses/Fall?q=ART", "/enrollment/form?courseID=7777&term=Fall")


@pytest.fixture
async def art(db: Database) -> Database:
    """Offer a lecture, and a lab that requires it."""
    await offer_course(db, "6666", "ART 100", NOONS)
    await offer_course(db, "7777", "ART LAB", EVENINGS, corequisites=("6666",))
    return db


@pytest.fixture
async def ada_program(app: Quart, art: Database) -> Program:
    return await program(app, art, ADA)


@pytest.mark.parametrize("path", PAGES)
async def test_a_row_names_the_missing_corequisite_and_offers_both(ada: Browser, art: Database, path: str) -> None:
    page = await ada.read(path)
    assert f"{MISSING_COREQUISITE} {HINT}" in page
    assert BUTTON in buttons(page)
    assert "Enroll in ART LAB, section 01" not in buttons(page)


async def test_one_button_enrolls_in_both_corequisites(ada: Browser, art: Database) -> None:
    lab = {"courseID": "7777", "term": "Fall 2026", "section": "01", "with_corequisites": "y"}
    message = await message_after(ada, "/enrollment", **lab)
    assert message == "You’re enrolled in ART LAB for Fall 2026. You’re enrolled in ART 100 for Fall 2026."
    assert (await seats_taken(art, "6666"), await seats_taken(art, "7777")) == (1, 1)
    assert "already enrolled in ART LAB" in await message_after(ada, "/enrollment", **lab)


async def test_the_lab_alone_is_refused_with_a_hint_to_enroll_in_both(ada: Browser, art: Database) -> None:
    response = await ada.post("/enrollment", form={"courseID": "7777", "term": "Fall 2026"})
    assert response.location == "/enrollment/form?courseID=7777&term=Fall+2026"
    assert f"{MISSING_COREQUISITE} {HINT}" in await ada.read(response.location)
    refused = "Not possible: a corequisite was missing."
    assert refused in await ada.read("/enrollment/history")
    assert await art.enrollment.count_documents({}) == 0


async def test_a_student_with_the_lecture_enrolls_in_the_lab_as_usual(ada: Browser, art: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "6666"})
    for path in PAGES:
        page = await ada.read(path)
        assert "must be taken together" not in page
        assert "Enroll in ART LAB, section 01" in buttons(page)
    assert "(taken)" in await ada.read("/course/7777")


@pytest.mark.parametrize("times", [EVENINGS, NOONS])  # NOONS: when the lecture meets
async def test_the_lecture_is_never_offered_in_exchange_for_its_lab(ada: Browser, art: Database, times: object) -> None:
    meetings = [{"days": one.days, "start": one.start, "end": one.end} for one in times]  # type: ignore[attr-defined]
    await art.section.update_one({"courseID": "7777"}, {"$set": {"meetings": meetings}})
    for courseID in ("6666", "1111"):
        await ada.post("/enrollment", form={"courseID": courseID})
    await ada.post("/plan/add", form={"courseID": "7777", "section": "01", "term": "Fall 2026"})
    for path in (*PAGES, "/plan?term=Fall"):
        page = await ada.read(path)
        assert '<option value="6666"' not in page
        assert not any("Swap ART 100" in label for label in buttons(page))
    assert '<option value="1111"' in await ada.read("/course/7777") or times is NOONS


async def test_a_student_enrolled_in_or_waiting_for_the_lecture_may_join_the_waitlist_of_the_lab(
    ada: Browser, art: Database
) -> None:
    await art.section.update_many({"courseID": {"$in": ["6666", "7777"]}}, {"$set": {"seats_taken": 1}})
    join = "Join waitlist for ART LAB, section 01"
    assert join not in buttons(await ada.read("/course/7777"))
    assert MISSING_COREQUISITE in await message_after(ada, "/waitlist", courseID="7777")
    await ada.post("/waitlist", form={"courseID": "6666"})
    assert join in buttons(await ada.read("/course/7777"))
    await ada.post("/waitlist", form={"courseID": "7777"})
    page = await ada.read("/enrollment")
    assert f"If a seat opened now, it would go to the next student in line: {MISSING_COREQUISITE}" in page


async def test_the_plan_names_the_missing_corequisite_until_it_is_planned(ada: Browser, art: Database) -> None:
    await ada.post("/plan/add", form={"courseID": "7777", "section": "01", "term": "Fall 2026"})
    assert MISSING_COREQUISITE in await ada.read("/plan?term=Fall")
    await ada.post("/plan/add", form={"courseID": "6666", "section": "01", "term": "Fall 2026"})
    assert MISSING_COREQUISITE not in await ada.read("/plan?term=Fall")
    await ada.post("/plan/enroll", form={"term": "Fall 2026"})
    assert await art.enrollment.count_documents({"status": "enrolled"}) == 2


async def test_a_lab_without_its_lecture_stays_with_a_warning(ada: Browser, art: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "7777", "with_corequisites": "y"})
    await art.enrollment.delete_one({"courseID": "6666"})
    page = unescape(await ada.read("/enrollment"))
    assert "This course must be taken with ART 100." in page
    assert "Drop ART LAB" in buttons(page)


async def test_a_late_drop_of_several_courses_warns_about_each_w(ada: Browser, art: Database, clock: Clock) -> None:
    await ada.post("/enrollment", form={"courseID": "7777", "with_corequisites": "y"})
    lecture, withdrawal_warning = {"courseID": "6666", "term": "Fall 2026"}, "They stay on your schedule with a W"

    async def ask_to_drop() -> str:
        return await text(await ada.post("/enrollment/drop", form=lecture))

    page = await ask_to_drop()
    assert "Drop all" in page
    assert withdrawal_warning not in page
    await set_clock(FALL.drop_deadline, clock, (ada, ADA))
    page = await ask_to_drop()
    assert "Withdraw from all" in page
    assert withdrawal_warning in page
    await ada.post("/enrollment/drop", form=lecture | {"with_corequisites": "y"})
    assert await art.enrollment.count_documents({"status": "withdrawn"}) == 2


async def test_the_api_names_the_missing_corequisite_and_enrolls_in_both(ada_program: Program, art: Database) -> None:
    status, problem = await ada_program.post(ENROLLMENTS, {"courseID": "7777"})
    assert (status, problem["code"], problem["courses"]) == (409, "corequisite_missing", ["6666"])
    body = {"courseID": "7777", "with_corequisites": True}
    status, enrollment = await ada_program.post(ENROLLMENTS, body)
    assert (status, enrollment["courseID"]) == (201, "7777")
    assert await ada_program.post(ENROLLMENTS, body) == (200, enrollment)
    assert await art.enrollment.count_documents({"status": "enrolled"}) == 2


async def test_a_prerequisite_may_be_taken_concurrently_if_the_course_says_so(ada: Browser, art: Database) -> None:
    changed = {"$set": {"corequisites": [], "requisite": "1111 or 6666 concurrently"}}
    await art.course.update_one({"courseID": "7777"}, changed)
    missing = "ART LAB requires 1111 (PYT 101) or 6666 (ART 100) (in the same term or earlier)."
    assert await message_after(ada, "/enrollment", courseID="7777") == missing
    assert missing in await ada.read("/course/7777")
    for courseID in ("7777", "6666"):  # the plan takes the second first
        await ada.post("/plan/add", form={"courseID": courseID, "section": "01", "term": "Fall 2026"})
    assert missing not in await ada.read("/plan?term=Fall")
    await ada.post("/plan/enroll", form={"term": "Fall 2026"})
    assert (await seats_taken(art, "6666"), await seats_taken(art, "7777")) == (1, 1)
    page = await ada.read("/course/7777")
    assert (page.count("(may be taken in the same term)"), page.count("(met)")) == (1, 1)
    question = await text(await ada.post("/enrollment/drop", form={"courseID": "6666"}))
    assert "ART LAB can’t be taken without ART 100" in question
    await ada.post("/enrollment/drop", form={"courseID": "6666", "with_corequisites": "y"})
    assert (await seats_taken(art, "6666"), await seats_taken(art, "7777")) == (0, 0)
