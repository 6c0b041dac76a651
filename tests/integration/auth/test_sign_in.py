"""Register, sign in, sign out."""

import asyncio
import re

import pytest
from quart import Quart
from werkzeug.security import generate_password_hash

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.errors import Busy
from quart_enroll.domain.models import Credentials
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.hashing import Hasher
from tests.support.people import ADA, BOB, PASSWORD, PASSWORD_METHOD, Browser, registration, text

DEFAULT_MIN_REFUSAL_SECONDS = accounts.MIN_REFUSAL_SECONDS


async def test_registering_creates_an_account_and_signs_in(anyone: Browser, db: Database) -> None:
    response = await anyone.post("/register", form=registration())
    assert (response.status_code, response.location) == (303, "/")
    page = await anyone.read("/")
    assert "Welcome, Zoe" in page
    assert "Find a course that fits, or check your schedule." in page  # without a mention of courses they have
    stored = await db.user.find_one({"email": "zoe@school.example"})
    assert stored is not None
    assert (stored["user_id"], stored["roles"]) == (4, ["student"])
    assert stored["password"].startswith("scrypt:")


async def test_a_registration_sent_twice_creates_one_account(app: Quart, db: Database) -> None:
    for _ in range(2):
        browser = Browser(app.test_client())
        assert (await browser.post("/register", form=registration())).status_code == 303
        assert "Sign out" in await browser.read("/")
    assert await db.user.count_documents({"email": "zoe@school.example"}) == 1


@pytest.mark.parametrize("email", ["ada@school.example", "ADA@School.example"])
async def test_an_email_in_use_is_refused_beside_its_field(anyone: Browser, email: str) -> None:
    response = await anyone.post(
        "/register", form=registration(email, password="another one", password_confirm="another one")
    )
    page = await text(response)
    assert response.status_code == 422
    assert "An account with this email already exists" in page
    assert 'value="Zoe"' in page
    assert "another one" not in page


@pytest.mark.parametrize("password", ["password1", "Zoe-Adler-2026"])
async def test_a_common_password_is_refused_beside_its_field(anyone: Browser, db: Database, password: str) -> None:
    form = registration(password=password, password_confirm=password)
    response = await anyone.post("/register", form=form)
    page = await text(response)
    assert response.status_code == 422
    assert 'id="password-error"' in page
    assert password not in page
    assert await db.user.count_documents({}) == 3


async def test_an_existing_common_password_still_signs_in(anyone: Browser, db: Database) -> None:
    stored = generate_password_hash("password1", PASSWORD_METHOD)
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"password": stored}})
    assert (await anyone.sign_in(ADA, password="password1")).status_code == 303


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("email", "", "Enter your email."),
        ("email", "nobody", "Enter an email like"),
        ("email", "a" * 250 + "@school.example", "at most 254 characters"),
        ("password", "short", "8 to 128 characters"),
        ("password", "x" * 129, "8 to 128 characters"),
        ("password_confirm", "something else", "Passwords don’t match."),
        ("first_name", "\u3164", "Enter a name with visible characters."),
        ("first_name", "x" * 51, "at most 50 characters"),
        ("last_name", "Ad\x00ler", "unreadable characters"),
        ("last_name", "\u200b\u2800", "Enter a name with visible characters."),
        ("last_name", "Adler\u202ereltaM", "unreadable characters"),
    ],
)
async def test_an_invalid_field_has_its_error_beside_it_and_the_others_keep_their_values(
    anyone: Browser, db: Database, field: str, value: str, sentence: str
) -> None:
    response = await anyone.post("/register", form=registration() | {field: value})
    page = await text(response)
    assert response.status_code == 422
    assert sentence in page
    assert "<title>Error:" in page
    assert PASSWORD not in page
    assert await db.user.count_documents({}) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"email=%ff%fe&password=12345678&password_confirm=12345678&first_name=Z&last_name=A",
        b"email=a@school.example&email=b@school.example&password=12345678&password_confirm=12345678&first_name=Z&last_name=A",
        b"email[$ne]=&password[$gt]=",
        b'{"email": {"$ne": null}, "password": {"$gt": ""}}',
    ],
    ids=["empty", "not utf-8", "repeated", "operators in a form", "operators in JSON"],
)
@pytest.mark.parametrize("path", ["/register", "/login"])
async def test_a_malformed_body_is_refused_with_an_explanation(
    anyone: Browser, db: Database, path: str, body: bytes
) -> None:
    content_type = "application/json" if body.startswith(b"{") else "application/x-www-form-urlencoded"
    response = await anyone.post(path, data=body, headers={"Content-Type": content_type})
    assert response.status_code == 422
    assert "There’s a problem" in await text(response)
    assert await db.user.count_documents({}) == 3


