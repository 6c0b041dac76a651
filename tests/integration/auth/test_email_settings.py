"""The emails that users choose to get, and the links that turn them off."""

import json
from dataclasses import replace
from urllib.parse import urlsplit

from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.email_settings import DIGEST, EmailKind, EmailSettings, EmailTiming
from quart_enroll.services.accounts.rate_limiter import Rate, RateLimiter
from quart_enroll.services.catalog.import_users import ImportedUser, import_users
from quart_enroll.state import EXTENSION
from tests.support.people import ADA, FALL_MORNING, Browser, text

CHOSEN = {"confirmation": "daily", "waitlist": "at_once", "alert": "off", "section_change": "daily"}
SETTINGS = EmailSettings(EmailTiming.DAILY, alert=EmailTiming.OFF, section_change=EmailTiming.DAILY)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


async def settings_of_ada(db: Database) -> EmailSettings:
    found = await users.find(db, ADA.user_id)
    assert found is not None
    return found.email_settings


def link_of(app: Quart, emails: str) -> str:
    return urlsplit(app.extensions[EXTENSION].links.unsubscribe(ADA, emails)).path


async def test_the_choice_is_kept_shown_exported_and_survives_an_import(ada: Browser, db: Database) -> None:
    assert (await ada.post("/account/emails", form=CHOSEN)).location == "/account"
    assert await settings_of_ada(db) == SETTINGS
    assert (await ada.read("/account/emails")).count('<option selected value="daily">') == 2
    assert (await (await ada.get("/api/v1/me")).get_json())["email_settings"] == CHOSEN
    exported = json.loads(await ada.read("/account/data"))
    assert exported["user"]["email_settings"] == {"confirmation": "daily", "alert": "off", "section_change": "daily"}
    await import_users(
        db, [ImportedUser(1, None, replace(ADA, last_name="Summers"), None)], FALL_MORNING, unusable_password="-"
    )
    assert await settings_of_ada(db) == SETTINGS
    await ada.post("/account/emails", form=dict.fromkeys(CHOSEN, "at_once"))
    assert "email_settings" not in (await db.user.find_one({"user_id": ADA.user_id}) or {})


async def test_a_mail_program_turns_emails_off_with_one_request(app: Quart, anyone: Browser, db: Database) -> None:
    path = link_of(app, EmailKind.ALERT)
    page = await anyone.get(path)
    assert "Turn off these emails" in await text(page)
    assert (page.headers["Cache-Control"], page.headers["X-Robots-Tag"]) == ("no-store", "noindex")
    assert await settings_of_ada(db) == EmailSettings()
    for headers in ({}, {}, {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}):
        done = await app.test_client().post(path, form=ONE_CLICK, headers=headers)
        assert done.status_code == 200
        assert "Emails turned off" in await text(done)
        assert await settings_of_ada(db) == EmailSettings(alert=EmailTiming.OFF)


async def test_the_link_of_a_digest_turns_off_all_that_comes_in_it(app: Quart, ada: Browser, db: Database) -> None:
    await ada.post("/account/emails", form=CHOSEN)
    assert (await app.test_client().post(link_of(app, DIGEST), form=ONE_CLICK)).status_code == 200
    off = EmailTiming.OFF
    assert await settings_of_ada(db) == EmailSettings(off, alert=off, section_change=off)


async def test_a_link_that_was_forged_or_sent_to_another_email_does_nothing(
    app: Quart, anyone: Browser, db: Database
) -> None:
    path = link_of(app, EmailKind.ALERT)
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"email": "ada.new@school.example"}})
    for link in (path, f"{path}x", path[:-1], "/email/unsubscribe/é", f"/email/unsubscribe/{'x' * 600}"):
        for response in (await anyone.get(link), await app.test_client().post(link, form=ONE_CLICK)):
            assert response.status_code == 410
    assert await settings_of_ada(db) == EmailSettings()


async def test_links_have_a_limit_of_their_own(app: Quart, ada: Browser) -> None:
    limiter = RateLimiter(Rate(burst=1, interval=60))
    app.extensions[EXTENSION] = replace(app.extensions[EXTENSION], change_limiter=limiter)
    path = link_of(app, EmailKind.ALERT)
    assert [(await app.test_client().post(path)).status_code for _ in range(2)] == [200, 429]
    assert (await ada.post("/account/emails", form=CHOSEN)).status_code == 303
