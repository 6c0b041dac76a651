"""Buttons of pages: their fields are in the URL, and all of them share one form with the CSRF token."""

import logging
import re
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.state import EXTENSION
from tests.support.people import ADA, PASSWORD, Browser, Clock, config, seats_taken, text

CHANCE_FIELDS = {"created", "msecs", "relativeCreated", "ms", "process", "thread", "taskName", "request_id"}
"""The fields of a log record that may have any digits."""

BUTTON_URL = "/enrollment?courseID=1111&term=Fall+2026&section=01"


async def enrolled_section(db: Database) -> str:
    """Return the section of PYT 101 in which ada is enrolled."""
    [row] = await db.enrollment.find({"user_id": ADA.user_id}).to_list(None)
    return str(row["section"])


async def test_a_button_sends_its_fields_in_the_url_and_the_token_in_the_body(ada: Browser, db: Database) -> None:
    page = await ada.read("/courses/Fall")
    [token] = re.findall(
        r'<form id="act" method="post" [^>]*><input type="hidden" name="csrf_token" value="(.*?)">', page
    )
    [url] = re.findall(r'<button [^>]*form="act" formaction="(/enrollment\?courseID=3333[^"]*)"', page)
    response = await ada.client.post(url.replace("&amp;", "&"), form={"csrf_token": token})
    assert (response.status_code, response.location) == (303, "/enrollment?term=Fall+2026")
    assert await seats_taken(db, "3333") == 1


@pytest.mark.parametrize(
    ("path", "forms"),
    [("/", 0), ("/courses/Fall", 0), ("/course/3333?term=Fall", 0), ("/enrollment", 0), ("/plan", 1)],
)
async def test_a_page_contains_its_token_once_for_all_buttons_and_in_its_forms(
    ada: Browser, path: str, forms: int
) -> None:
    for action in ("/plan/add", "/enrollment"):
        await ada.post(action, form={"courseID": "3333"})
    await ada.read("/")  # shows the messages
    page = await ada.read(path)
    assert page.count("csrf_token") == 1 + forms
    assert page.index("csrf_token") < page.index("<main")


async def test_a_field_in_the_body_takes_precedence_over_the_url(ada: Browser, db: Database) -> None:
    assert (await ada.post(BUTTON_URL, form={"section": "02"})).status_code == 303
    assert await enrolled_section(db) == "02"


@pytest.mark.parametrize("query", ["section=01&section=02", "section=" + "1" * 11, "section=0%00"])
async def test_a_malformed_field_in_the_url_is_refused(ada: Browser, db: Database, query: str) -> None:
    response = await ada.post(f"/enrollment?courseID=1111&{query}")
    assert response.status_code == 422
    assert await db.enrollment.count_documents({}) == 0


async def test_a_visitor_who_presses_a_button_finds_the_course_after_signing_in(anyone: Browser) -> None:
    response = await anyone.post(BUTTON_URL)
    assert response.location == "/login?next=/enrollment/form?courseID%3D1111%26term%3DFall%2B2026%26section%3D01"


async def test_a_busy_page_repeats_the_fields_of_the_url(ada: Browser, app: Quart) -> None:
    locks: SectionLocks = app.extensions[EXTENSION].enrollment.locks
    locks.max_changes = 0
    page = await text(await ada.post(BUTTON_URL))
    [form] = re.findall(r'<form method="post" action="/enrollment" data-retry-after.*?</form>', page, re.DOTALL)
    for name, value in (("courseID", "1111"), ("term", "Fall 2026"), ("section", "01"), ("again", "1")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in form


async def test_a_token_in_the_url_proves_nothing(ada: Browser, db: Database) -> None:
    token = re.findall(r'name="csrf_token" value="(.*?)"', await ada.read("/"))[0].replace("#", "%23")
    assert (await ada.client.post(f"{BUTTON_URL}&csrf_token={token}")).status_code == 400
    assert await db.enrollment.count_documents({}) == 0


async def test_a_password_in_the_url_is_ignored(anyone: Browser) -> None:
    url = f"/login?email={ADA.email}&password={PASSWORD.replace(' ', '+')}"
    assert (await anyone.post(url)).status_code == 422
    assert (await anyone.post(url, form={"email": ADA.email})).status_code == 422


async def test_the_log_has_no_fields_of_the_url(ada: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await ada.post(BUTTON_URL)
    [record] = [record for record in caplog.records if record.message == "request"]
    assert record.__dict__["path"] == "/enrollment"
    assert "1111" not in str({name: value for name, value in record.__dict__.items() if name not in CHANCE_FIELDS})


async def test_under_a_schools_own_layout_each_button_has_a_form(
    db: Database, mongod: str, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "layout.html").write_text("<main>{% block content %}{% endblock %}</main>")
    app = create_app(config(mongo_uri=mongod, template_overrides=tmp_path), clock=clock)
    async with app.test_app():
        browser = Browser(app.test_client())
        await browser.sign_in(ADA)
        page = await browser.read("/course/3333?term=Fall")
        forms = re.findall(
            r'<form method="post">\s*<input [^>]*value="([^"]+)">\s*<button [^>]*formaction="([^"]+)"', page
        )
        assert len(forms) == page.count("<button ") == 2
        token, url = forms[0]
        assert url.startswith("/enrollment?")
        assert (await browser.client.post(url.replace("&amp;", "&"), form={"csrf_token": token})).status_code == 303
    assert await seats_taken(db, "3333") == 1
