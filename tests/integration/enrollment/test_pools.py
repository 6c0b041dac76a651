"""Reserved pools: how staff define them, and what each reader sees."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.models import SectionKey
from tests.support.people import ADA, BOB, Browser, text

SEAT = {"term": "Fall 2026", "courseID": "3333", "section": "01"}
KEY = SectionKey(*SEAT.values())
EDIT = f"/staff/section?{urlencode(SEAT)}"
NURSES = "Nurses: 1 for program: Nursing until 2027-01-05"
FORM = {
    "revision": "0",
    "capacity": "2",
    "waitlist_capacity": "1",
    "meetings": "TR 12:00-13:15",
    "room": "Lab 1",
    "instructor": "P. Silva",
    "status": "active",
    "pools": NURSES,
}


@pytest.fixture
async def reserved(db: Database, rita: Browser) -> None:
    """Two seats, one of them for nurses: ada is one."""
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"attributes": {"programs": ["Nursing"]}}})
    assert (await rita.post(EDIT, form=FORM)).status_code == 303


def seats(page: str) -> str:
    """Return what the page says about the seats of PHP 202, the first course with one section."""
    shown = re.search(r'class="(?:row-)?seats[^>]*>(.*?)</(?:div|span)>', page[page.index("PHP 202") :], re.DOTALL)
    assert shown is not None
    return re.sub("<[^>]*>", "", shown[1]).strip()


@pytest.mark.usefixtures("reserved")
async def test_every_reader_sees_their_own_number(
    db: Database, ada: Browser, bob: Browser, anyone: Browser, rita: Browser
) -> None:
    for path in ("/courses?term=Fall+2026", "/course/3333?term=Fall+2026"):
        assert seats(await ada.read(path)) == "2 of 2 seats open", path
        for browser in (bob, anyone):
            page = await browser.read(path)
            assert (seats(page), "1 seat is reserved for Nurses." in page) == ("1 seat left", True), path
    assert (await bob.post("/enrollment", form=SEAT)).status_code == 303
    for path in ("/courses?term=Fall+2026&q=PHP", "/course/3333?term=Fall+2026"):
        assert seats(await anyone.read(path)) == "Reserved", path
        page = await ada.read(path)
        assert (seats(page), "in PHP 202, section 01" in page) == ("1 seat left", True), path
    for browser, is_found in ((ada, True), (bob, False), (anyone, False)):
        assert ("All about PHP 202" in await browser.read("/courses?term=Fall+2026&open=y")) == is_found
    [section] = (await (await anyone.get("/api/v1/sections?courseID=3333")).get_json())["sections"]
    assert (section["open_seats"], section["pools"][0]["seats_left"]) == (0, 1)
    await ada.post("/plan/add", form=SEAT)
    [planned] = (await (await ada.get("/api/v1/me/plan?term=Fall+2026")).get_json())["sections"]
    assert planned["open_to_you"] == 1


@pytest.mark.usefixtures("reserved")
async def test_others_are_refused_and_can_wait(db: Database, ada: Browser, bob: Browser, rita: Browser) -> None:
    await db.section.update_one(SEAT, {"$set": {"capacity": 1}})
    response = await bob.post("/api/v1/me/enrollments", json=SEAT)
    refusal = await response.get_json()
    assert (response.status_code, refusal["code"]) == (409, "seats_reserved")
    assert refusal["detail"].endswith("are reserved for other students. You can join the waitlist.")
    assert "Join waitlist" in await bob.read("/course/3333?term=Fall+2026")
    why = unescape(await rita.read(f"/staff/students/{BOB.user_id}/why?{urlencode(SEAT)}"))
    assert "are reserved for other students." in why
    act = f"/staff/students/{BOB.user_id}/act?action=enroll&{urlencode(SEAT)}"
    assert "Give the student a seat reserved for others" in await rita.read(act)
    await ada.post("/enrollment", form=SEAT)
    row = await db.enrollment.find_one({"user_id": ADA.user_id})
    assert row is not None
    assert row["pool"] == "Nurses"


@pytest.mark.usefixtures("reserved")
async def test_staff_see_errors_beside_the_field(db: Database, ada: Browser, rita: Browser) -> None:
    await ada.post("/enrollment", form=SEAT)
    for wrong, message in (
        ({"pools": "Nurses: 1"}, "Line 1: Write a name, a colon, the number of seats"),
        ({"pools": ""}, "Students have seats in these pools. Keep at least this many in each: Nurses: 1."),
        ({"capacity": "0"}, "The pools reserve more seats (1) than the section has (0)."),
    ):
        response = await rita.post(EDIT, form=FORM | {"revision": "1"} | wrong)
        page = unescape(await text(response))
        assert (response.status_code, message in page) == (422, True), message
        assert f'href="#{next(iter(wrong))}"' in page
    more = FORM | {"revision": "1", "pools": f"Seniors: 1 for standing: Senior\n{NURSES}"}
    assert (await rita.post(EDIT, form=more)).status_code == 303
    found = await sections.find(db, KEY)
    assert found is not None
    assert [(one.name, one.taken) for one in found.pools] == [("Seniors", 0), ("Nurses", 1)]
    assert NURSES in await text(await rita.get("/staff/sections?term=Fall+2026&q=silva&format=csv"))
    assert NURSES in unescape(await rita.read("/staff/audit"))
