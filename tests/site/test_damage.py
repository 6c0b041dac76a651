"""What was damaged behind the site's back: nobody gets a 500 for it, nothing is lost, and `check-seats` tells of it."""

from typing import Any

import pytest
from quart import Quart

from quart_enroll.models import Wish
from quart_enroll.mongo import Database
from quart_enroll.repositories import users
from quart_enroll.services import checking, enrollment, waitlist
from quart_enroll.services.upgrade import Defaults, upgrade
from tests.people import ADA, BOB, CAL, FALL_MORNING, HASH, Browser, told

NOW = FALL_MORNING
PHP = {"term": "Fall 2026", "courseID": "3333"}
PYT = {"term": "Fall 2026", "courseID": "1111", "section": "01"}

Change = dict[str, Any]


@pytest.fixture
async def school(db: Database) -> Database:
    """Bob sits in PHP 202, which is full; ada waits for it. Both sit in PYT 101."""
    await db.section.update_one(PHP, {"$set": {"waitlist_capacity": 5}})
    for user in (ADA, BOB):
        await enrollment.enroll(db, user.user_id, Wish("1111", section="01"), NOW)
    await enrollment.enroll(db, BOB.user_id, Wish("3333"), NOW)
    await waitlist.join(db, ADA.user_id, Wish("3333"), NOW)
    return db


@pytest.fixture
async def cal(app: Quart, db: Database) -> Browser:
    """The browser of one student more."""
    await users.add(db, CAL, HASH)
    browser = Browser(app.test_client())
    await browser.sign_in(CAL)
    return browser


async def found(db: Database) -> list[str]:
    return (await checking.check(db, NOW)).disagreements


async def mended(db: Database) -> list[str]:
    """Repair, and return what is still found."""
    await checking.repair(db, NOW)
    return await found(db)


async def test_a_count_of_seats_that_is_too_low_keeps_nobody_from_dropping(school: Database, ada: Browser) -> None:
    await school.section.update_one(PYT, {"$set": {"seats_taken": 0}})
    assert await told(ada, "/enrollment/drop", courseID="1111") == "You gave back PYT 101 for Fall 2026."
    assert await found(school) == ["1111, section 01, Fall 2026: 0 seats are counted, and 1 are enrolled."]
    assert await mended(school) == []


async def test_a_count_of_who_waits_that_is_too_low_keeps_nobody_from_leaving(
    school: Database, ada: Browser, cal: Browser
) -> None:
    await cal.post("/waitlist", form=PHP)
    await school.section.update_one(PHP, {"$set": {"waiting": 0}})
    assert await told(ada, "/waitlist/leave", courseID="3333") == "You left the waitlist of PHP 202."
    assert await found(school) == ["3333, section 01, Fall 2026: 0 are counted as waiting, and 1 wait."]
    assert await mended(school) == []


async def test_who_joins_a_line_whose_end_is_counted_too_low_waits_behind_all_others(
    school: Database, cal: Browser
) -> None:
    await school.section.update_one(PHP, {"$set": {"queue_tail": 0}})
    assert "2 of 2" in await told(cal, "/waitlist", **PHP)
    assert [row["user_id"] async for row in school.waitlist.find().sort("place")] == [ADA.user_id, CAL.user_id]
    assert await found(school) == ["3333, section 01, Fall 2026: place 2 is past the end of the line, 1."]
    assert await mended(school) == []


async def test_a_seat_in_a_section_that_was_deleted_is_not_lost_by_the_next_enrollment(
    school: Database, ada: Browser
) -> None:
    await school.section.delete_one(PYT)
    before = await school.enrollment.find().to_list(None)
    assert "PYT 101" in await ada.read("/enrollment")
    refused = "You are already enrolled in PYT 101 for Fall 2026."
    assert await told(ada, "/enrollment", courseID="1111") == refused
    assert await school.enrollment.find().to_list(None) == before
    assert await told(ada, "/enrollment/drop", courseID="1111") == "You gave back PYT 101 for Fall 2026."
    assert await told(ada, "/enrollment", courseID="1111") == "You are enrolled in PYT 101 for Fall 2026."
    [left] = await mended(school)
    assert left.endswith("(1111, section 01, Fall 2026): student 2 is there for an unknown section.")


async def test_a_seat_in_a_section_that_was_deleted_can_be_swapped(school: Database, ada: Browser) -> None:
    await school.section.delete_one(PYT)
    said = await told(ada, "/enrollment/swap", drop="1111", add="1111", section="02")
    assert said == "You swapped: you are now enrolled in PYT 101, section 02."
    assert await school.enrollment.count_documents({"user_id": ADA.user_id}) == 1


@pytest.mark.parametrize("timezone", ["Mars/Phobos", "../../etc/passwd", "zone\0", None])
async def test_a_term_with_an_unknown_timezone_is_told_in_utc(
    school: Database, ada: Browser, timezone: str | None
) -> None:
    await school.term.update_one(
        {"term": "Fall 2026"}, {"$set": {"timezone": timezone}}, bypass_document_validation=True
    )
    assert "Tuesday, 1 September 2026, 09:00 (UTC)" in await ada.read("/enrollment/history")
    for path in ("/courses/", "/enrollment", "/enrollment/form?courseID=1111"):
        assert (await ada.get(path)).status_code == 200
    assert await found(school) == [f"Fall 2026: the timezone “{timezone}” is unknown; its times are told in UTC."]
    told_of = f"term: the timezone “{timezone}” of Fall 2026 is unknown; Fall 2026 is told in UTC"
    assert (await upgrade(school, NOW, Defaults())).left_alone == [told_of]
