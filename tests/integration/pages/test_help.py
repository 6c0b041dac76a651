"""The help page, which answers frequent questions."""

import re
from datetime import timedelta
from pathlib import Path

import quart_enroll
from quart_enroll.db.client import Database
from tests.support.holds import hold_ada
from tests.support.people import FALL, Browser, Clock, offer_course

TEMPLATES = Path(quart_enroll.__file__).parent / "templates"
ANCHORS = {
    anchor
    for path in TEMPLATES.rglob("*.html")
    for link in re.findall(r"url_for\('help', _anchor=(.*?)\)", path.read_text())
    for anchor in re.findall("'([a-z-]+)'", link)
}


async def test_every_question_has_an_answer_and_every_link_a_question(ada: Browser, db: Database) -> None:
    await hold_ada(db)  # without a hold, nothing about holds is explained
    page = await ada.read("/help")
    answers = re.findall(r'<h2 id="([^"]+)">', page)
    assert re.findall(r'<li><a href="#([^"]+)">', page) == answers
    assert ANCHORS
    assert set(answers) >= ANCHORS


async def test_every_page_links_to_the_help_page(anyone: Browser, ada: Browser) -> None:
    for browser, path in ((anyone, "/"), (anyone, "/nowhere"), (ada, "/enrollment")):
        assert 'href="/help"' in await browser.read(path)


async def test_the_help_page_links_to_the_password_reset(anyone: Browser) -> None:
    assert 'href="/password/forgot"' in await anyone.read("/help")


async def test_the_help_page_has_the_dates_of_upcoming_terms(anyone: Browser, db: Database, clock: Clock) -> None:
    page = await anyone.read("/help")
    for expected in ("<h3>Fall 2026</h3>", "<h3>Spring 2027</h3>", "the end of October 31, 2026 (ET)"):
        assert expected in page
    at_five = {"drop_deadline": FALL.drop_deadline + timedelta(hours=17)}
    await db.term.update_one({"term": "Fall 2026"}, {"$set": at_five})
    assert "Tuesday, September 15, 2026, 5:00 PM ET" in await anyone.read("/help")
    clock.now = FALL.withdraw_deadline
    assert "Fall 2026" not in await anyone.read("/help")


async def test_the_help_page_works_without_terms(anyone: Browser, db: Database) -> None:
    await db.term.delete_many({})
    assert (await anyone.get("/help")).status_code == 200


async def test_a_refused_enrollment_links_to_the_help_page(ada: Browser, db: Database) -> None:
    await offer_course(db, "7777", "BIO 101", prerequisites=("1111",))
    assert 'requires 1111 (PYT 101) from an earlier term. <a href="/help#why-not">' in await ada.read("/courses/")
