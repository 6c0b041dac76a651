"""Enrolling in a course, and the schedule."""

import asyncio
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, BOB, FALL, SPRING, Browser, Clock, buttons, set_clock, text


async def test_enrolling_leads_to_the_schedule_with_the_course(ada: Browser, db: Database) -> None:
    response = await ada.post("/enrollment", form={"courseID": "1111", "title": "Free money"})
    assert (response.status_code, response.location) == (303, "/enrollment?term=Fall+2026")
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
    assert "7 of 18 credits" in page
    assert "PYT 101" not in await bob.read("/enrollment")


def tabs(page: str) -> list[tuple[str, str, str]]:
    """Return the URL of each term's tab, whether it is the current one, and the term."""
    [nav] = re.findall(r'<nav class="tabs".*?</nav>', page, re.DOTALL)
    return re.findall(r'<a href="([^"]*)"( aria-current="page")?>(.*?)</a>', nav)


FALL_URL, SPRING_URL = "/enrollment?term=Fall+2026", "/enrollment?term=Spring+2027"
CURRENT = ' aria-current="page"'


async def test_the_term_that_is_open_for_enrollment_comes_before_the_running_one(
    ada: Browser, clock: Clock, db: Database
) -> None:
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"starts_on": "2026-08-31", "ends_on": "2026-12-18"}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    page = await ada.read("/enrollment")
    assert '<nav class="tabs"' not in page
    assert "Courses meet from Aug 31, 2026 to Dec 18, 2026." in page
    await set_clock(SPRING.opens_at, clock, (ada, ADA))
    await ada.post("/enrollment", form={"courseID": "2222"})
    page = await ada.read("/enrollment")
    assert tabs(page) == [(SPRING_URL, CURRENT, "Spring 2027"), (FALL_URL, "", "Fall 2026")]
    assert re.findall(r'<h2 id="term">(.*?)</h2>', page) == ["Spring 2027"]
    assert ("JAV 201" in page, "PYT 101" in page, "Courses meet from" in page) == (True, False, False)


async def test_after_the_add_deadline_the_running_term_comes_first(ada: Browser, clock: Clock, db: Database) -> None:
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    for courseID in ("1111", "2222"):
        await ada.post("/enrollment", form={"courseID": courseID})
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": SPRING.opens_at}})
    await set_clock(FALL.add_deadline, clock, (ada, ADA))
    page = await ada.read("/enrollment")
    assert tabs(page) == [(FALL_URL, CURRENT, "Fall 2026"), (SPRING_URL, "", "Spring 2027")]


async def test_a_tab_shows_its_term(ada: Browser, db: Database) -> None:
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    for courseID in ("1111", "2222"):
        await ada.post("/enrollment", form={"courseID": courseID})
    for path in (SPRING_URL, "/enrollment?term=spring"):
        page = await ada.read(path)
        assert tabs(page) == [(FALL_URL, "", "Fall 2026"), (SPRING_URL, CURRENT, "Spring 2027")]
        assert ("JAV 201</a>" in page, "PYT 101</a>" in page, "4 of 18 credits" in page) == (True, False, True)
        assert page.index("Your week") < page.index("Your courses")


@pytest.mark.parametrize("term", ["Never", "Fall+1999", "%00", "%ff", "x" * 3000, "Fall,Spring"])
async def test_an_unknown_term_shows_the_one_that_is_open(ada: Browser, term: str) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    response = await ada.get(f"/enrollment?term={term}")
    assert response.status_code == 200
    assert '<h2 id="term">Fall 2026</h2>' in await text(response)


async def test_a_term_whose_last_course_is_dropped_keeps_its_tab_until_the_student_leaves_it(
    ada: Browser, db: Database
) -> None:
    await db.term.update_one({"term": "Spring 2027"}, {"$set": {"opens_at": FALL.opens_at}})
    for courseID in ("1111", "2222"):
        await ada.post("/enrollment", form={"courseID": courseID})
    response = await ada.post("/enrollment/drop", form={"courseID": "2222"})
    assert response.location == SPRING_URL
    page = await ada.read(response.location)
    assert "You dropped JAV 201 for Spring 2027." in page
    assert "You don’t have any courses in Spring 2027." in page
    assert tabs(page) == [(FALL_URL, "", "Fall 2026"), (SPRING_URL, CURRENT, "Spring 2027")]
    assert '<nav class="tabs"' not in await ada.read("/enrollment")


async def test_an_empty_schedule_says_what_to_do_next(bob: Browser) -> None:
    page = await bob.read("/enrollment")
    assert "You don’t have any courses yet" in page
    assert re.findall("<li><h2>(.*?)</h2>", page) == ["Search", "Plan", "Enroll"]
    assert buttons(page) == ["Find courses", "See your plan", "FAQ"]
    assert "opens on" not in page


async def test_before_the_opening_the_schedule_says_when_it_is(bob: Browser, clock: Clock) -> None:
    await set_clock(FALL.opens_at - timedelta(hours=1), clock, (bob, BOB))
    assert "Enrollment for Fall 2026 opens on Saturday, August 1, 2026, 12:00 AM" in await bob.read("/enrollment")


async def test_a_student_cannot_enroll_another_student(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "user_id": "2"})
    assert [row["user_id"] async for row in db.enrollment.find()] == [ADA.user_id]
