"""Sign-ins: each has its own identity, expires, and can be listed and ended by its user."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import logins, users
from quart_enroll.domain.errors import WrongCredentials
from quart_enroll.domain.models import Credentials
from quart_enroll.services.accounts import accounts, sessions, user_agent
from quart_enroll.services.accounts.sessions import REMEMBERED_LIFETIME
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from tests.support.people import ADA, BOB, PASSWORD, PASSWORD_HASH, Browser, Clock, config, text

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"
IDLE_TIMEOUT, MAX_AGE = timedelta(hours=3), timedelta(hours=10)


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site of a school in Berlin that has configured how long sign-ins last."""
    app = create_app(
        config(mongo_uri=mongod, session_idle=3.0, session_age=10.0, timezone="Europe/Berlin"), clock=clock
    )
    async with app.test_app():
        yield app


def copy_cookies(browser: Browser, app: Quart) -> Browser:
    """Return a browser with the same cookies, like that of a thief."""
    thief = Browser(app.test_client())
    for cookie in browser.client.cookie_jar:  # copying the jar itself would share its cookies
        thief.client.cookie_jar.set_cookie(cookie)
    return thief


async def is_signed_in(browser: Browser) -> bool:
    return (await browser.get("/enrollment")).status_code == 200


async def find_keys(db: Database) -> list[str]:
    return [row["_id"] async for row in db.login.find()]


def cookie_value(browser: Browser, name: str) -> str:
    return next(cookie.value or "" for cookie in browser.client.cookie_jar if cookie.name == name)  # type: ignore[union-attr]


async def test_a_stored_sign_in_cannot_be_used_as_a_cookie(ada: Browser, db: Database) -> None:
    [key] = await find_keys(db)
    identity = cookie_value(ada, "QUART_AUTH").split(".")[0]
    assert len(key) == 64
    assert key not in identity
    assert await sessions.resume(db, UserCache(db), key, sessions.SignInLifetimes(), Clock().now) is None


async def test_a_copied_cookie_stops_working_after_signing_out(ada: Browser, app: Quart) -> None:
    thief = copy_cookies(ada, app)
    assert await is_signed_in(thief)
    await ada.post("/logout")
    assert not await is_signed_in(thief)


async def test_a_copied_cookie_stops_working_after_a_password_change(ada: Browser, app: Quart) -> None:
    thief = copy_cookies(ada, app)
    new_password = "quiet purple tractor"
    form = {"current_password": PASSWORD, "password": new_password, "password_confirm": new_password}
    assert (await ada.post("/account/password", form=form)).location == "/account"
    assert await is_signed_in(ada)
    assert not await is_signed_in(thief)


async def test_a_remembered_sign_in_stays_remembered_after_a_password_change(anyone: Browser, clock: Clock) -> None:
    await anyone.sign_in(ADA, remember_me="y")
    new_password = "quiet purple tractor"
    form = {"current_password": PASSWORD, "password": new_password, "password_confirm": new_password}
    await anyone.post("/account/password", form=form)
    clock.now += REMEMBERED_LIFETIME - timedelta(seconds=1)
    assert await is_signed_in(anyone)


async def test_an_unused_sign_in_ends_after_the_idle_time(ada: Browser, clock: Clock) -> None:
    clock.now += IDLE_TIMEOUT
    assert not await is_signed_in(ada)


async def test_a_sign_in_in_use_ends_at_its_maximum_age(ada: Browser, clock: Clock) -> None:
    for _ in range(4):
        clock.now += timedelta(hours=2)
        assert await is_signed_in(ada)
    clock.now += MAX_AGE - timedelta(hours=8, seconds=1)
    assert await is_signed_in(ada)
    clock.now += timedelta(seconds=1)
    assert not await is_signed_in(ada)


async def test_a_remembered_sign_in_ends_after_30_days_and_not_before(anyone: Browser, clock: Clock) -> None:
    await anyone.sign_in(ADA, remember_me="y")
    clock.now += REMEMBERED_LIFETIME - timedelta(seconds=1)
    assert await is_signed_in(anyone)
    clock.now += timedelta(seconds=1)
    assert not await is_signed_in(anyone)


async def test_the_last_use_of_a_sign_in_is_stored_only_occasionally(ada: Browser, db: Database, clock: Clock) -> None:
    start, stored = clock.now, []
    for minutes in (9, 10, 15):
        clock.now = start + timedelta(minutes=minutes)
        await ada.get("/")
        [login] = await db.login.find().to_list(None)
        stored.append(login["last_used_at"] - start)
    assert stored == [timedelta(0), timedelta(minutes=10), timedelta(minutes=10)]


