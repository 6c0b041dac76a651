"""Moments in a student's own time zone."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import Credentials, Notice
from quart_enroll.i18n.language import Moment, Sentence
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.catalog.import_users import ImportedUser, import_users
from quart_enroll.services.notifications.messages import compose
from tests.support.holds import hold_ada
from tests.support.people import ADA, FALL_MORNING, Browser, Clock, midnight, text

LINKS = EmailLinks("a key that only the tests know", "https://enroll.school.example")
CHICAGO = "America/Chicago"


async def choose_timezone(browser: Browser, timezone: str) -> None:
    assert (await browser.post("/account/timezone", form={"timezone": timezone})).location == "/account"


async def test_only_the_student_sees_moments_in_the_students_own_time_zone(ada: Browser, bob: Browser) -> None:
    school = await bob.read("/help")
    assert "12:00 AM ET" in school
    await choose_timezone(ada, CHICAGO)
    own = await ada.read("/help")
    assert "11:00 PM CT" in own
    assert not re.search(r"\bET\b", own)
    assert "12:00 AM ET" in await bob.read("/help")
    await choose_timezone(ada, "")
    assert "12:00 AM ET" in await ada.read("/help")


async def test_cached_parts_of_pages_are_not_shared_between_time_zones(
    clock: Clock, ada: Browser, bob: Browser
) -> None:
    clock.now = midnight(2026, 7, 1)  # before enrollment opens
    for browser, zone, other in ((bob, " ET", " CT"), (ada, " CT", " ET"), (bob, " ET", " CT")):
        if browser is ada:
            await choose_timezone(ada, CHICAGO)
        for path in ("/", "/courses/Fall"):
            page = await browser.read(path)
            assert zone in page
            assert other not in page


async def test_meeting_times_stay_in_the_schools_time_zone(ada: Browser) -> None:
    before = re.findall(r"\d:\d\d [AP]M", await ada.read("/course/1111"))
    await choose_timezone(ada, "Asia/Tokyo")
    assert before
    assert re.findall(r"\d:\d\d [AP]M", await ada.read("/course/1111")) == before


async def test_the_last_day_of_a_hold_is_a_moment_where_no_day_ends_then(db: Database, ada: Browser) -> None:
    await hold_ada(db)
    await db.hold.update_one({}, {"$set": {"ends_at": datetime(2027, 1, 1, tzinfo=UTC)}})
    assert "In effect until December 31, 2026 (UTC)." in await ada.read("/")
    await choose_timezone(ada, CHICAGO)
    assert "In effect until Thursday, December 31, 2026, 6:00 PM CT." in await ada.read("/")


async def test_the_api_keeps_the_schools_time_zone(clock: Clock, ada: Browser) -> None:
    await choose_timezone(ada, CHICAGO)
    clock.now = midnight(2026, 7, 1)
    response = await ada.post("/api/v1/me/enrollments", json={"courseID": "1111", "term": "Fall 2026"})
    assert "12:00 AM ET" in (await response.get_json())["detail"]


def test_an_email_shows_moments_in_its_readers_time_zone() -> None:
    opens = Moment(datetime(2026, 9, 1, 13, tzinfo=UTC), "America/New_York")
    notice = Notice(opens.at, ADA.user_id, "staff", because=Sentence("It opens on %(opens)s.", opens=opens))
    sent = compose(notice, Credentials(replace(ADA, timezone=CHICAGO), ""), LINKS, opens.at)
    assert "It opens on Tuesday, September 1, 2026, 8:00 AM CT." in sent.text


async def test_a_time_zone_that_is_not_offered_is_refused_beside_its_field(ada: Browser, db: Database) -> None:
    for timezone in ("Mars/Olympus", "../etc/passwd", "localtime"):
        response = await ada.post("/account/timezone", form={"timezone": timezone})
        assert response.status_code == 422
        assert "Choose a time zone from the list." in await text(response)
    found = await users.find(db, ADA.user_id)
    assert found is not None
    assert found.timezone == ""


async def test_the_form_shows_the_chosen_time_zone(ada: Browser) -> None:
    assert '<option selected value="">UTC</option>' in await ada.read("/account/timezone")
    await choose_timezone(ada, CHICAGO)
    assert f'<option selected value="{CHICAGO}">Chicago</option>' in await ada.read("/account/timezone")


async def test_a_time_zone_that_no_longer_exists_falls_back_to_the_schools(ada: Browser, db: Database) -> None:
    await users.set_timezone(db, ADA.user_id, "Europe/Atlantis")
    found = await users.find(db, ADA.user_id)
    assert found is not None
    assert found.timezone == ""


async def test_an_import_keeps_the_time_zone(db: Database) -> None:
    await users.set_timezone(db, ADA.user_id, CHICAGO)
    await import_users(
        db, [ImportedUser(1, None, replace(ADA, last_name="Summers"), None)], FALL_MORNING, unusable_password="-"
    )
    assert await users.find(db, ADA.user_id) == replace(ADA, last_name="Summers", timezone=CHICAGO)
