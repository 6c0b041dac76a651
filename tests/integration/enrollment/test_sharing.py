"""Shared links: a student shows others the schedule or plan of one term."""

import asyncio
import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar

from quart_enroll.db.client import Database
from quart_enroll.domain.models import SharedContent
from quart_enroll.services.accounts import shared_links
from tests.support.people import ADA, FALL, FALL_MORNING, PASSWORD, Browser, Clock, message_after, text

LINKS = "/enrollment/links"
FORMATS = ("", "/schedule.txt", "/schedule.ics")


async def share(browser: Browser, content: str = "schedule", **fields: str) -> str:
    """Share the content of the fall, and return the path of the link that the page shows."""
    form = {"content": content, "term": "Fall 2026", "password": PASSWORD} | fields
    response = await browser.post(LINKS, form=form)
    assert response.status_code == 201
    [url] = re.findall(r'id="shared-url" value="([^"]+)"', await text(response))
    return urlsplit(unescape(url)).path


async def read_calendar(browser: Browser, path: str) -> Calendar:
    return Calendar.from_ical(await browser.read(f"{path}/schedule.ics"))


@pytest.fixture
async def ada(ada: Browser) -> Browser:
    """Ada, who is enrolled in one course and plans another."""
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    await ada.post("/plan/add", form={"courseID": "3333", "term": "Fall 2026", "section": "01"})
    return ada


async def test_a_link_shows_the_courses_of_a_term_and_only_the_first_name(ada: Browser, anyone: Browser) -> None:
    path = await share(ada)
    for suffix in FORMATS:
        found = await anyone.read(path + suffix)
        assert "Ada’s schedule for Fall 2026" in found
        assert "PYT 101" in found
        assert "PHP 202" not in found
        assert ADA.last_name not in found
        assert ADA.email not in found
    assert "PYT 101 · Introduction to Python (1111-01)\nMWF 9:00" in await anyone.read(f"{path}/schedule.txt")


async def test_a_shared_plan_has_the_planned_courses_too(ada: Browser, anyone: Browser) -> None:
    path = await share(ada, "plan")
    assert "Ada’s plan for Fall 2026" in await anyone.read(path)
    await ada.post("/account/name", form={"preferred_name": "Max", "pronouns": ""})
    assert "Max’s plan for Fall 2026" in await anyone.read(path)
    calendar = await read_calendar(anyone, path)
    assert [event["summary"] for event in calendar.events] == ["PYT 101", "PHP 202 (planned)"]


async def test_the_event_ids_of_a_shared_calendar_depend_on_its_link(ada: Browser, anyone: Browser) -> None:
    paths = [await share(ada), await share(ada, label="for bob")]
    shared = [await read_calendar(anyone, path) for path in (paths[0], *paths)]
    own = Calendar.from_ical(await ada.read("/enrollment/calendar.ics"))
    ids = [(str(file["uid"]), str(file.events[0]["uid"])) for file in (*shared, own)]
    assert ids[0] == ids[1]
    assert len({one for pair in ids for one in pair}) == 6


@pytest.mark.parametrize("suffix", FORMATS)
async def test_no_cache_search_engine_or_referer_keeps_a_link(suffix: str, ada: Browser, anyone: Browser) -> None:
    path = await share(ada) + suffix
    for url, status in ((path, 200), (f"/shared/unknown{suffix}", 404)):
        response = await anyone.get(url)
        assert response.status_code == status
        names = ("Referrer-Policy", "X-Robots-Tag", "Cache-Control")
        assert [response.headers.getlist(name) for name in names] == [["no-referrer"], ["noindex"], ["no-store"]]


async def test_a_revoked_link_looks_like_an_unknown_one(ada: Browser, anyone: Browser, bob: Browser) -> None:
    path = await share(ada, label="for bob")
    [link_id] = re.findall(r'name="link_id" value="([^"]+)"', await ada.read(LINKS))
    assert "already revoked" in await message_after(bob, f"{LINKS}/end", link_id=link_id)
    assert (await anyone.get(path)).status_code == 200
    assert await message_after(ada, f"{LINKS}/end", link_id=link_id) == "Link revoked. It no longer works."
    pages = [await anyone.get(one) for one in (path, "/shared/unknown")]
    assert [page.status_code for page in pages] == [404, 404]
    assert await text(pages[0]) == await text(pages[1])
    assert "for bob" not in await ada.read(LINKS)


async def test_a_link_ends_with_the_term(ada: Browser, anyone: Browser, clock: Clock) -> None:
    path = await share(ada)
    clock.now = FALL.ends_at
    assert (await anyone.get(path)).status_code == 404


async def test_a_term_has_at_most_five_links_with_different_names(ada: Browser, db: Database) -> None:
    for number in range(5):
        await share(ada, "plan" if number % 2 else "schedule", label=str(number // 2 or ""))
    form = {"content": "plan", "term": "Fall 2026", "password": PASSWORD}
    again = await ada.post(LINKS, form=form)
    assert (again.status_code, (await text(again)).count("You already share this with an unnamed link.")) == (422, 2)
    sixth = await ada.post(LINKS, form=form | {"label": "sixth"})
    assert (sixth.status_code, (await text(sixth)).count("You already have 5 links for Fall 2026")) == (422, 2)
    assert await db.share.count_documents({}) == 5
    await share(ada, term="Spring 2027")


@pytest.mark.usefixtures("ada")
async def test_links_created_at_once_stay_within_the_limit(db: Database) -> None:
    login = (await db.login.find_one({"user_id": ADA.user_id}) or {})["_id"]
    made = (
        shared_links.create(db, ADA.user_id, FALL, SharedContent.PLAN, label=str(n), now=FALL_MORNING, login=login)
        for n in range(7)
    )
    outcomes = await asyncio.gather(*made, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["TooManySharedLinks"] * 2 + ["str"] * 5
    assert await db.share.count_documents({}) == 5


async def test_sharing_requires_the_password_and_stores_only_a_digest(ada: Browser, db: Database) -> None:
    form = {"content": "plan", "term": "Fall 2026", "password": "not the password"}
    assert (await ada.post(LINKS, form=form)).status_code == 422
    token = (await share(ada)).removeprefix("/shared/")
    [stored] = await db.share.find().to_list(None)
    assert token not in str(stored)
    data = await ada.read("/account/data")
    assert stored["link_id"] in data
    assert stored["_id"] not in data
