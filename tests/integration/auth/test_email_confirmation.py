"""A registered address gets one email that asks for confirmation, and nothing else until it is confirmed."""

import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, notices, users
from quart_enroll.domain.models import Notice, User
from quart_enroll.domain.roles import Role
from quart_enroll.services.catalog.import_checks import InvalidRows
from quart_enroll.services.catalog.import_users import import_users
from quart_enroll.services.catalog.imported_users import ImportedUser
from quart_enroll.services.notifications.outbox import LEASE_NAME
from tests.integration.auth.test_passwords import ME, PUBLIC_URL, SETTINGS, chosen, send_emails, send_link
from tests.support.people import FALL_MORNING, PASSWORD, Browser, Clock, config, message_after, registration, text

ZOE = "zoe@school.example"
LURE = "Your prize: https://evil.example/win"


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site of a school with a mail server; the tests hold the lease and send the emails themselves."""
    await leases.acquire(db, LEASE_NAME, ME, timedelta(hours=1))
    app = create_app(config(mongo_uri=mongod, **SETTINGS), clock=clock)
    async with app.test_app():
        yield app


@pytest.fixture
async def zoe(app: Quart) -> Browser:
    """The browser of zoe, who has just registered."""
    browser = Browser(app.test_client())
    response = await browser.post("/register", form=registration(ZOE, first_name=LURE, last_name=LURE))
    assert response.status_code == 303
    await browser.get("/")  # shows the greeting, so that it is gone
    return browser


async def test_the_page_after_registering_says_where_the_link_was_sent(app: Quart) -> None:
    browser = Browser(app.test_client())
    await browser.post("/register", form=registration(ZOE))
    assert f"We’ve emailed a link to {ZOE}." in await browser.read("/")


async def test_an_expired_link_offers_signing_in_to_visitors_only(zoe: Browser, anyone: Browser) -> None:
    for browser, buttons in ((zoe, 0), (anyone, 1)):
        page = await text(await browser.get("/email/confirm"))
        assert page.count('class="btn btn-outline-primary" href="/login"') == buttons


async def path_of_link(db: Database, clock: Clock) -> str:
    """Send zoe's confirmation email, and return the path of its link."""
    return await send_link(db, clock, ZOE)


async def unconfirmed(db: Database) -> bool:
    user = await db.user.find_one({"email": ZOE})
    assert user is not None
    return "email_unconfirmed" in user


async def seat_notice(db: Database) -> None:
    found = await users.find_credentials(db, ZOE)
    assert found is not None
    story = Notice(FALL_MORNING, found.user.user_id, "promote", "1111", "PYT 101", "Fall 2026", "01")
    await notices.add(db, story, None)


async def test_registering_sends_one_email_without_anything_that_was_typed(
    zoe: Browser, db: Database, clock: Clock
) -> None:
    [(to, subject, letter)] = await send_emails(db, clock)
    assert (to, subject) == (ZOE, "Confirm your email")
    assert re.findall(r"https?://[^/\s]+", letter) == [PUBLIC_URL]
    for typed in (LURE, "prize", "evil", "Zoe"):
        assert typed not in letter


async def test_the_button_confirms_the_address_and_opening_the_link_does_not(
    zoe: Browser, anyone: Browser, db: Database, clock: Clock
) -> None:
    opened = await anyone.get(await path_of_link(db, clock))
    assert (opened.status_code, opened.location) == (303, "/email/confirm")
    page = await anyone.get("/email/confirm")
    assert ZOE in await text(page)
    assert {response.headers["Referrer-Policy"] for response in (opened, page)} == {"no-referrer"}
    assert await unconfirmed(db)
    confirmed = await anyone.post("/email/confirm")
    assert (confirmed.status_code, confirmed.location) == (303, "/login")
    assert "Your email is confirmed." in await anyone.read("/login")
    assert not await unconfirmed(db)


