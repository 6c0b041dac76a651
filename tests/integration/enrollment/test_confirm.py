"""Changes that can't be undone must be confirmed."""

import re
from datetime import timedelta

from quart_enroll.db.client import Database
from tests.support.people import ADA, FALL, Browser, Clock, button_fields, buttons, set_clock, text

PHP = {"courseID": "3333", "term": "Fall 2026"}


async def test_a_drop_without_consequences_needs_no_confirmation(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form=PHP)
    assert button_fields(await ada.read("/enrollment"), "/enrollment/drop") == PHP


async def test_dropping_a_course_with_a_waitlist_must_be_confirmed(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form=PHP)
    await bob.post("/waitlist", form=PHP)
    for path in ("/enrollment", "/course/3333?term=Fall"):
        fields = button_fields(await ada.read(path), "/enrollment/drop")
        assert fields == PHP | {"ask": "y"}
    page = await text(await ada.post("/enrollment/drop", form=fields))
    assert "Others are waiting for PHP 202. Your seat goes to the first student in line" in page
    assert buttons(page) == ["Drop", "Keep PHP 202"]
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 1
    assert button_fields(page, "/enrollment/drop") == PHP
    await ada.post("/enrollment/drop", form=PHP)
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 0


async def test_withdrawing_must_be_confirmed(ada: Browser, clock: Clock, db: Database) -> None:
    await ada.post("/enrollment", form=PHP)
    await set_clock(FALL.drop_deadline + timedelta(days=1), clock, (ada, ADA))
    fields = button_fields(await ada.read("/enrollment"), "/enrollment/drop")
    page = await text(await ada.post("/enrollment/drop", form=fields))
    assert "Withdraw from PHP 202?" in page
    assert buttons(page) == ["Withdraw", "Keep PHP 202"]
    assert await db.enrollment.count_documents({"status": "enrolled"}) == 1


async def test_leaving_a_waitlist_must_be_confirmed(ada: Browser, bob: Browser, db: Database) -> None:
    await bob.post("/enrollment", form=PHP)
    await ada.post("/waitlist", form=PHP)
    fields = button_fields(await ada.read("/enrollment"), "/waitlist/leave")
    page = await text(await ada.post("/waitlist/leave", form=fields))
    assert "Leave the waitlist for PHP 202?" in page
    assert buttons(page) == ["Leave waitlist", "Keep my place"]
    assert await db.waitlist.count_documents({}) == 1
    assert (await ada.post("/waitlist/leave", form=button_fields(page, "/waitlist/leave"))).status_code == 303
    assert await db.waitlist.count_documents({}) == 0


async def test_dropping_a_course_no_longer_offered_must_be_confirmed(ada: Browser) -> None:
    page = await text(await ada.post("/enrollment/drop", form={"courseID": "<b>", "ask": "y"}))
    assert "Drop &lt;b&gt;?" in page


async def test_swapping_a_course_with_a_waitlist_must_be_confirmed(ada: Browser, bob: Browser, db: Database) -> None:
    await ada.post("/enrollment", form=PHP)
    await bob.post("/waitlist", form=PHP)
    form_page = await ada.read("/enrollment/form?courseID=1111&term=Fall+2026")
    forms = re.findall(r'<form [^>]*action="/enrollment/swap">.*?</form>', form_page, re.DOTALL)
    assert forms
    assert all('name="ask" value="y"' in form for form in forms)
    swap = {"drop": "3333", "add": "1111", "term": "Fall 2026", "section": "01", "ask": "y"}
    page = await text(await ada.post("/enrollment/swap", form=swap))
    assert "Swap PHP 202 for PYT 101?" in page
    assert "Others are waiting for PHP 202. Your seat goes to the first student in line" in page
    assert buttons(page) == ["Swap", "Keep PHP 202"]
    assert await db.enrollment.count_documents({"user_id": ADA.user_id, "courseID": "3333"}) == 1
    response = await ada.post("/enrollment/swap", form=button_fields(page, "/enrollment/swap"))
    assert response.location == "/enrollment?term=Fall+2026"
    assert await db.enrollment.count_documents({"user_id": ADA.user_id, "courseID": "1111"}) == 1


async def test_swapping_a_course_without_a_waitlist_needs_no_confirmation(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form=PHP)
    swap = {"drop": "3333", "add": "1111", "term": "Fall 2026", "section": "01", "ask": "y"}
    assert (await ada.post("/enrollment/swap", form=swap)).location == "/enrollment?term=Fall+2026"
    assert await db.enrollment.count_documents({"user_id": ADA.user_id, "courseID": "1111"}) == 1
