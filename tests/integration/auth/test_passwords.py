"""Passwords: changed with the current one, or reset through an emailed link."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import leases, users
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.notifications.delivery import Mailer
from quart_enroll.services.notifications.mail import PrintedSender
from quart_enroll.services.notifications.outbox import LEASE_NAME, send_due
from quart_enroll.web import access_log
from tests.support.people import ADA, BOB, PASSWORD, Browser, Clock, config, text
from tests.support.smtp import Postbox

NEW = "a newer horse battery"
PUBLIC_URL = "https://enroll.school.example"
SETTINGS = {"public_url": PUBLIC_URL, "smtp_url": "smtp://127.0.0.1:9", "mail_from": "no-reply@school.example"}
ME = "the tests"
LINKS = EmailLinks("a key that only the tests know, and long", PUBLIC_URL)


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site of a school with a mail server; the tests have the lease, and send themselves."""
    await leases.acquire(db, LEASE_NAME, ME, timedelta(hours=1))
    app = create_app(config(mongo_uri=mongod, **SETTINGS), clock=clock)
    async with app.test_app():
        yield app


async def send_emails(db: Database, clock: Clock) -> list[tuple[str, str, str]]:
    """Send the waiting emails, and return the recipient, subject and text of each."""
    sender = Postbox()
    await send_due(db, Mailer(sender, clock, LINKS), ME)
    return sender.letters


async def send_link(db: Database, clock: Clock, recipient: str, subject: str | None = None) -> str:
    """Send the only waiting email, check its recipient and subject, and return the path of the link in it."""
    [(to, sent_subject, body)] = await send_emails(db, clock)
    assert (to, sent_subject) == (recipient, subject or sent_subject)
    [url] = re.findall(r"https?://\S+", body)
    assert url.startswith(f"{PUBLIC_URL}/")
    return str(url.removeprefix(PUBLIC_URL))


async def send_reset_link(db: Database, clock: Clock) -> str:
    """Send ada's password reset email, and return the path of its link."""
    path = await send_link(db, clock, ADA.email, "Choose a new password")
    assert path.startswith("/password/reset/")
    return path


async def forgotten(browser: Browser, db: Database, clock: Clock) -> str:
    """Request a password reset for ada, and return the path of her link."""
    await browser.post("/password/forgot", form={"email": ADA.email})
    return await send_reset_link(db, clock)


def chosen(password: str = NEW, **fields: str) -> dict[str, str]:
    return {"password": password, "password_confirm": password} | fields


def change(old: str = PASSWORD, password: str = NEW) -> dict[str, str]:
    return chosen(password, current_password=old)


async def signs_in(app: Quart, password: str) -> bool:
    return (await Browser(app.test_client()).sign_in(ADA, password=password)).status_code == 303


async def test_only_the_new_password_works_after_a_change(ada: Browser, app: Quart) -> None:
    response = await ada.post("/account/password", form=change())
    assert (response.status_code, response.location) == (303, "/account")
    assert "Your password has been changed." in await ada.read("/account")
    assert [await signs_in(app, password) for password in (PASSWORD, NEW)] == [False, True]


async def test_changing_the_password_ends_all_other_sign_ins_and_sends_an_email(
    ada: Browser, bob: Browser, app: Quart, db: Database, clock: Clock
) -> None:
    other = Browser(app.test_client())
    await other.sign_in(ADA, remember_me="y")
    await ada.post("/account/password", form=change())
    answers = [(await browser.get("/enrollment")).status_code for browser in (ada, other, bob)]
    assert answers == [200, 303, 200]
    [(to, subject, letter)] = await send_emails(db, clock)
    assert (to, subject) == (ADA.email, "Your password was changed")
    assert f"{PUBLIC_URL}/password/forgot" in letter
    assert "password was changed" not in (await ada.read("/")).lower()


