"""Personal access tokens: created and revoked on a page, and used by API clients."""

import hashlib
import re
from base64 import b64encode
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.domain.errors import SignInEnded
from quart_enroll.domain.scopes import Scope
from quart_enroll.services.accounts import tokens
from quart_enroll.state import API_PASSWORD_CHECKS, EXTENSION
from tests.support.api_clients import ENROLLMENTS, PYT, Program, program, token
from tests.support.people import ADA, BOB, FALL_MORNING, PASSWORD, SPRING, Browser, Clock, config, text

TOKEN_FORM = {"name": "calendar", "scope": "read", "expires_at": "2026-12-31", "password": PASSWORD}
TOKEN_FIELDS: dict[str, Any] = {
    "name": "calendar",
    "scope": Scope.READ,
    "expires_at": SPRING.withdraw_deadline,
    "now": FALL_MORNING,
}
ME_PATH = "/api/v1/me"


def basic(email: str, password: str) -> str:
    return f"Basic {b64encode(f'{email}:{password}'.encode()).decode()}"


async def _status_and_code(
    program: Program, path: str = ME_PATH, method: str = "GET", **headers: str
) -> tuple[int, str]:
    response = await program.send(method, path, None if method == "GET" else PYT, **headers)
    return response.status_code, (await response.get_json()).get("code", "")


async def test_a_token_is_shown_once_and_stored_as_a_hash(ada: Browser, app: Quart, db: Database) -> None:
    response = await ada.post("/account/tokens", form=TOKEN_FORM)
    page = await text(response)
    shown = re.findall(r"qe_[\w-]{43}", page)
    assert (response.status_code, len(shown), response.headers["Cache-Control"]) == (201, 1, "no-store")
    assert shown[0] not in await ada.read("/account/tokens")
    row = await db.token.find_one({})
    assert row is not None
    assert row["_id"] == hashlib.sha256(shown[0].encode()).hexdigest()
    assert shown[0] not in str(row)
    assert (await Program(app, f"Bearer {shown[0]}").get(ME_PATH))["user_id"] == ADA.user_id


async def test_the_page_lists_tokens_and_revokes_one(ada: Browser, app: Quart, db: Database) -> None:
    api_client = await program(app, db, ADA)
    assert await _status_and_code(api_client) == (200, "")
    page = await ada.read("/account/tokens")
    for expected in (">program<", "Read and enroll", "Sep 1, 2026", "Thursday, April 1, 2027, 4:00 AM (UTC)"):
        assert expected in page
    token_id = re.findall(r'name="token_id" value="(\w+)"', page)[0]
    response = await ada.post("/account/tokens/end", form={"token_id": token_id})
    assert response.location == "/account/tokens"
    assert "Token revoked." in await ada.read(response.location)
    assert await _status_and_code(api_client) == (401, "wrong_token")
    response = await ada.post("/account/tokens/end", form={"token_id": token_id})
    assert "was already revoked or has expired" in await ada.read(response.location)


async def test_a_user_cannot_revoke_another_users_token(bob: Browser, app: Quart, db: Database) -> None:
    api_client = await program(app, db, ADA)
    row = await db.token.find_one({})
    assert row is not None
    await bob.post("/account/tokens/end", form={"token_id": row["token_id"]})
    assert await _status_and_code(api_client) == (200, "")
    assert "You have no tokens." in await bob.read("/account/tokens")


async def test_sending_the_form_twice_creates_one_token(ada: Browser, db: Database) -> None:
    await ada.post("/account/tokens", form=TOKEN_FORM)
    response = await ada.post("/account/tokens", form=TOKEN_FORM)
    assert response.status_code == 422
    assert "You already have a token named calendar." in unescape(await text(response))
    assert await db.token.count_documents({}) == 1


async def test_the_name_of_an_expired_token_can_be_reused(ada: Browser, clock: Clock, db: Database) -> None:
    await token(db, ADA, name="calendar", expires_at=FALL_MORNING + timedelta(minutes=1))
    clock.now += timedelta(minutes=1)
    assert (await ada.post("/account/tokens", form=TOKEN_FORM)).status_code == 201


