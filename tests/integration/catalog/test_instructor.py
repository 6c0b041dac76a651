"""The page of an instructor."""

from dataclasses import replace

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import SectionStatus
from tests.support.people import ADA, LAST_FALL, SECTIONS, Browser, text

URL = "/instructor/Grace%20Hopper"


@pytest.fixture
async def teaching(db: Database) -> None:
    """Grace Hopper teaches PHP 202, and taught PYT 101 a year ago."""
    await terms.put_all(db, [LAST_FALL])
    await sections.put_all(db, [replace(SECTIONS[0], term=LAST_FALL.term, courseID="1111", instructor="Grace Hopper")])
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructor": "Grace Hopper"}})


@pytest.mark.usefixtures("teaching")
async def test_the_page_lists_what_an_instructor_teaches_and_taught_before(anyone: Browser) -> None:
    page = await anyone.read(URL)
    now, before = page.split("Previously taught")
    assert "<h1>Grace Hopper</h1>" in now
    assert "PHP 202" in now
    assert "PYT 101" not in now
    assert "Fall 2025" in before
    assert "<dd><strong>PYT 101 · Introduction to Python</strong></dd>" in before


@pytest.mark.usefixtures("teaching")
async def test_a_past_course_leads_to_its_page_for_a_student_who_was_there(ada: Browser, db: Database) -> None:
    seat = {"user_id": ADA.user_id, "courseID": "1111", "term": LAST_FALL.term, "section": "01", "status": "enrolled"}
    await db.enrollment.insert_one(seat | {"enrolled_at": LAST_FALL.opens_at})
    assert '<a href="/course/1111?term=Fall+2025">PYT 101' in await ada.read(URL)


@pytest.mark.usefixtures("teaching")
async def test_sections_that_students_do_not_see_are_left_out(anyone: Browser, db: Database) -> None:
    await db.section.update_many({}, {"$set": {"status": str(SectionStatus.TENTATIVE)}})
    response = await anyone.get(URL)
    assert response.status_code == 404
    assert "We couldn’t find an instructor with this name." in await text(response)


async def test_the_course_page_leads_to_its_instructors(anyone: Browser, db: Database) -> None:
    await db.section.update_one({"courseID": "3333"}, {"$set": {"instructor": "Grace O’Neil/Hopper"}})
    page = await anyone.read("/course/3333")
    assert '<a href="/instructor/Grace%20O%E2%80%99Neil/Hopper">Grace O’Neil/Hopper</a>' in page
    assert "PHP 202" in await anyone.read("/instructor/Grace%20O%E2%80%99Neil/Hopper")
