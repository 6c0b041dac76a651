"""The status of a section: which people see it and can get a seat in it."""

from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.models import SYSTEM_ACTOR, SectionKey
from quart_enroll.services.enrollment.promotion import promote_all_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.maintenance import audit
from tests.support.people import (
    ADA,
    BOB,
    FALL,
    FALL_MORNING,
    Browser,
    Clock,
    message_after,
    seats_taken,
    set_clock,
    text,
)

PHP = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
"""It has one seat and one waitlist place."""

CLOSED = "PHP 202, section 01, is closed to new students."


async def set_status(db: Database, status: str) -> None:
    await db.section.update_one(PHP, {"$set": {"status": status}})


@pytest.mark.parametrize("path", ["/enrollment", "/waitlist"])
async def test_nobody_gets_into_a_closed_section(ada: Browser, db: Database, path: str) -> None:
    await set_status(db, "closed")
    assert CLOSED in await message_after(ada, path, courseID="3333", section="01")
    assert await seats_taken(db, "3333") == 0
    assert await db.waitlist.count_documents({}) == 0
    assert await db.event.count_documents({"user_id": ADA.user_id, "result": "section_closed"}) == 1


async def test_another_section_is_chosen_instead_of_a_closed_one(ada: Browser, db: Database) -> None:
    await db.section.update_many({"courseID": "1111", "section": "01"}, {"$set": {"status": "closed"}})
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026"})
    assert [await seats_taken(db, "1111", number) for number in ("01", "02")] == [0, 1]


async def test_a_seat_freed_in_a_closed_section_stays_open(
    ada: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    await set_status(db, "closed")
    await ada.post("/enrollment/drop", form={"courseID": "3333"})
    assert await seats_taken(db, "3333") == 0
    assert await db.waitlist.count_documents({"user_id": BOB.user_id}) == 1
    assert (await audit.check(db, clock.now)).discrepancies == []


async def test_promotion_of_the_whole_school_leaves_closed_sections_alone(
    ada: Browser, bob: Browser, db: Database
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    await db.section.update_one(PHP, {"$set": {"status": "closed", "capacity": 2}})
    await transaction(
        db, lambda session: promote_all_waitlists(SeatTransaction(db, session, FALL_MORNING, SYSTEM_ACTOR))
    )
    assert await seats_taken(db, "3333") == 1
    entry = await db.waitlist.find_one({"user_id": BOB.user_id})
    assert entry is not None
    assert entry["skipped_because"] is None


async def test_an_alert_can_wait_for_a_closed_section(ada: Browser, db: Database) -> None:
    await set_status(db, "closed")
    assert "Notify me if a seat opens" in await ada.read("/course/3333?term=Fall+2026")
    await ada.post("/alert", form=PHP)
    assert await db.alert.count_documents({"user_id": ADA.user_id}) == 1


async def test_a_closed_section_says_so_in_the_catalog(ada: Browser, db: Database) -> None:
    await set_status(db, "closed")
    page = await ada.read("/course/3333?term=Fall+2026")
    assert '<div class="seats full">Closed</div>' in page
    assert CLOSED in page
    assert "Enroll in" not in page


async def test_a_plan_says_that_a_section_is_closed(ada: Browser, db: Database, clock: Clock) -> None:
    await set_clock(FALL.opens_at - timedelta(days=1), clock, (ada, ADA))
    await ada.post("/plan/add", form=PHP)
    await set_status(db, "closed")
    assert CLOSED in await ada.read("/plan")


@pytest.mark.parametrize("status", ["tentative", "cancelled"])
async def test_students_see_no_section_that_is_tentative_or_cancelled(ada: Browser, db: Database, status: str) -> None:
    await set_status(db, status)
    for path in (
        "/courses/Fall+2026",
        "/courses/Fall+2026?q=silva",
        "/course/3333?term=Fall+2026",
        "/enrollment/form?courseID=3333",
    ):
        assert "P. Silva" not in await ada.read(path), path
    sections = await (await ada.get("/api/v1/sections?term=Fall+2026")).get_json()
    assert [one["courseID"] for one in sections["sections"]] == ["1111", "1111"]


@pytest.mark.parametrize("status", ["tentative", "cancelled"])
@pytest.mark.parametrize("section", ["", "01"])
async def test_nobody_enrolls_in_a_section_that_is_tentative_or_cancelled(
    ada: Browser, db: Database, status: str, section: str
) -> None:
    await set_status(db, status)
    for path in ("/enrollment", "/waitlist", "/plan/add", "/alert"):
        await ada.post(path, form={"courseID": "3333", "term": "Fall 2026", "section": section})
    assert await seats_taken(db, "3333") == 0
    for name in ("enrollment", "waitlist", "plan", "alert"):
        assert await db[name].count_documents({}) == 0


async def test_the_api_names_the_status(ada: Browser, db: Database) -> None:
    await set_status(db, "closed")
    response = await ada.get("/api/v1/sections?courseID=3333")
    [section] = (await response.get_json())["sections"]
    assert (section["status"], section["open_seats"], section["capacity"]) == ("closed", 0, 1)
    assert '"status":"active"' in await text(await ada.get("/api/v1/sections?courseID=1111"))


async def test_a_student_in_a_cancelled_section_is_a_discrepancy(ada: Browser, db: Database, clock: Clock) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await set_status(db, "cancelled")
    [found] = (await audit.check(db, clock.now)).discrepancies
    assert "student 1 is enrolled, but the section was cancelled." in found
    assert await db.section.count_documents({"courseID": SectionKey(**PHP).courseID}) == 1