async def test_an_invalid_token_form_has_errors_beside_its_fields(ada: Browser, db: Database) -> None:
    for field, value, sentence in [
        ("name", "", "Give it a name"),
        ("name", "x" * 51, "Use at most 50 characters."),
        ("scope", "everything", "Choose its permissions."),
        ("expires_at", "soon", "Enter a date like 2026-12-31."),
        ("expires_at", "2026-08-31", "Choose a date between today and Sep 2, 2027."),
        ("expires_at", "2027-09-03", "Choose a date between today and Sep 2, 2027."),
        ("password", "", "Enter your password."),
        ("password", "not the password", "Incorrect password. Try again."),
    ]:
        response = await ada.post("/account/tokens", form=TOKEN_FORM | {field: value})
        assert response.status_code == 422
        assert sentence in await text(response)
    assert await db.token.count_documents({}) == 0


async def test_wrong_passwords_in_the_token_form_count_toward_the_sign_in_limit(ada: Browser, db: Database) -> None:
    wrong = TOKEN_FORM | {"password": "not the password"}
    assert {(await ada.post("/account/tokens", form=wrong)).status_code for _ in range(10)} == {422}
    response = await ada.post("/account/tokens", form=TOKEN_FORM)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert "Wait a minute" in await text(response)
    assert await db.token.count_documents({}) == 0


async def test_a_sign_in_that_has_ended_cannot_create_a_token(ada: Browser, db: Database) -> None:
    ended = await db.login.find_one_and_delete({"user_id": ADA.user_id})
    assert ended is not None
    with pytest.raises(SignInEnded):
        await tokens.create(db, ADA.user_id, **TOKEN_FIELDS, login=ended["_id"])
    assert await db.token.count_documents({}) == 0


async def test_a_user_has_at_most_twenty_tokens(ada: Browser, db: Database) -> None:
    for number in range(tokens.MAX_TOKENS_PER_USER):
        await token(db, ADA, name=f"number {number}")
    response = await ada.post("/account/tokens", form=TOKEN_FORM)
    assert (response.status_code, await db.token.count_documents({})) == (422, tokens.MAX_TOKENS_PER_USER)


async def test_a_token_expires_to_the_second(app: Quart, db: Database, clock: Clock) -> None:
    end = FALL_MORNING + timedelta(hours=1)
    api_client = Program(app, f"Bearer {await token(db, ADA, expires_at=end)}")
    clock.now = end - timedelta(seconds=1)
    assert await _status_and_code(api_client) == (200, "")
    clock.now = end
    assert await _status_and_code(api_client) == (401, "wrong_token")


async def test_a_tokens_last_use_is_stored_once_an_hour(app: Quart, db: Database, clock: Clock) -> None:
    api_client = await program(app, db, ADA)
    minutes_stored = []
    for minutes in (0, 59, 60):
        clock.now = FALL_MORNING + timedelta(minutes=minutes)
        await api_client.get(ME_PATH)
        row = await db.token.find_one({})
        assert row is not None
        minutes_stored.append((row["last_used_at"] - FALL_MORNING) // timedelta(minutes=1))
    assert minutes_stored == [0, 0, 60]


async def test_a_read_only_token_changes_nothing(app: Quart, db: Database) -> None:
    read_only_client = await program(app, db, ADA, scope=Scope.READ)
    assert await _status_and_code(read_only_client) == (200, "")
    for method, path in (
        ("POST", ENROLLMENTS),
        ("DELETE", f"{ENROLLMENTS}?courseID=1111"),
        ("POST", "/api/v1/me/swaps"),
    ):
        assert await _status_and_code(read_only_client, path, method) == (403, "read_only_token")
    assert await db.enrollment.count_documents({}) == 0


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Bearer qe_nothing", "Bearer x", "Digest x", "x", "", "Basic =", "Bearer \xe9"],
)
async def test_an_invalid_token_is_refused_with_a_www_authenticate_header(app: Quart, authorization: str) -> None:
    response = await Program(app, authorization).send("GET", ME_PATH)
    assert (response.status_code, (await response.get_json())["code"]) == (401, "wrong_token")
    assert response.headers["WWW-Authenticate"] == (
        'Bearer realm="Quart Enroll", Basic realm="Quart Enroll", charset="UTF-8"'
    )


async def test_browsers_are_not_prompted_for_basic_authentication(anyone: Browser) -> None:
    response = await anyone.get(ME_PATH)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="Quart Enroll"'


