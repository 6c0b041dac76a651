"""Enrolling in a course, and the schedule."""

import asyncio
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, BOB, FALL, SPRING, Browser, Clock, buttons, midnight, set_clock, text


async def test_enrolling_leads_to_the_schedule_with_the_course(ada: Browser, db: Database) -> None:
    response = await ada.post("/enrollment", form={"courseID": "1111", "title": "Free money"})
    assert (response.status_code, response.location) == (303, "/enrollment")
    page = await ada.read("/enrollment")
    assert "You’re enrolled in PYT 101 for Fall 2026." in page
    assert "Introduction to Python" in page
    assert "Free money" not in page
    row = await db.enrollment.find_one({"user_id": ADA.user_id})
    assert row is not None
    assert (row["courseID"], row["term"], row["status"]) == ("1111", "Fall 2026", "enrolled")


async def test_enrolling_twice_warns_and_changes_nothing(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    response = await ada.post("/enrollment", form={"courseID": "1111"})
    assert (response.status_code, response.location) == (303, "/courses/")
    page = await ada.read("/courses/")
    assert "You’re already enrolled in PYT 101 for Fall 2026." in page
    assert "alert-warning" in page
    assert await db.enrollment.count_documents({}) == 1


async def test_20_simultaneous_identical_requests_enroll_once(ada: Browser, db: Database) -> None:
    posts = [ada.post("/enrollment", form={"courseID": "1111"}) for _ in range(20)]
    assert {response.status_code for response in await asyncio.gather(*posts)} == {303}
    assert await db.enrollment.count_documents({}) == 1


@pytest.mark.parametrize(
    ("term", "enrolled_term"),
    [
        ("", "Fall 2026"),
        ("Fall, Spring", "Fall 2026"),
        ("Spring", "Spring 2027"),
        ("spring 2027", "Spring 2027"),
    ],
)
async def test_a_form_with_two_terms_enrolls_in_the_first_open_one(
    ada: Browser, db: Database, term: str, enrolled_term: str
) -> None:
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    await ada.post("/enrollment", form={"courseID": "1111", "term": term})
    row = await db.enrollment.find_one({"courseID": "1111"})
    assert row is not None
    assert row["term"] == enrolled_term


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"courseID": "9999"}, "There is no course 9999 in the catalog."),
        ({"courseID": "3333", "term": "Spring"}, "PHP 202 isn’t offered in Spring 2027."),
        ({"courseID": "3333", "term": "Never"}, "There is no term “Never” in the catalog."),
    ],
)
async def test_an_impossible_enrollment_is_refused_with_a_sentence(
    ada: Browser, db: Database, fields: dict[str, str], sentence: str
) -> None:
    response = await ada.post("/enrollment", form=fields)
    assert (response.status_code, response.location) == (303, "/courses/")
    assert sentence in await ada.read("/courses/")
    assert await db.enrollment.count_documents({}) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"courseID=",
        b"courseID=" + b"9" * 5000,
        b"courseID=%ff",
        b"courseID=1&courseID=2",
        b"courseID[$gt]=",
    ],
    ids=["nothing", "empty", "over-long", "not utf-8", "repeated", "operator"],
)
async def test_a_malformed_enrollment_shows_the_form_again(ada: Browser, db: Database, body: bytes) -> None:
    response = await ada.post("/enrollment", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert response.status_code == 422
    page = await text(response)
    assert "Error:" in page
    assert "invalid-feedback" in page
    assert await db.enrollment.count_documents({}) == 0


async def test_a_malformed_enrollment_keeps_what_was_typed(ada: Browser) -> None:
    response = await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall\a", "section": "a long number"})
    page = await text(response)
    assert response.status_code == 422
    assert 'value="1111"' in page
    assert '<option selected value="a long number">' in page
    for name, sentence in (
        ("Term", "This contains unreadable characters. Type it again."),
        ("Section", "Enter a section number like 01."),
    ):
        assert f"{name}: {sentence}</a>" in page
        assert f'class="invalid-feedback">{sentence}</div>' in page


async def test_the_requested_course_is_kept_through_sign_in(anyone: Browser) -> None:
    response = await anyone.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026"})
    next_url = parse_qs(urlsplit(response.location).query)["next"][0]
    assert next_url == "/enrollment/form?courseID=1111&term=Fall+2026"
    signed_in = await anyone.sign_in(ADA, next=next_url)
    page = await anyone.read(signed_in.location)
    assert 'value="1111"' in page
    assert "PYT 101" in page
    assert '<option selected value="Fall 2026">' in page


async def test_the_requested_section_is_kept_through_sign_in(anyone: Browser) -> None:
    response = await anyone.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026", "section": "02"})
    signed_in = await anyone.sign_in(ADA, next=parse_qs(urlsplit(response.location).query)["next"][0])
    assert '<option selected value="02">' in await anyone.read(signed_in.location)


async def test_a_form_opened_by_url_asks_for_missing_fields(anyone: Browser) -> None:
    response = await anyone.get("/enrollment/form?term=Fall")
    assert response.status_code == 200
    assert "Enter a course number" in await text(response)


@pytest.mark.parametrize("query", ["?courseID=9999", "?courseID=%ff", "?courseID=1&courseID=2", "?term=" + "x" * 200])
async def test_a_form_opened_by_url_names_invalid_fields(anyone: Browser, query: str) -> None:
    response = await anyone.get(f"/enrollment/form{query}")
    assert response.status_code == 200
    assert "invalid-feedback" in await text(response)


async def test_the_schedule_is_in_the_order_of_course_numbers(ada: Browser, bob: Browser, db: Database) -> None:
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    for courseID in ("3333", "2222", "1111"):
        await ada.post("/enrollment", form={"courseID": courseID})
    page = await ada.read("/enrollment")
    assert page.index("PYT 101</a><span") < page.index("PHP 202</a><span")
    assert page.index("Fall 2026</h2>") < page.index("Spring 2027</h2>") < page.index("JAV 201</a><span")
    assert "7 of 18 credits" in page
    assert "PYT 101" not in await bob.read("/enrollment")


async def test_the_current_term_comes_before_the_next(ada: Browser, clock: Clock, db: Database) -> None:
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"starts_on": "2026-08-31", "ends_on": "2026-12-18"}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert '<nav class="terms"' not in await ada.read("/enrollment")
    await set_clock(SPRING.opens_at, clock, (ada, ADA))
    await ada.post("/enrollment", form={"courseID": "2222"})
    for day, order in ((18, ["Fall 2026", "Spring 2027"]), (19, ["Spring 2027", "Fall 2026"])):
        await set_clock(midnight(2026, 12, day), clock, (ada, ADA))
        page = await ada.read("/enrollment")
        assert re.findall(r'<h2 id="(term-\d)">(.*?)</h2>', page) == [("term-1", order[0]), ("term-2", order[1])]
        assert re.findall(r'<a href="#(term-\d)">(.*?)</a>', page) == [("term-1", order[0]), ("term-2", order[1])]


async def test_an_empty_schedule_says_what_to_do_next(bob: Browser) -> None:
    page = await bob.read("/enrollment")
    assert "You don’t have any courses yet" in page
    assert re.findall("<li><h2>(.*?)</h2>", page) == ["Search", "Plan", "Enroll"]
    assert buttons(page) == ["Find courses", "See your plan", "FAQ"]
    assert "opens on" not in page


async def test_before_the_opening_the_schedule_says_when_it_is(bob: Browser, clock: Clock) -> None:
    await set_clock(FALL.opens_at - timedelta(hours=1), clock, (bob, BOB))
    assert "Enrollment for Fall 2026 opens on Saturday, 1 August 2026, 00:00" in await bob.read("/enrollment")


async def test_a_student_cannot_enroll_another_student(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "user_id": "2"})
    assert [row["user_id"] async for row in db.enrollment.find()] == [ADA.user_id]