async def test_a_late_request_does_not_revive_an_ended_sign_in(ada: Browser, db: Database) -> None:
    [key] = await find_keys(db)
    found = await logins.find(db, key, Clock().now)
    assert found is not None
    await ada.post("/logout")
    await logins.record_use(db, found.login, Clock().now, Clock().now + MAX_AGE)
    assert await find_keys(db) == []


async def test_each_sign_in_has_its_own_identity(app: Quart, db: Database) -> None:
    for _ in range(2):
        await Browser(app.test_client()).sign_in(ADA)
    assert len(set(await find_keys(db))) == 2


@pytest.mark.parametrize("user", [ADA, BOB])
async def test_signing_in_again_ends_the_previous_sign_in(ada: Browser, app: Quart, db: Database, user: object) -> None:
    thief = copy_cookies(ada, app)
    before = cookie_value(ada, "QUART_AUTH")
    assert (await ada.post("/login", form={"email": user.email, "password": PASSWORD})).status_code == 303  # type: ignore[attr-defined]
    assert cookie_value(ada, "QUART_AUTH") != before
    assert await is_signed_in(ada)
    assert not await is_signed_in(thief)
    assert len(await find_keys(db)) == 1


async def test_a_failed_sign_in_keeps_the_current_one(ada: Browser) -> None:
    assert (await ada.sign_in(BOB, password="not the password")).status_code == 422
    assert "Your schedule" in await ada.read("/")


async def test_signing_in_and_out_renews_the_session(anyone: Browser) -> None:
    page = await anyone.read("/login")
    token = page.split('name="csrf_token" type="hidden" value="')[1].split('"')[0]
    await anyone.sign_in(ADA)
    cross_site_request = {"headers": {"Sec-Fetch-Site": "cross-site"}, "form": {"csrf_token": token}}
    assert (await anyone.post("/account/sign-out", **cross_site_request)).status_code == 400
    assert await is_signed_in(anyone)


async def test_after_signing_in_the_last_sign_in_is_shown_in_the_schools_timezone(app: Quart, clock: Clock) -> None:
    first, second = Browser(app.test_client()), Browser(app.test_client())
    await first.sign_in(ADA)
    assert "last sign-in" not in await first.read("/")
    clock.now += timedelta(days=1)
    await second.sign_in(ADA)
    message = "Your last sign-in was on Tuesday, September 1, 2026, 11:00 AM (Europe/Berlin)."
    assert message in await second.read("/")


async def test_the_account_page_lists_all_sign_ins(ada: Browser, app: Quart, bob: Browser, clock: Clock) -> None:
    other_browser = app.test_client()
    clock.now += timedelta(hours=1)
    await other_browser.post(
        "/login",
        form={"email": ADA.email, "password": PASSWORD, "remember_me": "y"},
        headers={"User-Agent": FIREFOX, "Sec-Fetch-Site": "same-origin"},
        scope_base={"client": ("198.51.100.7", 4321)},
    )
    page = " ".join((await ada.read("/account")).split())
    assert page.count('name="login"') == 2
    assert page.count("This browser") == 1
    assert "Firefox on Windows" in page
    assert (
        "Signed in on Tuesday, September 1, 2026, 12:00 PM (Europe/Berlin) from 198.51.100.7. Stays signed in." in page
    )
    assert "Signed in on Tuesday, September 1, 2026, 11:00" in page
    assert page.index("This browser") < page.index("Firefox on Windows")


async def test_a_user_can_end_one_sign_in(ada: Browser, app: Quart, db: Database) -> None:
    [this_sign_in] = await find_keys(db)
    other_browser = Browser(app.test_client())
    await other_browser.sign_in(ADA)
    [other_sign_in] = set(await find_keys(db)) - {this_sign_in}
    assert (await ada.post("/account/end", form={"login": other_sign_in})).location == "/account"
    assert "That browser has been signed out." in await ada.read("/account")
    assert not await is_signed_in(other_browser)
    assert await is_signed_in(ada)


async def test_ending_this_browsers_sign_in_signs_out(ada: Browser, db: Database) -> None:
    [this_sign_in] = await find_keys(db)
    assert (await ada.post("/account/end", form={"login": this_sign_in})).location == "/"
    assert not await is_signed_in(ada)


