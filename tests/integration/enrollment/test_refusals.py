"""Why an enrollment is refused: each reason has its own message."""

from datetime import UTC, datetime, timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments
from quart_enroll.domain.models import SectionKey
from tests.support.people import (
    ADA,
    FALL,
    MORNINGS,
    NOONS,
    SPRING,
    Browser,
    Clock,
    buttons,
    message_after,
    offer_course,
    seats_taken,
    set_clock,
    text,
)

SECOND = timedelta(seconds=1)


async def test_a_full_section_leads_to_the_waitlist_and_to_other_sections(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$set": {"capacity": 1}})
    await bob.post("/enrollment", form={"courseID": "1111", "section": "02"})
    response = await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026", "section": "02"})
    assert (response.status_code, response.location) == (303, "/enrollment/form?courseID=1111&term=Fall+2026")
    page = await ada.read(response.location)
    assert (
        "PYT 101, section 02, is full. Section 01 has open seats and fits your schedule. You can join the waitlist."
        in page
    )
    assert buttons(page)[:2] == ["Enroll in PYT 101, section 01", "Join waitlist for PYT 101, section 02"]
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 0


async def test_without_a_section_the_first_open_one_that_fits_is_chosen(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", MORNINGS)
    await ada.post("/enrollment", form={"courseID": "6666"})
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert await seats_taken(db, "1111", "02") == 1
    assert "1111-02" in await ada.read("/enrollment")


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        (
            FALL.opens_at - SECOND,
            "Enrollment for Fall 2026 opens on Saturday, August 1, 2026, 12:00 AM ET.",
        ),
        (FALL.opens_at, "You’re enrolled in PYT 101 for Fall 2026."),
        (FALL.add_deadline - SECOND, "You’re enrolled in PYT 101 for Fall 2026."),
        (
            FALL.add_deadline,
            "Enrollment for Fall 2026 closed at the end of September 14, 2026 (ET).",
        ),
    ],
)
async def test_the_window_opens_and_closes_to_the_second(
    ada: Browser, clock: Clock, moment: datetime, sentence: str
) -> None:
    await set_clock(moment, clock, (ada, ADA))
    assert await message_after(ada, "/enrollment", courseID="1111", term="Fall") == sentence


async def test_a_window_across_the_end_of_daylight_saving_time_is_shown_in_the_schools_timezone(
    ada: Browser, clock: Clock, db: Database
) -> None:
    # Clocks go back on November 1, 2026 at 06:00 UTC: 01:30 comes twice, and this is the second one.
    second_half_past_one = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": second_half_past_one}})
    for moment in (second_half_past_one - timedelta(hours=1), second_half_past_one - SECOND):
        await set_clock(moment, clock, (ada, ADA))
        refused = await message_after(ada, "/enrollment", courseID="2222")
        assert refused == "Enrollment for Spring 2027 opens on Sunday, November 1, 2026, 1:30 AM ET."
    await set_clock(second_half_past_one, clock, (ada, ADA))
    assert await message_after(ada, "/enrollment", courseID="2222") == "You’re enrolled in JAV 201 for Spring 2027."


