"""The home page of a student: what comes next and what has changed."""

import re
from datetime import timedelta
from html import unescape

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, FALL, Browser, Clock, midnight, set_clock


@pytest.fixture
async def db(db: Database) -> Database:
    """The school, with the days on which courses meet."""
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"starts_on": "2026-08-31", "ends_on": "2026-12-18"}})
    return db


async def cards(browser: Browser) -> dict[str, str]:
    """Return the text of each part of the home page, by its heading."""
    page = await browser.read("/")
    found = re.findall(r"<h2 id=[^>]*>(.*?)</h2>(.*?)</section>", page.split('<div class="overview">')[1], re.DOTALL)
    return {heading: " ".join(unescape(re.sub("<[^>]+>", " ", text)).split()) for heading, text in found}


async def test_a_student_sees_the_next_meeting_with_its_time_and_room(ada: Browser, clock: Clock) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    for moment, when in (
        (midnight(2026, 9, 1) + timedelta(hours=9), "Tomorrow"),
        (midnight(2026, 9, 2) + timedelta(hours=9), "Today"),
        (midnight(2026, 9, 4) + timedelta(hours=9, minutes=50), "Mon, Sep 7, 2026"),
    ):
        await set_clock(moment, clock, (ada, ADA))
        assert (await cards(ada))["Up next"] == f"PYT 101 {when}, 9:00–9:50 AM · Hall 12"


async def test_a_student_without_meetings_sees_none(ada: Browser, clock: Clock) -> None:
    assert set(await cards(ada)) == {"Next deadline"}
    await ada.post("/enrollment", form={"courseID": "1111"})
    await set_clock(midnight(2026, 12, 19), clock, (ada, ADA))
    assert "Up next" not in await cards(ada)


async def test_a_student_sees_the_next_deadline_with_its_date(ada: Browser, clock: Clock) -> None:
    add, drop = "Last day to add courses · Fall 2026", "Last day to drop courses without a W · Fall 2026"
    day = "September 14, 2026 (ET)"
    assert (await cards(ada))["Next deadline"] == f"{add} {day}"
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert (await cards(ada))["Next deadline"] == f"{add} {drop} {day}"
    await set_clock(FALL.drop_deadline, clock, (ada, ADA))
    withdraw = "Last day to withdraw · Fall 2026 October 31, 2026 (ET)"
    assert (await cards(ada))["Next deadline"] == withdraw
    await set_clock(FALL.withdraw_deadline, clock, (ada, ADA))
    opens = "Enrollment opens · Spring 2027 Sunday, November 15, 2026, 12:00 AM ET"
    assert (await cards(ada))["Next deadline"] == opens


async def test_a_student_sees_the_credits_and_the_places_in_line(ada: Browser, bob: Browser) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/waitlist", form={"courseID": "3333"})
    assert "Credits" not in await cards(ada)
    await ada.post("/enrollment", form={"courseID": "1111"})
    found = await cards(ada)
    assert found["Credits"] == "Fall 2026 3 of 18 credits"
    assert found["Waitlists"] == "PHP 202 Position 1 of 1 · Fall 2026"


async def test_a_student_sees_the_latest_changes_but_no_refusals(ada: Browser, bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    for courseID in ("1111", "3333"):  # the second is full
        await ada.post("/enrollment", form={"courseID": courseID})
    await ada.read("/")
    assert await db.event.count_documents({"user_id": ADA.user_id, "result": {"$ne": "ok"}}) == 1
    changes = (await cards(ada))["Latest changes"]
    assert changes.startswith("Enrolled in PYT 101, section 01, for Fall 2026. Tuesday, September 1, 2026")
    assert "PHP 202" not in changes
    await ada.post("/enrollment/drop", form={"courseID": "1111"})
    assert (await cards(ada))["Latest changes"].startswith("Dropped PYT 101, section 01, for Fall 2026.")


async def test_the_parts_of_the_page_lead_to_where_students_act(ada: Browser, bob: Browser) -> None:
    await bob.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/waitlist", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "1111"})
    links = set(re.findall(r'href="([^"]*)"', (await ada.read("/")).split('<div class="overview">')[1]))
    assert links >= {
        "/course/1111?term=Fall+2026",
        "/courses/Fall%202026",
        "/enrollment?term=Fall+2026",
        "/enrollment/history",
    }
    for link in links:
        assert (await ada.get(unescape(link), follow_redirects=True)).status_code == 200


async def test_after_the_deadline_to_withdraw_the_next_meeting_leads_to_a_page_of_its_course(
    ada: Browser, clock: Clock
) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await set_clock(FALL.withdraw_deadline, clock, (ada, ADA))
    [link] = re.findall(r'href="(/course/[^"]*)"', await ada.read("/"))
    assert (await ada.get(link)).status_code == 200


async def test_the_registrar_sees_what_the_student_sees(ada: Browser, rita: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    assert "Credits" not in await cards(rita)
    await rita.post("/staff/view-as", form={"user_id": str(ADA.user_id)})
    assert await cards(rita) == await cards(ada)


async def test_a_visitor_sees_nothing_of_this(anyone: Browser) -> None:
    page = await anyone.read("/")
    assert "Build your schedule in minutes" in page
    assert "overview" not in page
