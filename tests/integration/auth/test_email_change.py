"""Email changes, which take effect once they are confirmed from the old and the new address."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, users
from quart_enroll.services.accounts import accounts
from quart_enroll.services.notifications.outbox import LEASE_NAME
from tests.integration.auth.test_passwords import ME, PUBLIC_URL, SETTINGS, change, send_emails
from tests.support.people import ADA, BOB, PASSWORD, Browser, Clock, config, registration, text

NEW_EMAIL = "ada.lovelace@school.example"
SUBJECTS = {ADA.email: "Confirm or cancel your email change", NEW_EMAIL: "Confirm your new email"}


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site of a school with a mail server; the tests hold the lease and send the emails themselves."""
    await leases.acquire(db, LEASE_NAME, ME, timedelta(hours=1))
    app = create_app(config(mongo_uri=mongod, **SETTINGS), clock=clock)
    async with app.test_app():
        yield app


async def ask(browser: Browser, email: str = NEW_EMAIL, password: str = PASSWORD) -> int:
    form = {"email": email, "password": password}
    return (await browser.post("/account/email/change", form=form)).status_code


async def links_sent(db: Database, clock: Clock) -> dict[str, str]:
    """Send the waiting emails and return the path of the link about the change in each, by recipient."""
    paths = {}
    for to, subject, letter in await send_emails(db, clock):
        assert subject == SUBJECTS[to]
        [paths[to]] = re.findall(rf"{PUBLIC_URL}(/email/change/\S+)", letter)
    return paths


async def decide(browser: Browser, path: str, decision: str = "agree") -> int:
    assert (await browser.get(path)).location == "/email/change"
    return (await browser.post("/email/change", form={"decision": decision})).status_code


async def current_email(db: Database) -> str:
    found = await users.find(db, ADA.user_id)
    assert found is not None
    return found.email


@pytest.mark.parametrize("first", [ADA.email, NEW_EMAIL])
async def test_the_email_changes_when_both_addresses_have_confirmed(
    first: str, ada: Browser, anyone: Browser, app: Quart, db: Database, clock: Clock
) -> None:
    assert await ask(ada) == 303
    assert f"Your email will change to {NEW_EMAIL}" in await ada.read("/account")
    paths = await links_sent(db, clock)
    last = paths[NEW_EMAIL if first == ADA.email else ADA.email]
    for _ in range(2):
        assert await decide(anyone, paths[first]) == 303
        assert "once it’s confirmed from the other email too" in await anyone.read("/email/change")
    assert await current_email(db) == ADA.email
    assert await decide(anyone, last) == 303
    assert f"Sign in with {NEW_EMAIL}." in await anyone.read("/login")
    assert await current_email(db) == NEW_EMAIL
    assert (await ada.get("/account")).status_code == 303, "the old sign-in has ended"
    assert (await Browser(app.test_client()).sign_in(replace(ADA, email=NEW_EMAIL))).status_code == 303
    assert [(to, subject) for to, subject, _ in await send_emails(db, clock)] == [(ADA.email, "Your email was changed")]
    await anyone.get(last)
    assert (await anyone.get("/email/change")).status_code == 410


async def test_either_address_can_cancel_the_change(ada: Browser, anyone: Browser, db: Database, clock: Clock) -> None:
    await ask(ada)
    paths = await links_sent(db, clock)
    assert await decide(anyone, paths[NEW_EMAIL]) == 303
    assert await decide(anyone, paths[ADA.email], "stop") == 303
    assert await decide(anyone, paths[ADA.email]) == 410
    assert await current_email(db) == ADA.email


@pytest.mark.parametrize("ending", ["stop", "password", "day"])
async def test_links_stop_working(ending: str, ada: Browser, anyone: Browser, db: Database, clock: Clock) -> None:
    await ask(ada)
    paths = await links_sent(db, clock)
    match ending:
        case "stop":
            await ada.post("/account/email/stop")
        case "password":
            await ada.post("/account/password", form=change())
        case "day":
            clock.now += timedelta(days=1)
    assert [await decide(anyone, path) for path in paths.values()] == [410, 410]


async def test_a_taken_address_is_not_revealed_but_its_owner_is_told(ada: Browser, db: Database, clock: Clock) -> None:
    pages = []
    for email in (NEW_EMAIL, BOB.email.upper()):
        response = await ada.post("/account/email/change", form={"email": email, "password": PASSWORD})
        assert response.status_code == 303
        pages.append((await ada.read("/account")).lower().replace(email.lower(), "EMAIL"))
        letters = {to.lower(): (subject, letter) for to, subject, letter in await send_emails(db, clock)}
        assert letters.keys() == {ADA.email, email.lower()}
    assert re.sub(r'value="[^"]+"', "", pages[0]) == re.sub(r'value="[^"]+"', "", pages[1])
    subject, letter = letters[BOB.email]
    assert subject == "You already have an account"
    assert "/email/change/" not in letter


async def test_asking_twice_sends_each_email_once(ada: Browser, db: Database, clock: Clock) -> None:
    assert [await ask(ada), await ask(ada)] == [303, 303]
    assert len(await send_emails(db, clock)) == 2


async def test_errors_are_shown_beside_their_fields(ada: Browser, db: Database, clock: Clock) -> None:
    for email, password, message in (
        (ADA.email.upper(), PASSWORD, "This is already your email."),
        (NEW_EMAIL, "wrong", "Incorrect password."),
    ):
        response = await ada.post("/account/email/change", form={"email": email, "password": password})
        assert response.status_code == 422
        assert message in await text(response)
    assert await send_emails(db, clock) == []


async def test_an_address_gets_at_most_three_emails(ada: Browser, bob: Browser) -> None:
    for browser, status in ((ada, 303), (bob, 303), (ada, 303), (bob, 429)):
        assert await ask(browser) == status


async def test_an_old_address_that_was_never_confirmed_gets_no_link(
    app: Quart, anyone: Browser, db: Database, clock: Clock
) -> None:
    zoe = Browser(app.test_client())
    await zoe.post("/register", form=registration("mistyped@school.example"))
    await send_emails(db, clock)
    assert await ask(zoe) == 303
    paths = await links_sent(db, clock)
    assert paths.keys() == {NEW_EMAIL}
    assert await decide(anyone, paths[NEW_EMAIL]) == 303
    found = await users.find_credentials(db, NEW_EMAIL)
    assert found is not None
    assert not found.user.email_unconfirmed


async def test_an_address_confirmed_in_the_meantime_must_be_asked(
    app: Quart, anyone: Browser, db: Database, clock: Clock
) -> None:
    zoe = Browser(app.test_client())
    await zoe.post("/register", form=registration("zoe@school.example"))
    await send_emails(db, clock)
    await ask(zoe)
    paths = await links_sent(db, clock)
    found = await users.find_credentials(db, "zoe@school.example")
    assert found is not None
    await accounts.confirm_email(db, found.user)
    assert await decide(anyone, paths[NEW_EMAIL]) == 410
    assert await users.find_credentials(db, NEW_EMAIL) is None