async def test_a_time_conflict_is_refused_with_both_courses_and_the_time(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", NOONS)
    await ada.post("/enrollment", form={"courseID": "3333"})
    refused = await message_after(ada, "/enrollment", courseID="6666")
    assert refused == f"ART 100 conflicts with PHP 202: {NOONS[0]}."
    assert await seats_taken(db, "6666") == 0


async def test_all_conflicting_courses_are_named(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", (*MORNINGS, *NOONS))
    for courseID in ("1111", "3333"):
        await ada.post("/enrollment", form={"courseID": courseID})
    first = f"ART 100 conflicts with PYT 101: {MORNINGS[0]}."
    second = f"ART 100 conflicts with PHP 202: {NOONS[0]}."
    assert await message_after(ada, "/enrollment", courseID="6666") == f"{first} {second}"
    assert f"{first} {second}" in await ada.read("/course/6666")
    await ada.post("/plan/add", form={"courseID": "6666"})
    await ada.post("/plan/enroll", form={"term": "Fall 2026"})
    page = await ada.read("/plan")
    assert (page.count(first), page.count(second), "Last attempt" in page) == (1, 1, False)


async def test_exactly_the_credit_limit_is_allowed_and_no_more(ada: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100")
    await db.term.update_many({}, {"$set": {"max_credits": 7}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert await message_after(ada, "/enrollment", courseID="3333") == "You’re enrolled in PHP 202 for Fall 2026."
    refused = await message_after(ada, "/enrollment", courseID="6666")
    assert refused == "ART 100 would bring you to 10 credits (limit 7)."
    assert "7 of 7 credits" in await ada.read("/enrollment")


async def test_a_prerequisite_must_come_from_an_earlier_term(ada: Browser, clock: Clock, db: Database) -> None:
    await db.course.update_one({"courseID": "2222"}, {"$set": {"prerequisites": ["1111"]}})
    await set_clock(SPRING.opens_at, clock, (ada, ADA))
    missing = "JAV 201 requires 1111 (PYT 101) from an earlier term."
    assert await message_after(ada, "/enrollment", courseID="2222") == missing
    assert missing in await ada.read("/course/2222")
    await enrollments.put(db, ADA.user_id, SectionKey("Fall 2026", "1111", "01"), FALL.opens_at, None)
    assert await message_after(ada, "/enrollment", courseID="2222") == "You’re enrolled in JAV 201 for Spring 2027."


async def test_one_of_several_prerequisites_is_enough(ada: Browser, clock: Clock, db: Database) -> None:
    await db.course.update_one({"courseID": "2222"}, {"$set": {"requisite": "1111 or 3333"}})
    await set_clock(SPRING.opens_at, clock, (ada, ADA))
    missing = "JAV 201 requires 1111 (PYT 101) or 3333 (PHP 202) from an earlier term."
    assert await message_after(ada, "/enrollment", courseID="2222") == missing
    page = await ada.read("/course/2222")
    assert missing in page
    assert page.count("(not taken)") == 2
    assert "JAV 201" not in await ada.read("/courses/?unmet=y")
    await enrollments.put(db, ADA.user_id, SectionKey("Fall 2026", "3333", "01"), FALL.opens_at, None)
    assert await message_after(ada, "/enrollment", courseID="2222") == "You’re enrolled in JAV 201 for Spring 2027."


async def test_an_unknown_section_is_refused(ada: Browser) -> None:
    refused = await message_after(ada, "/enrollment", courseID="1111", section="09")
    assert refused == "PYT 101 has no section 09 in Fall 2026."


@pytest.mark.parametrize("path", ["/enrollment/drop", "/enrollment/swap", "/waitlist", "/waitlist/leave"])
@pytest.mark.parametrize("body", [b"", b"courseID=%ff&drop=%ff&add=1", b"courseID=1&courseID=2&drop=1&drop=2&add=1"])
async def test_forged_form_values_are_refused_with_a_message(ada: Browser, path: str, body: bytes) -> None:
    response = await ada.post(path, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert response.status_code == 422
    assert "That didn’t work" in await text(response)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/enrollment", "courseID"),
        ("/enrollment/drop", "courseID"),
        ("/enrollment/swap", "add"),
        ("/waitlist", "courseID"),
        ("/waitlist/leave", "courseID"),
    ],
)
async def test_an_api_client_gets_the_errors_of_each_field(ada: Browser, path: str, field: str) -> None:
    form = {field: "1" * 21, "drop": "1111", "term": "x" * 101}
    response = await ada.post(path, form=form, headers={"Accept": "application/json"})
    problem = await response.get_json()
    assert (response.status_code, problem["error"]) == (422, "wrong_fields")
    assert problem["fields"] == {
        field: ["Enter a course number of at most 20 characters."],
        "term": ["Enter a term like Fall 2026."],
    }
    assert "Enter a term like Fall 2026." in problem["message"]


@pytest.mark.parametrize(
    ("path", "form", "status", "code"),
    [
        ("/enrollment", {"courseID": "9999"}, 404, "unknown_course"),
        ("/enrollment", {"courseID": "1111", "term": "Never"}, 404, "unknown_term"),
        ("/enrollment", {"courseID": "3333"}, 409, "section_full"),
        ("/enrollment/drop", {"courseID": "1111"}, 409, "not_enrolled"),
        ("/enrollment/swap", {"drop": "1111", "add": "3333"}, 409, "not_enrolled"),
        ("/waitlist/leave", {"courseID": "1111"}, 409, "not_waiting"),
    ],
)
async def test_an_api_client_gets_a_refusal_as_json(
    ada: Browser, bob: Browser, path: str, form: dict[str, str], status: int, code: str
) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    response = await ada.post(path, form=form, headers={"Accept": "application/json"})
    problem = await response.get_json()
    assert (response.status_code, problem["error"]) == (status, code)
    assert problem["message"]