@pytest.mark.parametrize("key", ["", "nonsense", token_digest("nobody")])
async def test_ending_an_unknown_sign_in_is_harmless(ada: Browser, key: str) -> None:
    assert (await ada.post("/account/end", form={"login": key})).status_code == 303
    assert await is_signed_in(ada)


async def test_a_user_cannot_end_another_users_sign_in(ada: Browser, bob: Browser, db: Database) -> None:
    other_sign_in = await db.login.find_one({"user_id": BOB.user_id})
    assert other_sign_in is not None
    await ada.post("/account/end", form={"login": other_sign_in["_id"]})
    assert await is_signed_in(bob)
    assert other_sign_in["_id"] not in await ada.read("/account")


async def test_signing_out_everywhere_ends_every_sign_in_of_one_student(ada: Browser, app: Quart, bob: Browser) -> None:
    other_browser = Browser(app.test_client())
    await other_browser.sign_in(ADA, remember_me="y")
    assert (await ada.post("/account/sign-out")).location == "/"
    assert "You’re signed out everywhere." in await ada.read("/")
    assert [await is_signed_in(browser) for browser in (ada, other_browser, bob)] == [False, False, True]


async def test_beyond_the_limit_a_new_sign_in_ends_the_least_recently_used(
    app: Quart, ada: Browser, bob: Browser, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SIGN_INS", 2)
    second, third = Browser(app.test_client()), Browser(app.test_client())
    clock.now += timedelta(minutes=10)
    await second.sign_in(ADA)
    clock.now += timedelta(minutes=10)
    await ada.get("/account")  # so that the second one is the least recently used
    clock.now += timedelta(minutes=10)
    await third.sign_in(ADA)
    assert [await is_signed_in(one) for one in (ada, second, third, bob)] == [True, False, True, True]


async def test_signing_in_to_a_just_deleted_account_leaves_nothing_behind(anyone: Browser, db: Database) -> None:
    await db.user.delete_one({"user_id": ADA.user_id})
    with pytest.raises(WrongCredentials):
        await sessions.sign_in(
            db, Credentials(ADA, PASSWORD_HASH), sessions.SignInLifetimes(), Clock().now, remember=True
        )
    assert await find_keys(db) == []


async def test_signing_in_with_a_just_changed_password_leaves_nothing_behind(anyone: Browser, db: Database) -> None:
    found = await users.find_credentials(db, ADA.email)
    assert found is not None
    assert await accounts.replace_password(db, found, PASSWORD_HASH, Clock().now)
    with pytest.raises(WrongCredentials):
        await sessions.sign_in(db, found, sessions.SignInLifetimes(), Clock().now, remember=True)
    assert await find_keys(db) == []


async def test_rehashing_a_password_ends_no_sign_in(anyone: Browser, db: Database) -> None:
    found = await users.find_credentials(db, ADA.email)
    assert found is not None
    await users.replace_hash(db, found, "the new hash")
    await sessions.sign_in(db, found, sessions.SignInLifetimes(), Clock().now, remember=True)
    assert len(await find_keys(db)) == 1


async def test_sign_ins_of_an_earlier_version_end(anyone: Browser, db: Database, clock: Clock) -> None:
    old = {
        "_id": "x" * 43,
        "user_id": 1,
        "created_at": clock.now,
        "expires_at": clock.now + MAX_AGE,
        "remembered": False,
    }
    await db.login.insert_one(old)
    assert await logins.find_by_user(db, ADA.user_id, clock.now) == []
    report = await upgrade(db, clock.now, UpgradeDefaults())
    assert "login: 1 sign-in of an earlier version ended" in report.changes
    assert await find_keys(db) == []


@pytest.mark.parametrize(
    ("header", "description"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/129.0.0.0 Safari/537.36 Edg/129.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari on iPhone"),
        ("curl/8.0", ""),
        ("", ""),
        ("(" * 100_000, ""),
    ],
)
def test_a_browser_is_described_in_words(header: str, description: str) -> None:
    assert user_agent.describe(header) == description


async def test_an_unusual_browser_can_sign_in(app: Quart) -> None:
    strange = {"User-Agent": "<b>Firefox</b> " * 500, "Sec-Fetch-Site": "same-origin"}
    client = app.test_client()
    response = await client.post("/login", form={"email": ADA.email, "password": PASSWORD}, headers=strange)
    assert response.status_code == 303
    assert "<b>" not in await text(await client.get("/account"))
