"""Rows damaged by other programs cause no server error, lose no data, and are reported by `check-seats`."""

from datetime import timedelta
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import SectionRequest
from quart_enroll.services.enrollment import enroll, waitlist
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from tests.support.people import ADA, BOB, CAL, FALL_MORNING, PASSWORD_HASH, Browser, message_after
from tests.support.school import built_databases

NOW = FALL_MORNING
SECOND = timedelta(seconds=1)
PHP = {"term": "Fall 2026", "courseID": "3333"}
PYT = {"term": "Fall 2026", "courseID": "1111", "section": "01"}

Fields = dict[str, Any]


@pytest.fixture
async def school(db: Database) -> Database:
    """Bob is enrolled in PHP 202, which is full; ada is on its waitlist. Both are enrolled in PYT 101."""
    await db.section.update_one(PHP, {"$set": {"waitlist_capacity": 5}})
    for user in (ADA, BOB):
        await enroll.enroll(EnrollmentContext(db), user.user_id, SectionRequest("1111", section="01"), NOW)
    await enroll.enroll(EnrollmentContext(db), BOB.user_id, SectionRequest("3333"), NOW)
    await waitlist.join(EnrollmentContext(db), ADA.user_id, SectionRequest("3333"), NOW)
    return db


@pytest.fixture
async def cal(app: Quart, db: Database) -> Browser:
    """The browser of another student."""
    await users.add(db, CAL, PASSWORD_HASH)
    browser = Browser(app.test_client())
    await browser.sign_in(CAL)
    return browser


async def discrepancies(db: Database) -> list[str]:
    return (await audit.check(db, NOW)).discrepancies


async def repair(db: Database) -> list[str]:
    """Repair the database and return the remaining discrepancies."""
    await audit.repair(db, NOW)
    return await discrepancies(db)


async def test_a_seat_count_that_is_too_low_prevents_no_drop(school: Database, ada: Browser) -> None:
    await school.section.update_one(PYT, {"$set": {"seats_taken": 0}})
    assert await message_after(ada, "/enrollment/drop", courseID="1111") == "You dropped PYT 101 for Fall 2026."
    assert await discrepancies(school) == ["1111, section 01, Fall 2026: 0 seats counted as taken, but 1 enrolled."]
    assert await repair(school) == []


async def test_a_waiting_count_that_is_too_low_prevents_no_student_from_leaving(
    school: Database, ada: Browser, cal: Browser
) -> None:
    await cal.post("/waitlist", form=PHP)
    await school.section.update_one(PHP, {"$set": {"waiting": 0}})
    assert await message_after(ada, "/waitlist/leave", courseID="3333") == "You left the waitlist for PHP 202."
    assert await discrepancies(school) == ["3333, section 01, Fall 2026: 0 counted as waiting, but 1 on the waitlist."]
    assert await repair(school) == []


async def test_joining_a_waitlist_with_a_damaged_tail_puts_the_student_last(school: Database, cal: Browser) -> None:
    await school.section.update_one(PHP, {"$set": {"queue_tail": 0}})
    assert "2 of 2" in await message_after(cal, "/waitlist", **PHP)
    assert [row["user_id"] async for row in school.waitlist.find().sort("place")] == [ADA.user_id, CAL.user_id]
    assert await discrepancies(school) == [
        "3333, section 01, Fall 2026: place 2 is beyond the last counted waitlist place, 1."
    ]
    assert await repair(school) == []


async def test_a_seat_in_a_section_that_was_deleted_is_not_lost_by_the_next_enrollment(
    school: Database, ada: Browser
) -> None:
    await school.section.delete_one(PYT)
    before = await school.enrollment.find().to_list(None)
    assert "PYT 101" in await ada.read("/enrollment")
    refused = "You’re already enrolled in PYT 101 for Fall 2026."
    assert await message_after(ada, "/enrollment", courseID="1111") == refused
    assert await school.enrollment.find().to_list(None) == before
    assert await message_after(ada, "/enrollment/drop", courseID="1111") == "You dropped PYT 101 for Fall 2026."
    assert await message_after(ada, "/enrollment", courseID="1111") == "You’re enrolled in PYT 101 for Fall 2026."
    [remaining] = await repair(school)
    assert remaining.endswith("(1111, section 01, Fall 2026): student 2 is enrolled, but there is no such section.")