async def test_changing_the_password_requires_the_current_one(ada: Browser, app: Quart) -> None:
    response = await ada.post("/account/password", form=change(old="not the password"))
    page = await text(response)
    assert response.status_code == 422
    assert "Incorrect password. Try again." in page
    assert NEW not in page
    assert await signs_in(app, PASSWORD)


async def test_sending_a_password_change_twice_is_harmless(
    ada: Browser, app: Quart, db: Database, clock: Clock
) -> None:
    for _ in range(2):
        assert (await ada.post("/account/password", form=change())).status_code == 303
    assert await signs_in(app, NEW)
    assert len(await send_emails(db, clock)) == 1


async def test_a_reset_link_expires_when_the_email_changes(anyone: Browser, db: Database, clock: Clock) -> None:
    path = await forgotten(anyone, db, clock)
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"email": "ada.new@school.example"}})
    await anyone.get(path)
    assert (await anyone.get("/password/reset")).status_code == 410
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 410


async def test_one_of_two_simultaneous_password_changes_is_refused(ada: Browser, app: Quart) -> None:
    words = ["one horse battery", "two horse battery"]
    sent = [ada.post("/account/password", form=change(password=password)) for password in words]
    statuses = [response.status_code for response in await asyncio.gather(*sent)]
    assert sorted(statuses) == [303, 422]
    assert await signs_in(app, words[statuses.index(303)])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (change(password="password1"), "That password is too common"),
        (change(password="Ada Winters"), "Don’t use your name or email"),
        (change(password="short"), "8 to 128 characters"),
        (change(password="x" * 129), "8 to 128 characters"),
        (change() | {"password_confirm": "another"}, "Passwords don’t match."),
        (change(old=""), "Enter your password."),
    ],
)
async def test_a_password_against_the_policy_is_refused_with_a_sentence(
    ada: Browser, app: Quart, fields: dict[str, str], sentence: str
) -> None:
    response = await ada.post("/account/password", form=fields)
    page = await text(response)
    assert response.status_code == 422
    assert page.count(sentence) >= 2  # beside the field and in the summary
    assert await signs_in(app, PASSWORD)


@pytest.mark.parametrize(
    "password", ["x" * 128, "  with blanks  ", "pässwörter 🐎", "<b>&amp;'\"", "tab\tand\x00nothing"]
)
async def test_any_character_is_allowed_in_a_password(ada: Browser, app: Quart, password: str) -> None:
    assert (await ada.post("/account/password", form=change(password=password))).status_code == 303
    assert await signs_in(app, password)


async def test_a_password_can_be_pasted_whatever_its_length(ada: Browser) -> None:
    assert "maxlength" not in await ada.read("/account/password")


async def test_a_reset_request_does_not_reveal_whether_an_account_exists(
    anyone: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "find_credentials", None)  # to look would take its time
    answers = []
    for email in (ADA.email, "nobody@school.example"):
        response = await anyone.post("/password/forgot", form={"email": email})
        answers.append((response.status_code, response.location))
        assert "If there’s an account with this email" in await anyone.read(response.location)
    assert answers == [(303, "/login")] * 2
    assert await db.notice.count_documents({"action": "password_forgotten"}) == 2


async def test_a_malformed_email_is_refused(anyone: Browser, db: Database) -> None:
    response = await anyone.post("/password/forgot", form={"email": "ada"})
    assert response.status_code == 422
    assert "Enter an email like" in await text(response)
    assert await db.notice.count_documents({}) == 0


async def test_a_reset_link_sets_a_new_password_whatever_the_case_of_the_email(
    anyone: Browser, app: Quart, db: Database, clock: Clock
) -> None:
    await anyone.post("/password/forgot", form={"email": ADA.email.upper()})
    opened = await anyone.get(await send_reset_link(db, clock))
    assert (opened.status_code, opened.location) == (303, "/password/reset")
    page = await anyone.get("/password/reset")
    assert page.status_code == 200
    for response in (opened, page):
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
    saved = await anyone.post("/password/reset", form=chosen())
    assert (saved.status_code, saved.location) == (303, "/login")
    assert "Your new password has been saved." in await anyone.read("/login")
    assert [await signs_in(app, password) for password in (PASSWORD, NEW)] == [False, True]
    assert [subject for _, subject, _ in await send_emails(db, clock)] == ["Your password was changed"]


