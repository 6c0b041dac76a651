"""Holds as students see them: on every page where they matter, with the office to turn to."""

from quart_enroll.db.client import Database
from tests.support.holds import hold_ada
from tests.support.people import Browser

PLACES = ("/", "/enrollment", "/plan", "/courses", "/course/3333")


async def test_pages_say_which_office_to_ask_and_offer_nothing_that_is_blocked(
    db: Database, ada: Browser, bob: Browser
) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "term": "Fall 2026", "section": "01"})
    assert "/enrollment/drop" in await ada.read("/enrollment")
    assert "Bursar" not in await ada.read("/courses")
    await hold_ada(db)
    for path in PLACES:
        page = await ada.read(path)
        assert "Fees are unpaid" in page, path
        assert 'href="mailto:bursar@school.example"' in page, path
        assert "You can’t enroll. You can’t join waitlists. You can’t drop courses." in page, path
        assert "Bursar" not in await bob.read(path), path
    assert "Hold: Bursar’s Office" in await ada.read("/course/3333")
    assert "/enrollment/drop" not in await ada.read("/enrollment")
    assert "What is a hold?" in await ada.read("/help")
    assert "hold" not in await bob.read("/help")
