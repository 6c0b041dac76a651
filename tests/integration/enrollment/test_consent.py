"""Sections that require consent: what students see, and who gives it."""

from html import unescape

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, BOB, IVAN, Browser

SECTION = {"courseID": "1111", "term": "Fall 2026", "section": "01"}
WHERE = "term=Fall+2026&courseID=1111&section=01"
PERMITS = f"/staff/section/permits?{WHERE}"


async def require(db: Database, consent: str) -> None:
    await db.section.update_one(SECTION, {"$set": {"consent": consent, "instructors": [IVAN.user_id]}})


async def test_students_read_that_consent_is_required_and_get_no_seat_without(db: Database, ada: Browser) -> None:
    await require(db, "instructor")
    for path in ("/courses", "/course/1111"):
        page = unescape(await ada.read(path))
        assert "section 01, requires the instructor’s consent." in page, path
        assert "in PYT 101, section 01" not in page, path
    await ada.post("/plan/add", form=SECTION)
    assert "requires the instructor’s consent." in unescape(await ada.read("/plan"))
    for path in ("/api/v1/me/enrollments", "/api/v1/me/waitlist"):
        response = await ada.post(path, json=SECTION)
        assert (response.status_code, (await response.get_json())["code"]) == (409, "consent_required")
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026"})  # takes another section
    seat = await db.enrollment.find_one({"user_id": ADA.user_id})
    assert seat is not None
    assert seat["section"] != "01"


@pytest.mark.parametrize("consent", ["instructor", "department"])
async def test_an_instructor_gives_only_the_own_consent(
    db: Database, ivan: Browser, rita: Browser, bob: Browser, other_staff: None, consent: str
) -> None:
    await require(db, consent)
    why = unescape(await rita.read(f"/staff/students/{BOB.user_id}/why?{WHERE}"))
    assert "The student has the required consent" in why
    form = {"student": BOB.email, "overrides": "consent", "reason": "Spoke to me"}
    granted = await ivan.post(PERMITS, form=form)
    assert granted.status_code == (303 if consent == "instructor" else 422)
    await rita.post(PERMITS, form=form)
    await bob.post("/enrollment", form=SECTION)
    assert await db.enrollment.count_documents({"user_id": BOB.user_id, "overrides": ["consent"]}) == 1
