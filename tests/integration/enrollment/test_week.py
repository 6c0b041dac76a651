"""The week view of the schedule."""

import re

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, FALL, NOONS, Browser, Clock, offer_course, set_clock, text


async def week_boxes(browser: Browser) -> list[tuple[str, str]]:
    """Return the state and the text of each box in the week."""
    page = await browser.read("/enrollment")
    box = r'<svg class="box is-(\w+) color-\d(?: narrow)?( clashes|)".*?<div class="box-text">(.*?)</div>'
    found = re.findall(box, page, re.DOTALL)
    return [(state + clashes, " ".join(re.sub("<[^>]+>", "", content).split())) for state, clashes, content in found]


async def conflicts(browser: Browser) -> list[str]:
    page = await browser.read("/enrollment")
    return [
        line
        for part in re.findall(r'"conflicts">(.*?)</ul>', page, re.DOTALL)
        for line in re.findall("<li>(.*?)</li>", part)
    ]


async def test_the_week_shows_enrolled_and_waitlisted_courses(ada: Browser, bob: Browser) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    await ada.post("/waitlist", form={"courseID": "3333"})
    assert await week_boxes(ada) == [
        ("enrolled", "1111 PYT 101 9:00–9:50 Hall 12"),
        ("waiting", "3333 PHP 202 waitlisted 12:00–1:15 Lab 1"),
    ] * 2 + [("enrolled", "1111 PYT 101 9:00–9:50 Hall 12")]
    assert await conflicts(ada) == []


async def test_a_waitlisted_course_at_the_same_time_shows_the_conflict(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await offer_course(db, "7777", "BIO 101")
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "7777"})
    await ada.post("/waitlist", form={"courseID": "3333"})
    await db.section.update_one(
        {"courseID": "7777"}, {"$set": {"meetings": [{"days": "T", "start": "13:00", "end": "14:00"}]}}
    )
    [conflict] = await conflicts(ada)
    assert conflict.startswith("BIO 101 conflicts with PHP 202 (waitlisted): T 1:00–1:15 PM.")
    assert '<a href="/help#swap">' in conflict
    assert ("waiting clashes", "3333 PHP 202 waitlisted 12:00–1:15 Lab 1") in await week_boxes(ada)


async def test_a_waitlisted_replacement_is_not_a_conflict(ada: Browser, bob: Browser, db: Database) -> None:
    await offer_course(db, "7777", "BIO 101", NOONS)
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "7777"})
    await ada.post("/waitlist", form={"courseID": "3333", "drop_if_enrolled": "7777"})
    assert {state for state, _ in await week_boxes(ada)} == {"enrolled", "waiting"}
    assert await conflicts(ada) == []


async def test_a_withdrawn_course_is_marked_in_the_week(ada: Browser, clock: Clock) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await set_clock(FALL.drop_deadline, clock, (ada, ADA))
    await ada.post("/enrollment/drop", form={"courseID": "1111"})
    assert set(await week_boxes(ada)) == {("withdrawn", "1111 PYT 101 withdrawn 9:00–9:50 Hall 12")}


async def test_a_course_without_times_is_listed_below_the_week(ada: Browser, db: Database) -> None:
    await offer_course(db, "7777", "BIO 101")
    await ada.post("/enrollment", form={"courseID": "7777"})
    assert "No fixed times: BIO 101." in await ada.read("/enrollment")
    assert await week_boxes(ada) == []


async def test_the_week_stays_until_the_last_day_on_which_courses_meet(
    ada: Browser, clock: Clock, db: Database
) -> None:
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"starts_on": "2026-08-31", "ends_on": "2026-12-18"}})
    await ada.post("/enrollment", form={"courseID": "1111"})
    for day, shown in ((18, True), (19, False)):
        await set_clock(FALL.local(clock.now).replace(month=12, day=day, hour=23), clock, (ada, ADA))
        page = await ada.read("/enrollment")
        assert ("Your week" in page, "PYT 101" in page) == (shown, True)


async def test_impossible_times_are_left_out_of_the_week(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    wrong = [
        {"days": "M", "start": "soon", "end": "later"},
        {"days": "M", "start": "24:00", "end": "25:00"},
        {"days": "M", "start": "10:00", "end": "09:00"},
        {"days": "X", "start": "09:00", "end": "10:00"},
        {"days": "", "start": "09:00", "end": "10:00"},
    ]
    await db.section.update_many({}, {"$set": {"meetings": wrong}}, bypass_document_validation=True)
    assert "No fixed times: PYT 101." in await ada.read("/enrollment")


async def test_no_page_has_inline_styles(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert "style=" not in await ada.read("/enrollment")


async def test_courses_on_the_schedule_link_to_their_pages(ada: Browser, bob: Browser) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/waitlist", form={"courseID": "3333"})
    page = await ada.read("/enrollment")
    for courseID, title, days in (("1111", "PYT 101", 3), ("3333", "PHP 202", 2)):
        links = re.findall(rf'href="(/course/{courseID}[^"]*)">{title}</a>', page)
        # one in the list, one per day in the week, and one per day in the list shown on phones
        assert links == [f"/course/{courseID}?term=Fall+2026"] * (1 + days + days)
        assert f"<h1>{title}" in await ada.read(links[0])


async def test_a_course_of_a_past_term_links_to_its_page_in_that_term(ada: Browser, clock: Clock) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await set_clock(FALL.withdraw_deadline, clock, (ada, ADA))
    [link] = set(re.findall(r'href="(/course/[^"]*)">PYT 101</a>', await ada.read("/enrollment")))
    assert "<h1>PYT 101 · Introduction to Python <small>Fall 2026" in await ada.read(link)


async def test_a_course_has_one_color_in_the_picture_and_in_the_list(ada: Browser) -> None:
    for courseID in ("1111", "3333"):
        await ada.post("/enrollment", form={"courseID": courseID})
    page = await ada.read("/enrollment")
    colors = {}
    for courseID in ("1111", "3333"):
        number = f'<span class="course-number">{courseID}</span>'
        found = re.findall(rf'class="(?:box )?is-enrolled (color-\d)"(?:(?!color-).)*?{number}', page, re.DOTALL)
        assert len(found) == page.count(number)
        [colors[courseID]] = set(found)
    assert colors["1111"] != colors["3333"]


@pytest.mark.parametrize("path", ["/courses/", "/course/3333"])
async def test_the_week_is_beside_the_sections_but_not_sent_to_phones(ada: Browser, path: str) -> None:
    assert 'id="own-week"' not in await ada.read(path)
    await ada.post("/enrollment", form={"courseID": "1111"})
    await ada.post("/plan/add", form={"courseID": "3333"})
    page = await ada.read(path)
    week = page[page.index('id="side-week"') : page.index("looked-at")]
    assert {*re.findall(r'class="box is-(\w+)', week)} == {"enrolled", "planned"}
    assert "data-meetings=" in page
    phone = await ada.get(path, headers={"Sec-CH-UA-Mobile": "?1"})
    assert 'id="own-week"' not in await text(phone)
