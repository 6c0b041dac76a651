"""Seat alerts: setting, getting and removing them."""

import pytest

from quart_enroll.db.client import Database
from tests.integration.enrollment.test_plan import link_buttons
from tests.support.people import ADA, FALL, Browser, Clock, message_after, set_clock

PHP = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
ADD_BUTTON = "Notify me if a seat opens in PHP 202, section 01"
REMOVE_BUTTON = "Remove alert for PHP 202, section 01"
COURSE_URL = "/course/3333?term=Fall+2026"
COURSE_LINK = f'<a href="{COURSE_URL}">PHP 202</a>'
SEAT_OPENED = (
    f"A seat opened in {COURSE_LINK}, section 01, for Fall 2026. "
    "It’s first come, first served, so it may already be taken."
)
SEAT_TAKEN_AGAIN = (
    f"A seat opened in {COURSE_LINK}, section 01, for Fall 2026, but it’s already taken. Set another alert to hear"
)


@pytest.fixture(autouse=True)
async def section_full(bob: Browser) -> None:
    """Enroll bob in the only seat of PHP 202."""
    await bob.post("/enrollment", form=PHP)


async def test_a_full_section_offers_a_seat_alert(ada: Browser, anyone: Browser) -> None:
    assert ADD_BUTTON in link_buttons(await ada.read("/courses/"))
    assert ADD_BUTTON in link_buttons(await ada.read("/course/3333?term=Fall"))
    assert link_buttons(await anyone.read("/courses/")) == []
    message = await message_after(ada, "/alert", **PHP)
    assert message == "We’ll notify you when a seat in PHP 202, section 01, opens to everyone."
    assert REMOVE_BUTTON in link_buttons(await ada.read("/courses/"))


async def test_a_section_with_a_full_waitlist_offers_a_seat_alert(ada: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"waitlist_capacity": 0}})
    page = await ada.read("/course/3333?term=Fall")
    assert "The waitlist for PHP 202, section 01, is full." in page
    assert link_buttons(page) == [ADD_BUTTON]


async def test_an_open_seat_alert_appears_once_on_the_next_page(ada: Browser, bob: Browser) -> None:
    await ada.post("/alert", form=PHP)
    await ada.read("/")
    await bob.post("/enrollment/drop", form=PHP)
    assert SEAT_OPENED in await ada.read("/plan")
    assert SEAT_OPENED not in await ada.read("/")
    assert "Seat alerts" not in await ada.read("/enrollment")


async def test_an_alert_is_not_shown_when_the_seat_is_taken_again(ada: Browser, bob: Browser) -> None:
    await ada.post("/alert", form=PHP)
    await ada.read("/")
    await bob.post("/enrollment/drop", form=PHP)
    await bob.post("/enrollment", form=PHP)
    page = await ada.read("/courses/")
    assert SEAT_TAKEN_AGAIN in page
    assert SEAT_OPENED not in page
    assert ADD_BUTTON in link_buttons(page)


async def test_a_course_title_in_an_alert_is_escaped(ada: Browser, bob: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"title": "<script>x</script> %(section)s"}})
    await ada.post("/alert", form=PHP)
    await ada.read("/")
    await bob.post("/enrollment/drop", form=PHP)
    page = await ada.read("/plan")
    assert f'A seat opened in <a href="{COURSE_URL}">&lt;script&gt;x&lt;/script&gt; %(section)s</a>, section 01' in page
    assert "<script>x" not in page


async def test_the_schedule_lists_seat_alerts_and_removes_one(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/alert", form=PHP)
    page = await ada.read("/enrollment")
    assert "Seat alerts" in page
    assert f"<strong>{COURSE_LINK}</strong>" in page
    assert REMOVE_BUTTON in page.replace("<span>", "")
    for _ in range(2):
        assert await message_after(ada, "/alert/end", **PHP) == "Alert removed for PHP 202, section 01."
    assert await db.alert.count_documents({}) == 0
    await bob.post("/enrollment/drop", form=PHP)
    assert SEAT_OPENED not in await ada.read("/enrollment")


async def test_the_schedule_lists_no_alerts_for_past_terms_or_enrolled_courses(
    ada: Browser, clock: Clock, db: Database
) -> None:
    await ada.post("/alert", form=PHP)
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 2}})
    await ada.post("/enrollment", form=PHP)
    assert "Seat alerts" not in await ada.read("/enrollment")
    await db.enrollment.delete_many({"user_id": ADA.user_id})
    assert "Seat alerts" in await ada.read("/enrollment")
    await set_clock(FALL.add_deadline, clock, (ada, ADA))
    assert "Seat alerts" not in await ada.read("/enrollment")


async def test_an_open_section_offers_no_seat_alert(ada: Browser, db: Database) -> None:
    message = await message_after(ada, "/alert", courseID="1111", term="Fall 2026", section="01")
    assert message == "PYT 101, section 01, has an open seat. You can enroll now."
    assert await db.alert.count_documents({}) == 0
