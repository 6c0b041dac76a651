"""A section is cancelled: its students lose their seats without a W, are told, and see what else fits."""

from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections
from quart_enroll.domain.errors import SectionEditConflict, TermEnded
from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.maintenance import audit
from quart_enroll.services.staff import cancellation
from quart_enroll.services.staff.cancellation import CancelledStudent
from tests.support.people import ADA, BOB, FALL, FALL_MORNING, RITA, SECTIONS, Browser, Clock, set_clock

NOW = FALL_MORNING
PHP = next(one for one in SECTIONS if (one.term, one.courseID) == ("Fall 2026", "3333"))
KEY = PHP.key


@pytest.fixture(autouse=True)
async def section_full(ada: Browser, bob: Browser) -> None:
    """Ada has the only seat of PHP 202, and bob waits for it."""
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    for browser in (ada, bob):
        await browser.get("/")


async def cancel(db: Database, revision: int = 0) -> list[CancelledStudent]:
    return await cancellation.cancel(EnrollmentContext(db), RITA.user_id, KEY, revision, "Too few students", NOW)


async def find(db: Database, key: SectionKey = KEY) -> Section:
    found = await sections.find(db, key)
    assert found is not None
    return found


async def test_the_preview_names_the_students_and_changes_nothing(db: Database) -> None:
    other = replace(PHP, section="02", capacity=5, meetings=())
    await sections.put_all(db, [other])
    assert await cancellation.preview(db, KEY, NOW) == [
        CancelledStudent(ADA.user_id, False, ("02",)),
        CancelledStudent(BOB.user_id, True, ("02",)),
    ]
    assert (await find(db)).seats_taken == 1


async def test_a_section_that_does_not_fit_is_not_an_alternative(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})  # in the mornings
    [morning] = [one.meetings for one in SECTIONS if one.key == SectionKey("Fall 2026", "1111", "01")]
    await sections.put_all(db, [replace(PHP, section="02", capacity=5, meetings=morning)])
    found = {one.user_id: one.alternatives for one in await cancellation.preview(db, KEY, NOW)}
    assert found == {ADA.user_id: (), BOB.user_id: ("02",)}


async def test_students_lose_their_places_without_a_trace_on_the_schedule(
    ada: Browser, db: Database, clock: Clock
) -> None:
    await set_clock(FALL.drop_deadline + timedelta(days=1), clock, (ada, ADA))  # a drop would be a withdrawal now
    await cancellation.cancel(EnrollmentContext(db), RITA.user_id, KEY, 0, "", clock.now)
    section = await find(db)
    assert (section.status, section.seats_taken, section.waiting) == ("cancelled", 0, 0)
    assert await db.enrollment.count_documents({}) == await db.waitlist.count_documents({}) == 0
    assert "PHP 202" not in (await ada.read("/enrollment")).split("<main")[1].split('class="alert')[0]
    assert (await audit.check(db, clock.now)).discrepancies == []


async def test_students_are_told_with_what_else_fits(ada: Browser, bob: Browser, db: Database) -> None:
    await sections.put_all(db, [replace(PHP, section="02", capacity=5, meetings=())])
    await cancel(db)
    for browser in (ada, bob):
        page = await browser.read("/")
        assert "PHP 202, section 01, for Fall 2026 was canceled, so you’re no longer in it." in page
        assert "Section 02 has open seats and fits your schedule." in page
        assert "The school canceled PHP 202, section 01, for Fall 2026." in await browser.read("/enrollment/history")
    assert "section 01" not in await ada.read("/course/3333?term=Fall+2026")


async def test_a_student_who_lost_a_seat_may_get_another_from_a_waitlist(ada: Browser, db: Database) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"credits": 18}})
    await db.schedule.update_one({"user_id": ADA.user_id}, {"$set": {"credits": 18}})
    key = {"term": "Fall 2026", "courseID": "1111", "section": "02"}
    await db.section.update_one(key, {"$set": {"waiting": 1, "queue_tail": 1}})
    await db.waitlist.insert_one(key | {"user_id": ADA.user_id, "place": 1, "joined_at": NOW})
    await cancel(db)
    assert await db.enrollment.count_documents({"user_id": ADA.user_id} | key) == 1
    assert (await audit.check(db, NOW)).discrepancies == []


async def test_alerts_for_the_section_end(db: Database) -> None:
    await db.alert.insert_one(asdict(KEY) | {"user_id": 8, "asked_at": NOW, "expires_at": FALL.withdraw_deadline})
    await cancel(db)
    assert await db.alert.count_documents({}) == 0


async def test_it_is_in_the_audit_log_with_the_reason(db: Database) -> None:
    await cancel(db)
    entry = await db.audit.find_one({"action": "section.cancel"})
    assert entry is not None
    assert (entry["actor"], entry["reason"]) == (RITA.user_id, "Too few students")


async def test_a_second_click_changes_nothing(db: Database) -> None:
    await cancel(db)
    assert await cancel(db) == []
    assert await db.audit.count_documents({}) == 1


async def test_a_section_that_was_edited_meanwhile_is_not_cancelled(db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"revision": 3}})
    with pytest.raises(SectionEditConflict):
        await cancel(db)
    assert (await find(db)).seats_taken == 1


async def test_a_large_section_is_closed_and_emptied_in_several_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "MAX_STUDENTS_IN_TRANSACTION", 1)
    assert {one.user_id for one in await cancel(db)} == {ADA.user_id, BOB.user_id}
    assert (await find(db)).status == "cancelled"
    entries = await db.audit.find({}).sort("_id").to_list(None)
    assert [one["action"] for one in entries] == ["section.edit", "section.cancel"]
    assert await db.notice.count_documents({"action": "cancelled"}) == 2


async def test_the_records_of_a_past_term_stay(db: Database) -> None:
    with pytest.raises(TermEnded):
        await cancellation.preview(db, KEY, FALL.withdraw_deadline + timedelta(days=60))