async def test_signing_in_ignores_the_case_of_the_email(anyone: Browser) -> None:
    response = await anyone.post("/login", form={"email": "Ada@SCHOOL.example", "password": PASSWORD})
    assert (response.status_code, response.location) == (303, "/")
    assert "Hello, Ada" in await anyone.read("/")


async def test_a_wrong_password_and_an_unknown_email_get_the_same_response(anyone: Browser) -> None:
    responses = []
    for email in (ADA.email, "nobody@school.example"):
        response = await anyone.post("/login", form={"email": email, "password": "not the password"})
        page = re.sub(r"\d+##\w+", "", await text(response))  # the CSRF token contains the time
        responses.append((response.status_code, page.replace(email, "")))
    assert responses[0] == responses[1]
    assert responses[0][0] == 422
    assert "Incorrect email or password." in responses[0][1]


async def test_a_wrong_password_and_an_unknown_email_take_the_same_time(
    app: Quart, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def record_wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(accounts, "monotonic", lambda: 0.0)
    monkeypatch.setattr(accounts, "MIN_REFUSAL_SECONDS", DEFAULT_MIN_REFUSAL_SECONDS)
    monkeypatch.setattr(accounts, "sleep", record_wait)
    browser = Browser(app.test_client())
    for email in (ADA.email, "nobody@school.example"):
        await browser.post("/login", form={"email": email, "password": "not the password"})
    assert waits == [0.75, 0.75]


async def test_rehashing_does_not_overwrite_a_concurrent_password_change(db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"password": "the new one"}})
    await users.replace_hash(db, Credentials(ADA, "an older one"), "the new hash")
    stored = await db.user.find_one({"user_id": ADA.user_id})
    assert stored is not None
    assert stored["password"] == "the new one"


@pytest.mark.parametrize("method", ["pbkdf2:sha256:1000", "pbkdf2:sha1:1000"])
async def test_an_older_hash_works_and_is_replaced(app: Quart, db: Database, method: str) -> None:
    old = generate_password_hash(PASSWORD, method)
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"password": old}})
    for _ in range(2):
        assert (await Browser(app.test_client()).sign_in(ADA)).status_code == 303
    stored = await db.user.find_one({"user_id": ADA.user_id})
    assert stored is not None
    assert stored["password"].startswith(f"{PASSWORD_METHOD}$")


@pytest.mark.parametrize(
    "stored",
    ["md5$x$y", "", "pbkdf2:sha256:99999999999999999999$s$ab", "scrypt:-5:8:1$s$ab", "pbkdf2:sha256:1000$s$é"],
)
async def test_an_unreadable_hash_counts_as_a_wrong_password(anyone: Browser, db: Database, stored: str) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"password": stored}})
    assert (await anyone.sign_in(ADA)).status_code == 422


async def test_remember_me_keeps_the_cookie_for_30_days(anyone: Browser) -> None:
    response = await anyone.sign_in(ADA, remember_me="y")
    assert f"Max-Age={30 * 24 * 3600}" in _auth_cookie(response)
    other = Browser(anyone.client.app.test_client())
    assert "Max-Age" not in _auth_cookie(await other.sign_in(BOB))


async def test_a_signed_in_user_is_told_so_at_the_sign_in_page(ada: Browser) -> None:
    for path in ("/login", "/register"):
        assert "You’re already signed in." in await ada.read(path)


async def test_a_second_tab_that_signs_in_continues_to_its_own_page(ada: Browser) -> None:
    next_path = "/enrollment/form?courseID=1111"
    assert (await ada.sign_in(ADA, next=next_path)).location == next_path
    assert (await ada.get("/login?next=/enrollment")).location == "/enrollment"
    assert (await ada.get("/login?next=//evil.example")).location == "/"