async def test_a_seat_in_a_section_that_was_deleted_can_be_swapped(school: Database, ada: Browser) -> None:
    await school.section.delete_one(PYT)
    message = await message_after(ada, "/enrollment/swap", drop="1111", add="1111", section="02")
    assert message == "Swap complete: you’re now enrolled in PYT 101, section 02."
    assert await school.enrollment.count_documents({"user_id": ADA.user_id}) == 1


@pytest.mark.parametrize("timezone", ["Mars/Phobos", "../../etc/passwd", "zone\0"])
async def test_a_term_with_an_unknown_timezone_is_shown_in_utc(school: Database, ada: Browser, timezone: str) -> None:
    await school.term.update_one({"term": "Fall 2026"}, {"$set": {"timezone": timezone}})
    assert "Tuesday, September 1, 2026, 9:00 AM (UTC)" in await ada.read("/enrollment/history")
    for path in ("/courses/", "/enrollment", "/enrollment/form?courseID=1111"):
        assert (await ada.get(path)).status_code == 200
    assert await discrepancies(school) == [
        f"Fall 2026: the timezone “{timezone}” is unknown; its times are shown in UTC."
    ]
    line = f"term: the timezone “{timezone}” of Fall 2026 is unknown; its times are shown in UTC"
    assert (await upgrade(school, NOW, UpgradeDefaults())).unchanged == [line]


async def damage(db: Database, collection: str, row: Fields, change: Fields) -> None:
    """Change a row in a way that no user of the site can."""
    result = await db[collection].update_one(row, change, bypass_document_validation=True)
    assert result.modified_count == 1


@pytest.mark.parametrize(
    ("collection", "row", "change", "missing", "remains"),
    [
        ("term", {"term": "Fall 2026"}, {"$unset": {"opens_at": ""}}, "term: Fall 2026|opens_at", True),
        ("term", {"term": "Fall 2026"}, {"$unset": {"timezone": ""}}, "term: Fall 2026|timezone", True),
        ("term", {"term": "Fall 2026"}, {"$set": {"max_credits": "many"}}, "term: Fall 2026|max_credits", True),
        ("section", PYT, {"$unset": {"capacity": ""}}, "section: 1111|capacity", True),
        ("section", PYT, {"$set": {"meetings": [{"days": "MWF"}, 5]}}, "section: 1111|meetings", True),
        ("section", PYT, {"$unset": {"section": ""}}, "section: 1111|section", True),
        ("section", PHP, {"$set": {"seats_taken": "one"}}, "section: 3333|seats_taken", False),
        ("section", PHP, {"$set": {"seats_taken": None}}, "section: 3333|seats_taken", False),
        ("section", PHP, {"$set": {"seats_taken": -1}}, "section: 3333|seats_taken", False),
        ("section", PHP, {"$set": {"waiting": None}}, "section: 3333|waiting", False),
        ("section", PHP, {"$set": {"queue_tail": "one"}}, "section: 3333|queue_tail", False),
        ("section", PHP, {"$unset": {"waiting": "", "queue_tail": ""}}, "section: 3333|waiting and queue_tail", False),
        ("enrollment", {"user_id": 1}, {"$unset": {"status": ""}}, "enrollment: 1|status", True),
        ("enrollment", {"user_id": 1}, {"$set": {"enrolled_at": "today"}}, "enrollment: 1|enrolled_at", True),
        ("schedule", {"user_id": 1}, {"$set": {"credits": "three"}}, "schedule: 1|credits", False),
        ("schedule", {"user_id": 2}, {"$unset": {"term": ""}}, "schedule: 2|term", True),
        ("waitlist", {}, {"$unset": {"joined_at": ""}}, "waitlist: 1|joined_at", True),
        ("waitlist", {}, {"$set": {"place": "first"}}, "waitlist: 1|place", False),
        ("waitlist", {}, {"$unset": {"section": ""}}, "waitlist: 1|section", True),
        ("waitlist", {}, {"$unset": {"term": ""}}, "waitlist: 1|term", True),
        ("waitlist", {}, {"$unset": {"courseID": ""}}, "waitlist: 1|courseID", True),
    ],
)
async def test_an_incomplete_row_is_listed_and_breaks_neither_pages_nor_the_check(
    school: Database,
    ada: Browser,
    collection: str,
    row: Fields,
    change: Fields,
    missing: str,
    remains: bool,
) -> None:
    await damage(school, collection, row, change)
    await school.section.update_one({"courseID": "1111", "section": "02"}, {"$set": {"seats_taken": 2}})
    row_name, fields = missing.split("|")

    def is_listed(lines: list[str]) -> bool:
        return any(one.startswith(f"{row_name} (_id ") and one.endswith(f") lacks a valid {fields}.") for one in lines)

    before = await discrepancies(school)
    assert is_listed(before)
    assert "1111, section 02, Fall 2026: 2 seats counted as taken, but 0 enrolled." in before
    assert is_listed(await repair(school)) is remains
    assert await school.enrollment.count_documents({}) == 3
    for path in ("/courses/", "/enrollment", "/enrollment/form?courseID=1111", "/enrollment/history"):
        assert (await ada.get(path)).status_code == 200
    for path, form in (
        ("/waitlist", PHP),
        ("/waitlist/leave", PHP),
        ("/enrollment", PYT),
        ("/enrollment/drop", PYT),
        ("/enrollment", {"courseID": "1111"}),
    ):
        assert (await ada.post(path, form=form)).status_code == 303


