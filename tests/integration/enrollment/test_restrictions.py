"""Restricted courses and sections: what students see before they click, and what staff do about it."""

from html import unescape

import pytest

from quart_enroll.db.client import Database
from tests.support.people import ADA, BOB, Browser

NURSES = "Only students in the program Nursing can enroll."
SEAT = {"courseID": "1111", "term": "Fall 2026", "section": "01"}


async def restrict(db: Database, text: str, collection: str = "course") -> None:
    await db[collection].update_many({"courseID": "1111"}, {"$set": {"restriction": text}})


@pytest.mark.parametrize("collection", ["course", "section"])
async def test_students_see_whom_it_admits_before_they_click(
    db: Database, ada: Browser, bob: Browser, anyone: Browser, collection: str
) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"attributes": {"programs": ["Nursing"]}}})
    await restrict(db, "program: Nursing", collection)
    for path in ("/courses", "/course/1111"):
        assert "in PYT 101, section 01" in await ada.read(path), path
        page = unescape(await bob.read(path))
        assert "isn’t open to you. " + NURSES in page, path
        assert "in PYT 101, section 01" not in page, path
    assert NURSES in unescape(await anyone.read("/course/1111"))


async def test_the_plan_says_it_and_enrolling_is_refused(db: Database, ada: Browser) -> None:
    await restrict(db, "program: Nursing")
    await ada.post("/plan/add", form=SEAT)
    assert NURSES in unescape(await ada.read("/plan"))
    response = await ada.post("/api/v1/me/enrollments", json=SEAT)
    assert (response.status_code, (await response.get_json())["code"]) == (409, "restricted")


async def test_enrolling_without_a_section_skips_those_that_are_restricted(db: Database, ada: Browser) -> None:
    await db.section.update_one(SEAT, {"$set": {"restriction": "campus: North"}})
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026"})
    seat = await db.enrollment.find_one({"user_id": ADA.user_id})
    assert seat is not None
    assert seat["section"] != "01"


async def test_staff_set_a_restriction_aside(db: Database, rita: Browser) -> None:
    await restrict(db, "program: Nursing")
    why = unescape(await rita.read(f"/staff/students/{BOB.user_id}/why?courseID=1111&term=Fall+2026&section=01"))
    assert "No restriction excludes the student" in why
    assert "Set the restriction aside" in unescape(
        await rita.read(f"/staff/students/{BOB.user_id}/act?action=enroll&courseID=1111&term=Fall+2026&section=01")
    )
