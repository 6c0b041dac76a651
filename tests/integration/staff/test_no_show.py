"""Students who don't come are dropped by the instructor or the registrar, before the census date."""

from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.services.maintenance import audit
from tests.support.people import ADA, BOB, FALL, IVAN, Browser, Clock, message_after, seats_taken, set_clock, text

URL = "/staff/roster/no-show?term=Fall+2026&courseID=3333&section=01"
DROP_ADA = {"students": str(ADA.user_id), "confirmed": "y"}


@pytest.fixture(autouse=True)
async def section_full(ada: Browser, bob: Browser, db: Database, other_staff: None) -> None:
    """Ada has the only seat of PHP 202, which ivan teaches, and bob waits for it."""
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructors": [IVAN.user_id]}})
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    for browser in (ada, bob):
        await browser.get("/")


async def holders(db: Database) -> list[int]:
    return [row["user_id"] async for row in db.enrollment.find({"courseID": "3333", "status": "enrolled"})]


async def test_the_preview_says_who_loses_and_who_gets_a_seat_and_changes_nothing(ivan: Browser, db: Database) -> None:
    page = await text(await ivan.post(URL, form={"students": str(ADA.user_id)}))
    assert "<li>Ada Winters</li>" in page
    assert "1 student gets a seat from the waitlist:" in page
    assert "<li>Bob Okafor (3333-01)</li>" in page
    assert await holders(db) == [ADA.user_id]
    assert await db.audit.count_documents({}) == 0


async def test_the_seat_goes_to_the_waitlist(ivan: Browser, db: Database, clock: Clock) -> None:
    message = await message_after(ivan, URL, **DROP_ADA)
    assert "1 student was dropped. 1 student got a seat from the waitlist: Bob Okafor (3333-01)." in message
    assert await holders(db) == [BOB.user_id]
    assert await seats_taken(db, "3333") == 1
    assert (await audit.check(db, clock.now)).discrepancies == []


async def test_the_student_is_told_and_has_no_withdrawal(ivan: Browser, ada: Browser, db: Database) -> None:
    await ivan.post(URL, form=DROP_ADA)
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 0
    page = await ada.read("/")
    assert "Ivan Petrov recorded that you didn’t attend. You no longer have a seat in PHP 202" in page
    history = await ada.read("/enrollment/history")
    assert "Dropped PHP 202, section 01, for Fall 2026." in history
    assert "By the instructor: no-show" in history


async def test_events_and_the_audit_log_have_the_author_and_the_reason(ivan: Browser, db: Database) -> None:
    await ivan.post(URL, form=DROP_ADA)
    for found in (
        await db.event.find_one({"action": "drop"}),
        await db.audit.find_one({"action": "student.drop"}),
    ):
        assert found is not None
        assert (found["actor"], found["user_id"], found["reason"]) == (IVAN.user_id, ADA.user_id, "no-show")


async def test_pressing_twice_drops_once(ivan: Browser, db: Database) -> None:
    await ivan.post(URL, form=DROP_ADA)
    assert "no longer have a seat" in await message_after(ivan, URL, **DROP_ADA)
    assert await db.event.count_documents({"action": "drop"}) == 1
    assert await db.audit.count_documents({}) == 1


async def test_a_student_of_another_section_keeps_the_seat(ivan: Browser, bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form={"courseID": "1111"})
    await ivan.post(URL, form={"students": str(BOB.user_id), "confirmed": "y"})
    assert await db.enrollment.count_documents({"user_id": BOB.user_id, "courseID": "1111"}) == 1


@pytest.mark.parametrize("students", [{}, {"students": "ada"}, {"students": "9" * 30}])
async def test_a_form_without_students_is_shown_again(ivan: Browser, students: dict[str, str], db: Database) -> None:
    response = await ivan.post(URL, form=students | {"confirmed": "y"})
    assert response.status_code == 422
    assert 'id="students-error"' in await text(response)
    assert await holders(db) == [ADA.user_id]


async def test_nobody_is_dropped_after_the_census_date(ivan: Browser, db: Database, clock: Clock) -> None:
    await set_clock(FALL.census_at - timedelta(seconds=1), clock, (ivan, IVAN))
    assert 'name="students"' in await ivan.read(URL)
    await set_clock(FALL.census_at, clock, (ivan, IVAN))
    assert 'name="students"' not in await ivan.read(URL)
    assert "has passed" in await message_after(ivan, URL, **DROP_ADA)
    assert await holders(db) == [ADA.user_id]


async def test_the_roster_lists_a_no_show_with_the_instructor(ivan: Browser) -> None:
    await ivan.post(URL, form=DROP_ADA)
    page = await ivan.read(URL.replace("/no-show", ""))
    assert "Dropped: no-show" in page
    assert page.count("Ivan Petrov") >= 1