async def test_another_site_confirms_nothing(zoe: Browser, db: Database, clock: Clock) -> None:
    await zoe.get(await path_of_link(db, clock))
    response = await zoe.post("/email/confirm", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 400
    assert await unconfirmed(db)


async def test_a_used_link_says_that_the_address_is_confirmed(zoe: Browser, db: Database, clock: Clock) -> None:
    path = await path_of_link(db, clock)
    for _ in range(2):
        await zoe.get(path)
        assert (await zoe.post("/email/confirm")).location == "/account"
    assert f"{ZOE} is confirmed." in await zoe.read(path)
    assert await send_emails(db, clock) == []


async def test_until_confirmation_notices_are_on_pages_and_not_emailed(
    zoe: Browser, db: Database, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    path = await path_of_link(db, clock)
    await seat_notice(db)
    new = {"current_password": PASSWORD} | chosen("a newer horse battery")
    assert (await zoe.post("/account/password", form=new)).status_code == 303
    assert await send_emails(db, clock) == []
    assert "you’re now enrolled in PYT 101" in await zoe.read("/enrollment")
    await zoe.get(path)
    await zoe.post("/email/confirm")
    assert await send_emails(db, clock) == []  # notices from before are not sent later
    await seat_notice(db)
    [(to, subject, _)] = await send_emails(db, clock)
    assert (to, subject) == (ZOE, "You’re enrolled in PYT 101")
    assert "level=error" not in log.text


async def test_pages_mention_that_the_email_is_not_confirmed(zoe: Browser, db: Database, clock: Clock) -> None:
    assert "Your email isn’t confirmed yet" in await zoe.read("/account")
    assert "to confirm your email" in await zoe.read("/enrollment")
    await zoe.get(await path_of_link(db, clock))
    await zoe.post("/email/confirm")
    await zoe.get("/")  # shows the messages, so that they are gone
    for path in ("/account", "/enrollment"):
        assert "confirm" not in await zoe.read(path)


async def test_an_unconfirmed_student_can_enroll(zoe: Browser) -> None:
    response = await zoe.post("/enrollment", form={"courseID": "1111", "section": "01"})
    assert response.location == "/enrollment?term=Fall+2026"
    assert "PYT 101" in await zoe.read("/enrollment")


async def test_new_links_are_limited(zoe: Browser, db: Database, clock: Clock) -> None:
    for _ in range(2):  # registering sent the first
        assert "another link" in await message_after(zoe, "/account/email")
    assert "Too many attempts" in await message_after(zoe, "/account/email")
    assert len(await send_emails(db, clock)) == 3
    clock.now += timedelta(hours=8)
    await zoe.sign_in(User(0, ZOE, "", "", ""))
    assert "another link" in await message_after(zoe, "/account/email")


async def test_registering_again_and_again_sends_no_more_links(app: Quart, db: Database, clock: Clock) -> None:
    sent = []
    for _ in range(5):
        browser = Browser(app.test_client())
        await browser.post("/register", form=registration(ZOE))
        sent += await send_emails(db, clock)
        assert (await browser.post("/account/delete", form={"password": PASSWORD})).status_code == 303
    assert len(sent) == 3


async def test_a_form_that_is_sent_twice_sends_one_email(app: Quart, db: Database, clock: Clock) -> None:
    for _ in range(2):
        assert (await Browser(app.test_client()).post("/register", form=registration(ZOE))).status_code == 303
    assert len(await send_emails(db, clock)) == 1


async def test_a_confirmed_student_is_not_asked_to_confirm(ada: Browser, db: Database, clock: Clock) -> None:
    assert "confirm" not in await ada.read("/account")
    await ada.post("/account/email")
    assert await send_emails(db, clock) == []


async def test_a_link_stops_working_after_three_days_and_for_another_address(
    zoe: Browser, db: Database, clock: Clock
) -> None:
    await zoe.get(await path_of_link(db, clock))
    clock.now += timedelta(days=3)
    assert (await zoe.get("/email/confirm")).status_code == 410
    assert (await zoe.post("/email/confirm")).status_code == 410
    clock.now -= timedelta(days=1)
    await db.user.update_one({"email": ZOE}, {"$set": {"email": "zoe.new@school.example"}})
    response = await zoe.post("/email/confirm")
    assert response.status_code == 410
    assert "invalid or has expired" in await text(response)
    assert await db.user.count_documents({"email_unconfirmed": True}) == 1


@pytest.mark.parametrize(
    ("key", "salt"),
    [
        ("another key, of no use here", "email confirmation"),
        ("a key that only the tests know, and long", "password reset"),
    ],
)
async def test_a_forged_link_confirms_nothing(zoe: Browser, db: Database, clock: Clock, key: str, salt: str) -> None:
    token = (await path_of_link(db, clock)).rsplit("/", 1)[1]
    said = URLSafeSerializer("").loads_unsafe(token)[1]
    await zoe.get(f"/email/confirm/{URLSafeSerializer(key, salt).dumps(said)}")
    assert (await zoe.post("/email/confirm")).status_code == 410
    await zoe.get(f"/password/reset/{token}")  # a confirmation link can't reset a password either
    assert (await zoe.get("/password/reset")).status_code == 410
    assert await unconfirmed(db)


async def test_a_cookie_carries_no_more_of_a_link_than_a_link_has(anyone: Browser) -> None:
    for path in ("/email/confirm/", "/password/reset/"):
        opened = await anyone.get(path + secrets.token_urlsafe(5000))
        assert len(opened.headers["Set-Cookie"]) < 1500


async def test_a_password_reset_link_confirms_the_address_and_names_nobody(
    zoe: Browser, anyone: Browser, db: Database, clock: Clock
) -> None:
    await send_emails(db, clock)
    await anyone.post("/password/forgot", form={"email": ZOE})
    [(_, _, letter)] = await send_emails(db, clock)
    assert "prize" not in letter
    await anyone.get(re.findall(r"(/password/reset/\S+)", letter)[0])
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 303
    assert not await unconfirmed(db)
    assert (await zoe.get("/account")).status_code == 303  # the person who registered is signed out


async def test_the_downloaded_data_says_that_the_address_is_unconfirmed(zoe: Browser, ada: Browser) -> None:
    assert '"email_unconfirmed": true' in await zoe.read("/account/data")
    assert "email_unconfirmed" not in await ada.read("/account/data")


async def test_a_site_without_a_mail_server_asks_for_no_confirmation(db: Database, mongod: str, clock: Clock) -> None:
    app = create_app(config(mongo_uri=mongod, app_env="production"), clock=clock)
    async with app.test_app():
        browser = Browser(app.test_client())
        await browser.post("/register", form=registration(ZOE), scheme="https")
        for path in ("/account", "/enrollment"):
            page = await text(await browser.get(path, scheme="https"))
            assert "<main" in page
            assert "confirm" not in page
    assert await unconfirmed(db)  # the school may add a mail server later
    assert await db.notice.count_documents({}) == 0


async def test_an_import_confirms_new_addresses_but_not_registered_ones(zoe: Browser, db: Database) -> None:
    rows = [
        ImportedUser(1, None, User(0, "new@school.example", "New", "One"), None),
        ImportedUser(2, None, User(0, ZOE, "Zoe", "Adler"), None),
    ]
    await import_users(db, rows, FALL_MORNING, unusable_password="")
    assert (await import_users(db, rows, FALL_MORNING, unusable_password="")).unchanged == 2
    assert await db.user.count_documents({"email_unconfirmed": {"$exists": True}}) == 1
    found = await users.find_credentials(db, ZOE)
    assert found is not None
    moved = User(0, "zoe.adler@school.example", "Zoe", "Adler")
    await import_users(db, [ImportedUser(1, found.user.user_id, moved, None)], FALL_MORNING, unusable_password="")
    assert await db.user.count_documents({"email_unconfirmed": {"$exists": True}}) == 0


async def test_an_import_gives_no_registrar_role_to_an_unconfirmed_email(
    zoe: Browser, anyone: Browser, db: Database, clock: Clock
) -> None:
    row = ImportedUser(2, None, User(0, ZOE, "Zoe", "Adler", frozenset({Role.REGISTRAR})), None)
    with pytest.raises(InvalidRows) as refused:
        await import_users(db, [row], FALL_MORNING, unusable_password="")
    assert [bad.field for bad in refused.value.problems] == ["roles"]
    assert (await zoe.get("/user")).status_code == 403
    await anyone.get(await path_of_link(db, clock))
    await anyone.post("/email/confirm")
    assert (await import_users(db, [row], FALL_MORNING, unusable_password="")).changed == 1


@pytest.mark.parametrize(
    ("email", "status"),
    [("zo\u0591e@school.example", 422), ("z\u0660e@school.example", 422), ("zoe@scho\u0591ol.example", 303)],
)
async def test_an_email_that_the_collation_equates_with_another_cannot_be_registered(
    app: Quart, db: Database, email: str, status: int
) -> None:
    response = await Browser(app.test_client()).post("/register", form=registration(email))
    assert response.status_code == status
    assert ("Enter an email like name@school.example." in await text(response)) == (status == 422)
    assert (await Browser(app.test_client()).post("/register", form=registration(ZOE))).status_code == 303
