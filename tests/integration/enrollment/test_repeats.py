"""Courses that limit attempts: what students see before they click, and what staff do about it."""

from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import terms
from tests.support.people import ADA, LAST_FALL, Browser

SEAT = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
ON_RECORD = "it’s already on your record: Fall 2025 (W)."


@pytest.fixture
async def once(db: Database, ada: Browser) -> Database:
    """PYT 101 can be taken once; ada has withdrawn from it a year ago."""
    rule = {"max_attempts": 1, "withdrawals_count": True}
    await db.course.update_one({"courseID": "1111"}, {"$set": rule})
    await terms.put_all(db, [LAST_FALL])
    seat = SEAT | {
        "user_id": ADA.user_id,
        "term": "Fall 2025",
        "status": "withdrawn",
        "enrolled_at": LAST_FALL.opens_at,
    }
    await db.enrollment.insert_one(seat)
    return db


async def test_students_read_it_before_they_click(once: Database, ada: Browser, bob: Browser) -> None:
    message = "PYT 101 can be taken only once. " + ON_RECORD.replace("it’s", "It’s")
    for path in ("/courses", "/course/1111"):
        page = unescape(await ada.read(path))
        assert message in page, path
        assert "Withdrawn in Fall 2025" in page, path
        assert "in PYT 101, section 01" not in page, path
    assert "You can take it only once. Withdrawals count." in unescape(await bob.read("/course/1111"))
    await ada.post("/plan/add", form=SEAT)
    assert message in unescape(await ada.read("/plan"))
    response = await ada.post("/api/v1/me/enrollments", json=SEAT)
    assert (response.status_code, (await response.get_json())["code"]) == (409, "repeat_limit")


async def test_a_warning_leaves_the_button(once: Database, ada: Browser) -> None:
    await once.course.update_one({"courseID": "1111"}, {"$set": {"repeat_action": "warn"}})
    warning = "PYT 101 should be taken only once, and " + ON_RECORD
    for path in ("/courses", "/course/1111"):
        page = unescape(await ada.read(path))
        assert warning in page, path
        assert "in PYT 101, section 01" in page, path
    await ada.post("/plan/add", form=SEAT)
    assert warning in unescape(await ada.read("/plan"))
    assert (await ada.post("/api/v1/me/enrollments", json=SEAT)).status_code == 201


async def test_staff_allow_another_attempt(once: Database, rita: Browser) -> None:
    where = "courseID=1111&term=Fall+2026&section=01"
    why = unescape(await rita.read(f"/staff/students/{ADA.user_id}/why?{where}"))
    assert "The student has attempts left" in why
    act = f"/staff/students/{ADA.user_id}/act?action=enroll&{where}"
    assert "Allow another attempt at the course" in unescape(await rita.read(act))
    await rita.post(act, form={"reason": "They were ill.", "overrides": "repeat"})
    seat = await once.enrollment.find_one({"user_id": ADA.user_id, "term": "Fall 2026"})
    assert (seat or {})["overrides"] == ["repeat"]
