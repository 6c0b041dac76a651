"""Accounts from before today's rules: short passwords, and emails that can no longer be registered."""

from base64 import b64encode

import pytest
from werkzeug.security import generate_password_hash

from quart_enroll.db.client import Database
from tests.support.people import ADA, PASSWORD, PASSWORD_METHOD, Browser, registration, text

SHORT_PASSWORD = "tulip"
"""Sites built from the same tutorial accepted passwords of 5 or 6 characters."""

SUGGESTION = "fewer than the 8 characters we now require"


async def store_old_credentials(db: Database, *, email: str = ADA.email, password: str = SHORT_PASSWORD) -> None:
    """Give ada this email and password, as if she had registered long ago."""
    fields = {"email": email, "password": generate_password_hash(password, PASSWORD_METHOD)}
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": fields})


@pytest.mark.parametrize("password", [SHORT_PASSWORD, "tulips", "tulips7", "x"])
async def test_an_old_short_password_signs_in_with_a_suggestion_to_change_it(
    anyone: Browser, db: Database, password: str
) -> None:
    await store_old_credentials(db, password=password)
    response = await anyone.sign_in(ADA, password=password)
    assert (response.status_code, response.location) == (303, "/")
    page = await anyone.read("/")
    assert "Hello, Ada" in page
    assert SUGGESTION in page
    assert '<a href="/account/password">' in page


async def test_a_long_enough_password_signs_in_without_a_suggestion(anyone: Browser) -> None:
    await anyone.sign_in(ADA)
    assert SUGGESTION not in await anyone.read("/")


@pytest.mark.parametrize("email", ["ada@school.local", "ada@school.test", "ada@localhost", "ada@intranet", "ada"])
async def test_an_email_of_any_domain_signs_in(anyone: Browser, db: Database, email: str) -> None:
    await store_old_credentials(db, email=email)
    response = await anyone.post("/login", form={"email": email, "password": SHORT_PASSWORD})
    assert response.status_code == 303


async def test_an_email_of_any_domain_may_request_a_reset_link(anyone: Browser, db: Database) -> None:
    await store_old_credentials(db, email="ada@school.local")
    page = await text(await anyone.post("/password/forgot", form={"email": "ada@school.local"}, follow_redirects=True))
    assert "Enter an email" not in page


async def test_a_wrong_short_password_gets_the_usual_error(anyone: Browser, db: Database) -> None:
    await store_old_credentials(db)
    for password in ("rose", "wrong and long enough"):
        response = await anyone.sign_in(ADA, password=password)
        assert response.status_code == 422
        assert "Incorrect email or password." in await text(response)


async def test_an_overlong_password_is_refused_without_hashing(anyone: Browser) -> None:
    response = await anyone.sign_in(ADA, password="x" * 129)
    assert response.status_code == 422
    assert "at most 128 characters" in await text(response)


async def test_api_clients_may_send_an_old_short_password(anyone: Browser, db: Database) -> None:
    await store_old_credentials(db, email="ada@school.local")
    credentials = b64encode(f"ada@school.local:{SHORT_PASSWORD}".encode()).decode()
    response = await anyone.client.get("/api/v1/me", headers={"Authorization": f"Basic {credentials}"})
    assert response.status_code == 200


async def test_an_old_short_password_confirms_a_password_change_and_a_deletion(anyone: Browser, db: Database) -> None:
    await store_old_credentials(db)
    await anyone.sign_in(ADA, password=SHORT_PASSWORD)
    form = {"current_password": SHORT_PASSWORD, "password": PASSWORD, "password_confirm": PASSWORD}
    assert (await anyone.post("/account/password", form=form)).status_code == 303
    await store_old_credentials(db)
    response = await anyone.post("/account/delete", form={"password": "rose"})
    assert "at least" not in await text(response)
    assert (await anyone.post("/account/delete", form={"password": SHORT_PASSWORD})).status_code == 303


@pytest.mark.parametrize("path", ["/register", "/account/password"])
async def test_a_short_password_cannot_be_chosen(anyone: Browser, db: Database, path: str) -> None:
    await store_old_credentials(db)
    await anyone.sign_in(ADA, password=SHORT_PASSWORD)
    if path == "/register":
        await anyone.post("/logout")
    form = registration(password="roses", password_confirm="roses") | {"current_password": SHORT_PASSWORD}
    response = await anyone.post(path, form=form)
    assert response.status_code == 422
    assert "8 to 128 characters" in await text(response)


async def test_an_undeliverable_email_cannot_be_registered(anyone: Browser) -> None:
    response = await anyone.post("/register", form=registration(email="zoe@school.local"))
    assert response.status_code == 422
    assert "Enter an email like" in await text(response)
