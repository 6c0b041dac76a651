"""Students who aren't active, as they see it: why they can't enroll, and whom to ask."""

from html import unescape

from quart_enroll.db.client import Database
from tests.support.people import ADA, Browser

PLACES = ("/", "/enrollment", "/plan", "/courses", "/course/3333")
REASON = "Your student status is “On leave”. Only active students can enroll or join waitlists."


async def test_a_student_on_leave_reads_why_and_can_only_drop(db: Database, ada: Browser, bob: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026", "section": "01"})
    assert 'action="/enrollment/swap"' in await ada.read("/course/3333")
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"attributes": {"status": "leave"}}})
    for path in PLACES:
        assert REASON in unescape(await ada.read(path)), path
        assert REASON not in unescape(await bob.read(path)), path
    page = await ada.read("/course/3333")
    assert "Status: On leave" in page
    assert "/enrollment/swap" not in page
    assert "/enrollment/drop" in await ada.read("/enrollment")
    assert "You aren’t an active student" in await ada.read("/help")
    assert "active student" not in await bob.read("/help")
