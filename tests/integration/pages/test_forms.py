"""Every form reports errors in the same way: in the title and in a focused summary with links to the fields."""

import re
from pathlib import Path

import pytest

import quart_enroll
from quart_enroll.db.client import Database
from quart_enroll.db.collections import removals, users
from quart_enroll.state import EXTENSION
from tests.support.holds import HOLD_ID, hold_ada
from tests.support.people import ADA, PASSWORD, Browser, Clock, text
from tests.support.permits import PERMIT_ID, permit_ada

TEMPLATES = Path(quart_enroll.__file__).parent / "templates"
WRONG_PASSWORD = "not my password"

PHP_SECTION = "term=Fall+2026&courseID=3333&section=01"

INVALID_FORMS = [
    ("login.html", "/login", {}, ["email", "password"]),
    ("login.html", "/login", {"email": ADA.email, "password": WRONG_PASSWORD}, []),
    ("register.html", "/register", {}, ["email", "password", "password_confirm", "first_name"]),
    ("password_forgot.html", "/password/forgot", {"email": "ada"}, ["email"]),
    ("password_reset.html", "/password/reset", {"password": PASSWORD}, ["password_confirm"]),
    ("password_change.html", "/account/password", {}, ["current_password", "password", "password_confirm"]),
    ("account_delete.html", "/account/delete", {"password": WRONG_PASSWORD}, ["password"]),
    ("email_change.html", "/account/email/change", {"email": "ada", "password": PASSWORD}, ["email"]),
    (
        "account_name.html",
        "/account/name",
        {"preferred_name": "x" * 51, "pronouns": "\u200b"},
        ["preferred_name", "pronouns"],
    ),
    ("account_emails.html", "/account/emails", {"alert": "daily"}, ["alert"]),
    ("account_timezone.html", "/account/timezone", {"timezone": "Mars"}, ["timezone"]),
    ("tokens.html", "/account/tokens", {"scope": "all"}, ["name", "scope", "expires_at", "password"]),
    ("calendar_link.html", "/enrollment/calendar", {"password": WRONG_PASSWORD}, ["password"]),
    ("shared_links.html", "/enrollment/links", {"content": "all"}, ["content", "term", "password"]),
    ("enrollment_form.html", "/enrollment", {"courseID": ""}, ["courseID"]),
    ("section.html", f"/staff/section?{PHP_SECTION}", {"capacity": "many"}, ["capacity", "waitlist_capacity"]),
    ("section_cancel.html", f"/staff/section/cancel?{PHP_SECTION}", {"revision": "0"}, ["reason"]),
    ("roll.html", "/staff/roll", {"source": "Fall 2026", "target": "Fall 2026"}, ["target"]),
    ("act.html", f"/staff/students/1/act?action=enroll&{PHP_SECTION}", {}, ["reason"]),
    ("removal_decline.html", "/staff/removals/1/decline", {}, ["reason"]),
    ("hold_type.html", "/staff/holds/type", {"blocks": "drop"}, ["name", "office", "contact"]),
    (
        "hold_place.html",
        "/staff/students/1/holds/place",
        {"type": "Bursar hold", "ends_on": "soon"},
        ["reason", "ends_on"],
    ),
    ("hold_lift.html", f"/staff/students/1/holds/lift?hold={HOLD_ID}", {}, ["reason"]),
    (
        "permits.html",
        f"/staff/section/permits?{PHP_SECTION}",
        {"overrides": "full", "ends_on": "2020-01-01"},
        ["student", "ends_on", "reason"],
    ),
    (
        "permit_grant.html",
        "/staff/students/1/permits/grant",
        {"overrides": "full", "section": "\u202e"},
        ["courseID", "section", "reason"],
    ),
    (
        "numbers.html",
        f"/staff/section/numbers?{PHP_SECTION}",
        {"number": "many", "overrides": "full"},
        ["number", "ends_on", "reason"],
    ),
    ("numbers_revoke.html", f"/staff/section/numbers/revoke?{PHP_SECTION}", {}, ["which", "reason"]),
    ("permission_number.html", "/enrollment/permission-number?term=Fall+2026&courseID=3333", {}, ["code"]),
    ("consent.html", f"/enrollment/consent?{PHP_SECTION}", {"message": "x" * 501}, ["message"]),
    ("permit_revoke.html", f"/staff/permit/revoke?permit={PERMIT_ID}", {}, ["reason"]),
    ("import_new.html", "/staff/import/new", {"kind": "course"}, ["file"]),
]
"""Each form with invalid values, and the fields that must show an error."""

SIGNED_OUT_PATHS = ("/login", "/register", "/password/forgot", "/password/reset")


@pytest.mark.parametrize(
    ("path", "form", "fields"),
    [invalid[1:] for invalid in INVALID_FORMS],
    ids=[invalid[1] for invalid in INVALID_FORMS],
)
async def test_errors_are_listed_on_top_and_link_to_their_fields(
    anyone: Browser,
    ada: Browser,
    rita: Browser,
    db: Database,
    clock: Clock,
    path: str,
    form: dict[str, str],
    fields: list[str],
) -> None:
    browser = anyone if path in SIGNED_OUT_PATHS else rita if path.startswith("/staff/") else ada
    if path == "/staff/removals/1/decline":
        await removals.add(db, ADA.user_id, clock.now, None)
    if "/holds/" in path:
        await hold_ada(db)
    if "/permit/" in path:
        await permit_ada(db)
    if "/consent" in path:
        await db.section.update_one({"courseID": "3333"}, {"$set": {"consent": "instructor"}})
    if path == "/password/reset":
        await browser.get(await _reset_link(browser, db, clock))
    response = await browser.post(path, form=form)
    page = await text(response)
    assert response.status_code == 422
    assert re.findall(r"<title>(.*?)</title>", page)[0].startswith("Error: ")
    [summary] = re.findall(
        r'<div class="alert alert-danger" role="alert" tabindex="-1" autofocus>(.*?)</div>', page, re.DOTALL
    )
    assert page.index(summary) < page.index("<form", page.index("<main"))
    assert re.findall('<a href="#([^"]+)">', summary) == fields
    assert "<li>" in summary
    for field in fields:
        [control] = re.findall(rf'<(?:input|select|textarea) [^>]*id="{field}"[^>]*>', page)
        assert 'aria-invalid="true"' in control
        assert f"{field}-error" in re.findall('aria-describedby="([^"]+)"', control)[0]
        assert f'id="{field}-error"' in page
    assert WRONG_PASSWORD not in page


def test_every_form_is_tested() -> None:
    forms = {path.name for path in TEMPLATES.glob("*.html") if "form.hidden_tag()" in path.read_text()}
    assert forms <= {invalid[0] for invalid in INVALID_FORMS}


async def test_every_message_is_announced_to_screen_readers(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment", form={"courseID": "3333"})
    await ada.post("/enrollment/drop", form={"courseID": "1111"})
    page = await ada.read("/enrollment")
    assert re.findall(r'<div class="alert alert-(\w+)" role="(\w+)"', page) == [
        ("success", "status"),
        ("warning", "alert"),
        ("info", "status"),
    ]
    assert page.index('<div id="messages" aria-live="polite">') < page.index('<div class="alert')


async def _reset_link(browser: Browser, db: Database, clock: Clock) -> str:
    """Return the path of ada's password reset link."""
    found = await users.find_credentials_by_id(db, ADA.user_id)
    assert found is not None
    links = browser.client.app.extensions[EXTENSION].links
    return str(links.reset(found, clock.now))