async def test_a_token_takes_precedence_over_a_cookie(ada: Browser, db: Database) -> None:
    bob_headers = {"Authorization": f"Bearer {await token(db, BOB)}"}
    assert (await (await ada.get(ME_PATH, headers=bob_headers)).get_json())["user_id"] == BOB.user_id
    response = await ada.client.post(ENROLLMENTS, json=PYT, headers=bob_headers | {"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 201
    assert await db.enrollment.find_one({"user_id": BOB.user_id})
    for wrong in ("Bearer qe_wrong", "", "Basic x"):
        response = await ada.post(ENROLLMENTS, json=PYT, headers={"Authorization": wrong})
        assert response.status_code == 401
    assert await db.enrollment.count_documents({"user_id": ADA.user_id}) == 0


async def test_a_token_gives_no_access_to_pages(app: Quart, db: Database) -> None:
    api_client = await program(app, db, ADA)
    for path in ("/enrollment", "/account/tokens"):
        assert (await api_client.send("GET", path)).status_code == 303
    response = await api_client.client.post("/enrollment", form=PYT, headers=api_client.headers)
    assert response.status_code == 400


async def test_a_signed_in_browser_can_change_data_only_from_the_same_origin(ada: Browser, db: Database) -> None:
    assert (await ada.get(ME_PATH)).status_code == 200
    assert (await ada.client.post(ENROLLMENTS, json=PYT)).status_code == 400
    for same_origin_headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}):
        response = await ada.client.post(ENROLLMENTS, json=PYT, headers=same_origin_headers)
        assert response.status_code in (200, 201)
    assert await db.enrollment.count_documents({}) == 1


async def test_basic_authentication_with_email_and_password_works(app: Quart, db: Database) -> None:
    api_client = Program(app, basic("ADA@school.example", PASSWORD))
    assert (await api_client.get(ME_PATH))["user_id"] == ADA.user_id
    assert (await api_client.post(ENROLLMENTS, PYT))[0] == 201
    for email, password in ((ADA.email, "wrong horse"), ("nobody@school.example", PASSWORD), ("", "")):
        assert await _status_and_code(Program(app, basic(email, password))) == (401, "wrong_credentials")


async def test_basic_authentication_from_another_site_is_refused(app: Quart, db: Database) -> None:
    api_client = Program(app, basic(ADA.email, PASSWORD))
    for cross_site_headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert await _status_and_code(api_client, ENROLLMENTS, "POST", **cross_site_headers) == (400, "bad_request")
    assert await db.enrollment.count_documents({}) == 0
    assert (await api_client.post(ENROLLMENTS, PYT, Sec_Fetch_Site="same-origin"))[0] == 201


async def test_api_password_checks_leave_hashing_threads_for_people(app: Quart, anyone: Browser) -> None:
    slots = app.extensions[EXTENSION].api_password_slots
    for _ in range(API_PASSWORD_CHECKS):
        await slots.acquire()
    response = await Program(app, basic(ADA.email, PASSWORD)).send("GET", ME_PATH)
    assert (response.status_code, (await response.get_json())["code"]) == (503, "busy")
    assert response.headers["Retry-After"] == "5"
    assert (await anyone.sign_in(ADA)).status_code == 303


async def test_production_accepts_api_passwords_only_over_https(db: Database, mongod: str, clock: Clock) -> None:
    app = create_app(config(mongo_uri=mongod, app_env="production"), clock=clock)
    async with app.test_app():
        api_client = Program(app, basic(ADA.email, PASSWORD))
        assert await _status_and_code(api_client) == (403, "password_over_http")
        response = await api_client.client.get(ME_PATH, headers=api_client.headers, scheme="https")
        assert response.status_code == 200


async def test_a_new_password_revokes_tokens_but_signing_out_everywhere_does_not(
    ada: Browser, app: Quart, db: Database
) -> None:
    api_client = await program(app, db, ADA)
    await ada.post("/account/sign-out")
    assert await _status_and_code(api_client) == (200, "")
    await ada.sign_in(ADA)
    new_password = "quiet purple tractor"
    form = {"current_password": PASSWORD, "password": new_password, "password_confirm": new_password}
    assert (await ada.post("/account/password", form=form)).status_code == 303
    assert await _status_and_code(api_client) == (401, "wrong_token")


async def test_an_api_client_has_as_many_guesses_as_a_person(app: Quart, db: Database) -> None:
    guessing_client = Program(app, basic(ADA.email, "not the password"))
    assert [await _status_and_code(guessing_client) for _ in range(10)] == [(401, "wrong_credentials")] * 10
    response = await Program(app, basic(ADA.email, PASSWORD)).send("GET", ME_PATH)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert (await response.get_json())["code"] == "please_wait"