async def test_a_reset_link_uses_the_configured_url_and_not_the_requests_host(
    anyone: Browser, db: Database, clock: Clock
) -> None:
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    await anyone.post("/password/forgot", form={"email": ADA.email}, headers=evil)
    assert await send_reset_link(db, clock)


async def test_a_reset_link_works_once(app: Quart, db: Database, clock: Clock) -> None:
    path = await forgotten(Browser(app.test_client()), db, clock)
    for password, status in ((NEW, 303), ("yet another battery", 410)):
        browser = Browser(app.test_client())
        await browser.get(path)
        assert (await browser.post("/password/reset", form=chosen(password))).status_code == status
    page = await browser.get("/password/reset")
    assert page.status_code == 410
    assert "This link has already been used" in await text(page)
    assert await signs_in(app, NEW)


async def test_one_of_two_simultaneous_uses_of_a_reset_link_is_refused(app: Quart, db: Database, clock: Clock) -> None:
    path = await forgotten(Browser(app.test_client()), db, clock)

    async def use(password: str) -> int:
        browser = Browser(app.test_client())
        await browser.get(path)
        return (await browser.post("/password/reset", form=chosen(password))).status_code

    assert sorted(await asyncio.gather(*(use(f"battery number {n}") for n in range(4)))) == [303, 410, 410, 410]


async def test_a_reset_link_works_for_an_hour(anyone: Browser, db: Database, clock: Clock) -> None:
    await anyone.get(await forgotten(anyone, db, clock))
    clock.now += timedelta(minutes=59, seconds=59)
    assert (await anyone.get("/password/reset")).status_code == 200
    clock.now += timedelta(seconds=1)
    assert (await anyone.get("/password/reset")).status_code == 410
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 410


async def test_a_reset_link_expires_when_the_password_changes(
    ada: Browser, anyone: Browser, db: Database, clock: Clock
) -> None:
    await anyone.get(await forgotten(anyone, db, clock))
    await ada.post("/account/password", form=change())
    assert (await anyone.post("/password/reset", form=chosen("yet another battery"))).status_code == 410


@pytest.mark.parametrize("token", ["", "x", "WzEsMSwiYSJd.aaaa", "%ff%fe", "🐎", "a" * 2000])
async def test_a_forged_reset_link_is_refused(anyone: Browser, token: str) -> None:
    await anyone.get(f"/password/reset/{token}")
    response = await anyone.post("/password/reset", form=chosen())
    assert response.status_code == 410
    assert "Request a new link" in await text(response)


async def test_a_reset_link_of_another_key_or_user_is_refused(
    anyone: Browser, app: Quart, db: Database, clock: Clock
) -> None:
    token = (await forgotten(anyone, db, clock)).rsplit("/", 1)[1]
    [user_id, until, seal] = URLSafeSerializer("").loads_unsafe(token)[1]
    assert user_id == ADA.user_id
    for key, salt, whose in ((app.secret_key, "password reset", BOB.user_id), ("another key", "password reset", 1)):
        forged = URLSafeSerializer(str(key), salt).dumps([whose, until, seal])
        await anyone.get(f"/password/reset/{forged}")
        assert (await anyone.get("/password/reset")).status_code == 410


async def test_a_password_reset_ends_all_sign_ins(
    ada: Browser, app: Quart, bob: Browser, db: Database, clock: Clock
) -> None:
    other = Browser(app.test_client())
    await other.sign_in(ADA)
    await ada.get(await forgotten(ada, db, clock))
    assert "Your new password has been saved." in await text(
        await ada.post("/password/reset", form=chosen(), follow_redirects=True)
    )
    answers = [(await browser.get("/enrollment")).status_code for browser in (ada, other, bob)]
    assert answers == [303, 303, 200]