@pytest.mark.parametrize("count", ["one", None, -1, float("nan")])
async def test_a_section_without_counts_accepts_no_students_but_allows_drops(
    school: Database, bob: Browser, cal: Browser, count: Any
) -> None:
    for counter in ("seats_taken", "queue_tail"):
        await damage(school, "section", PHP, {"$set": {counter: count}})
    assert "PHP 202, section 01, is full" in await message_after(cal, "/enrollment", **PHP)
    assert (await cal.post("/waitlist", form=PHP)).status_code == 303
    assert await message_after(bob, "/enrollment/drop", courseID="3333") == "You dropped PHP 202 for Fall 2026."
    assert await repair(school) == []
    assert [row["user_id"] async for row in school.enrollment.find({"courseID": "3333"})] == [ADA.user_id]


async def test_empty_rows_are_listed_and_the_others_counted(school: Database, ada: Browser) -> None:
    for collection in ("event", "notice"):
        await school[collection].insert_one({"user_id": ADA.user_id, "seen": False}, bypass_document_validation=True)
    for collection in ("term", "section", "enrollment", "waitlist", "schedule"):
        await school[collection].insert_one({}, bypass_document_validation=True)
    checked = await audit.check(school, NOW)
    assert (checked.sections, checked.waiting) == (5, 1)
    for collection in ("term", "section", "waitlist", "schedule"):
        lines = [line for line in checked.discrepancies if line.startswith(f"{collection}: ")]
        assert [line.split()[1] for line in lines] == ["without"]
    for path in ("/courses/", "/enrollment", "/enrollment/form?courseID=1111", "/enrollment/history"):
        assert (await ada.get(path)).status_code == 200
    assert await message_after(ada, "/enrollment/drop", courseID="1111") == "You dropped PYT 101 for Fall 2026."


async def test_students_with_the_same_waitlist_place_get_distinct_ones_in_order_of_joining(
    school: Database, cal: Browser
) -> None:
    await cal.post("/waitlist", form=PHP)
    built_databases.remove(school.name)
    await school.waitlist.drop_index("term_1_courseID_1_section_1_place_1")  # which prevents shared places
    [missing_index] = await discrepancies(school)
    await school.waitlist.update_one({"user_id": ADA.user_id}, {"$set": {"place": 2, "joined_at": NOW + SECOND}})
    shared_place = "3333, section 01, Fall 2026: 2 students have place 2 on the waitlist."
    assert await discrepancies(school) == [missing_index, shared_place]
    renumbered = "3333, section 01, Fall 2026: waitlist renumbered, 2 waiting in the same order."
    assert renumbered in await audit.repair(school, NOW)
    assert await discrepancies(school) == [missing_index]
    waitlist_entries = [(row["user_id"], row["place"]) async for row in school.waitlist.find().sort("place")]
    assert waitlist_entries == [(CAL.user_id, 3), (ADA.user_id, 4)]
    assert await audit.repair(school, NOW) == []


async def test_a_waitlist_entry_without_a_user_prevents_no_drop(school: Database, bob: Browser) -> None:
    await damage(school, "waitlist", {}, {"$unset": {"user_id": ""}})
    assert await message_after(bob, "/enrollment/drop", courseID="3333") == "You dropped PHP 202 for Fall 2026."
    assert any(line.startswith("waitlist: 3333 (_id ") for line in await discrepancies(school))