async def test_when_the_hashing_queue_is_full_people_are_asked_to_try_again(
    anyone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def queue_full(*_: object) -> None:
        raise Busy(5)

    monkeypatch.setattr(Hasher, "verify", queue_full)
    response = await anyone.sign_in(ADA)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "Many people are signing in" in await text(response)


@pytest.mark.parametrize("forged", ["nonsense", "ImFiYyI.aaaa.bbbb", ""])
async def test_a_forged_cookie_signs_nobody_in(anyone: Browser, forged: str) -> None:
    anyone.client.set_cookie("localhost", "QUART_AUTH", forged)
    assert (await anyone.get("/enrollment")).status_code == 303
    assert "Sign in" in await anyone.read("/")


async def test_the_sign_out_link_signs_out(ada: Browser) -> None:
    assert (await ada.get("/logout")).status_code == 303
    assert "Sign out" not in await ada.read("/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Purpose": "prefetch"},
    ],
)
async def test_a_link_on_another_site_only_asks_whether_to_sign_out(ada: Browser, headers: dict[str, str]) -> None:
    response = await ada.get("/logout", headers=headers)
    assert response.status_code == 200
    assert '<form class="actions" method="post" action="/logout">' in await text(response)
    assert (await ada.get("/enrollment")).status_code == 200


async def test_a_head_request_does_not_sign_out(ada: Browser) -> None:
    await ada.client.head("/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert (await ada.get("/enrollment")).status_code == 200


async def test_signing_in_redirects_to_the_requested_page(anyone: Browser) -> None:
    redirect = await anyone.get("/enrollment")
    assert (redirect.status_code, redirect.location) == (303, "/login?next=/enrollment")
    page = await anyone.read(redirect.location)
    assert "Please sign in to see your schedule." in page
    assert 'name="next" type="hidden" value="/enrollment"' in page
    assert (await anyone.sign_in(ADA, next="/enrollment")).location == "/enrollment"


@pytest.mark.parametrize(
    "external_url", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "evil"]
)
async def test_next_redirects_only_within_this_site(anyone: Browser, external_url: str) -> None:
    assert (await anyone.sign_in(ADA, next=external_url)).location == "/"


async def test_only_the_registrar_sees_the_user_list(anyone: Browser, ada: Browser, rita: Browser) -> None:
    assert (await anyone.get("/user")).location == "/login?next=/user"
    refused = await ada.get("/user")
    assert refused.status_code == 403
    assert ADA.email not in await text(refused)
    page = await rita.read("/user")
    assert ADA.email in page
    assert "scrypt" not in page


async def test_200_people_register_at_once(app: Quart, db: Database) -> None:
    async def register(number: int) -> int:
        form = registration(f"crowd{number}@school.example")
        return (await Browser(app.test_client()).post("/register", form=form)).status_code

    statuses = await asyncio.gather(*(register(number) for number in range(200)))
    assert set(statuses) == {303}
    user_ids = [row["user_id"] async for row in db.user.find()]
    assert len(user_ids) == len(set(user_ids)) == 203


async def test_50_registrations_of_one_email_at_once_create_one_account(app: Quart, db: Database) -> None:
    async def register(number: int) -> int:
        password = f"password of tab {number}"
        form = registration(password=password, password_confirm=password)
        return (await Browser(app.test_client()).post("/register", form=form)).status_code

    statuses = await asyncio.gather(*(register(number) for number in range(50)))
    assert sorted(statuses) == [303] + [422] * 10 + [429] * 39  # each other one counts as a guess at the password
    assert await db.user.count_documents({"email": "zoe@school.example"}) == 1


async def test_no_user_id_is_assigned_twice_after_the_counter_is_lost(anyone: Browser, db: Database) -> None:
    await db.counter.delete_many({})
    assert (await anyone.post("/register", form=registration())).status_code == 303
    stored = await db.user.find_one({"email": "zoe@school.example"})
    assert stored is not None
    assert stored["user_id"] == 4


def _auth_cookie(response: object) -> str:
    cookies = response.headers.getlist("Set-Cookie")  # type: ignore[attr-defined]
    return next(cookie for cookie in cookies if cookie.startswith("QUART_AUTH="))