async def test_a_reset_clears_the_wait_after_wrong_passwords(
    anyone: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    await anyone.get(await forgotten(anyone, db, clock))
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 303
    await bob.post("/logout")
    for _ in range(10):
        await bob.sign_in(ADA, "not the password")
    assert (await anyone.sign_in(ADA, NEW)).status_code == 303


@pytest.mark.parametrize(("password", "sentence"), [("password1", "too common"), ("short", "8 to 128 characters")])
async def test_a_refused_new_password_leaves_the_reset_link_usable(
    anyone: Browser, db: Database, clock: Clock, password: str, sentence: str
) -> None:
    await anyone.get(await forgotten(anyone, db, clock))
    response = await anyone.post("/password/reset", form=chosen(password))
    assert response.status_code == 422
    assert sentence in await text(response)
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 303


async def test_a_reset_request_for_an_unknown_email_sends_and_logs_nothing(
    anyone: Browser, db: Database, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    await anyone.post("/password/forgot", form={"email": "nobody@school.example"})
    assert await send_emails(db, clock) == []
    assert "nobody" not in log.text
    assert [record.name for record in log.records] == [access_log.__name__]  # the line that each change has
    [row] = await db.notice.find().to_list(None)
    assert row["forget_at"] == clock.now + timedelta(hours=1)
    assert "forget_at_1" in await db.notice.index_information()


async def test_a_user_without_a_password_sets_one_through_a_reset_link(
    anyone: Browser, app: Quart, db: Database, clock: Clock
) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"password": ""}})
    await anyone.get(await forgotten(anyone, db, clock))
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 303
    assert await signs_in(app, NEW)


async def test_the_registrar_creates_a_reset_link_for_a_student_without_email(anyone: Browser, app: Quart) -> None:
    async def run(email: str) -> tuple[int, str]:
        words = ("password-link", "--email", email)
        result = await asyncio.to_thread(app.test_cli_runner().invoke, args=words)
        return result.exit_code, result.output

    assert await run("nobody@school.example") == (1, "Error: There is no account with this email.\n")
    code, printed = await run(ADA.email)
    assert (code, printed.startswith(f"{PUBLIC_URL}/password/reset/")) == (0, True)
    await anyone.get(printed.strip().removeprefix(PUBLIC_URL))
    assert (await anyone.post("/password/reset", form=chosen())).status_code == 303


async def test_the_log_contains_no_reset_link(app: Quart) -> None:
    async with app.test_request_context("/password/reset/a-secret"):
        assert access_log.path() == "/password/reset/<token>"
    async with app.test_request_context("/courses/Fall"):
        assert access_log.path() == "/courses/Fall"


async def test_a_site_without_a_mail_server_refers_to_the_registrar(db: Database, mongod: str) -> None:
    app = create_app(config(mongo_uri=mongod, app_env="production"))
    async with app.test_app():
        browser = Browser(app.test_client())
        for response in (
            await browser.get("/password/forgot"),
            await browser.post("/password/forgot", form={"email": ADA.email}),
        ):
            assert response.status_code == 200
            assert "Ask your school’s registrar" in await text(response)
    assert await db.notice.count_documents({}) == 0


async def test_development_prints_the_email_without_its_recipient(
    db: Database, mongod: str, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    await leases.acquire(db, LEASE_NAME, ME, timedelta(hours=1))
    app = create_app(config(mongo_uri=mongod), clock=clock)
    async with app.test_app():
        browser = Browser(app.test_client())
        assert "We’ll email you a reset link" in await browser.read("/password/forgot")
        await browser.post("/password/forgot", form={"email": ADA.email})
    await send_due(db, Mailer(PrintedSender(), clock, LINKS), ME)
    printed = capsys.readouterr().err
    assert f"{PUBLIC_URL}/password/reset/" in printed
    assert ADA.email not in printed
