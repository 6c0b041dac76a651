"""Clients that make too many attempts must wait, but the owner of the account need not."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.domain.errors import PleaseWait, WrongCredentials
from quart_enroll.domain.models import RateLimit
from quart_enroll.services.accounts import attempt_limits
from quart_enroll.services.accounts.attempt_limits import AttemptSource, PasswordLocks, account_digest, network_digest
from quart_enroll.services.accounts.hashing import Hasher, HashingNotStarted
from tests.support.people import ADA, BOB, FALL_MORNING, PASSWORD, Browser, Clock, config, registration, text

WAIT_MESSAGE = "Too many attempts. Wait"
UNKNOWN_BROWSER = AttemptSource(account_digest("key", ADA.email), network_digest("key", "192.0.2.1"))
LOCKS = PasswordLocks()


@pytest.fixture
def verified_passwords(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that have been verified so far."""
    passwords: list[str] = []
    verify = Hasher.verify

    async def record(self: Hasher, password: str, stored: str) -> bool:
        passwords.append(password)
        return await verify(self, password, stored)

    monkeypatch.setattr(Hasher, "verify", record)
    return passwords


@pytest.fixture
async def ada(app: Quart) -> Browser:
    """A browser that is known to ada's account: she has entered her password in it."""
    browser = Browser(app.test_client())
    assert (await browser.sign_in(ADA)).status_code == 303
    return browser


@pytest.fixture
def unknown_browser(app: Quart) -> Browser:
    return Browser(app.test_client())


async def _guess(browser: Browser, times: int, email: str = ADA.email) -> list[int]:
    form = {"email": email, "password": "not the password"}
    return [(await browser.post("/login", form=form)).status_code for _ in range(times)]


async def _submit_wrong_password(db: Database, attempt: AttemptSource) -> None:
    with pytest.raises(WrongCredentials):
        async with attempt_limits.password_attempt(db, LOCKS, attempt, FALL_MORNING):
            raise WrongCredentials


async def test_after_ten_wrong_passwords_the_page_asks_to_wait(
    unknown_browser: Browser, verified_passwords: list[str]
) -> None:
    assert await _guess(unknown_browser, 10) == [422] * 10
    response = await unknown_browser.sign_in(ADA)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    page = await text(response)
    assert f"{WAIT_MESSAGE} a minute, then try again." in page
    assert f'value="{ADA.email}"' in page
    assert PASSWORD not in verified_passwords


async def test_after_the_wait_the_right_password_works(unknown_browser: Browser, clock: Clock) -> None:
    await _guess(unknown_browser, 10)
    clock.now += timedelta(seconds=59)
    assert (await unknown_browser.sign_in(ADA)).headers["Retry-After"] == "1"
    clock.now += timedelta(seconds=1)
    assert (await unknown_browser.sign_in(ADA)).status_code == 303


async def test_the_wait_doubles_up_to_a_quarter_of_an_hour(unknown_browser: Browser, clock: Clock) -> None:
    await _guess(unknown_browser, 10)
    waits = []
    for _ in range(7):
        waits.append(int((await unknown_browser.sign_in(BOB, email=ADA.email)).headers["Retry-After"]) // 60)
        clock.now += timedelta(minutes=waits[-1])
        assert await _guess(unknown_browser, 1) == [422]
    assert waits == [1, 2, 4, 8, 15, 15, 15]


async def test_wrong_passwords_are_forgotten_after_a_day(unknown_browser: Browser, clock: Clock, db: Database) -> None:
    await _guess(unknown_browser, 10)
    [counter] = await db.attempt.find({"_id": {"$not": {"$regex": "from"}}}).to_list(None)
    assert counter["expires_at"] - clock.now == timedelta(hours=20)
    clock.now += timedelta(hours=20)
    assert await _guess(unknown_browser, 10) == [422] * 10


async def test_the_wait_does_not_reveal_whether_an_account_exists(app: Quart, clock: Clock) -> None:
    results = []
    for email in (ADA.email, "nobody@school.example"):
        browser = Browser(app.test_client())
        responses = [
            await browser.post("/login", form={"email": email, "password": "not it, sorry"}) for _ in range(12)
        ]
        pages = [
            re.sub(r'value="[^"]+"', "", await text(response)) for response in responses
        ]  # the CSRF token and the email
        waits = [(response.status_code, response.headers.get("Retry-After")) for response in responses]
        results.append(list(zip(waits, pages, strict=True)))
    assert results[0] == results[1]
    assert results[0][11][0] == (429, "60")


async def test_an_api_client_gets_the_refusal_as_json(unknown_browser: Browser) -> None:
    await _guess(unknown_browser, 10)
    form = {"email": ADA.email, "password": PASSWORD}
    response = await unknown_browser.post("/login", form=form, headers={"Accept": "application/json"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert (await response.get_json())["error"] == "please_wait"


async def test_guesses_elsewhere_do_not_lock_the_owner_out_of_a_known_browser(
    ada: Browser, unknown_browser: Browser
) -> None:
    await ada.post("/logout")
    assert (await _guess(unknown_browser, 12))[-1] == 429
    assert (await ada.sign_in(ADA)).status_code == 303


async def test_a_known_browser_has_its_own_ten_tries(ada: Browser, unknown_browser: Browser) -> None:
    await ada.post("/logout")
    assert await _guess(ada, 11) == [422] * 10 + [429]
    assert (await unknown_browser.sign_in(ADA)).status_code == 303


async def test_all_known_browsers_together_have_fifty_tries(app: Quart, ada: Browser, unknown_browser: Browser) -> None:
    browsers = [ada, *(Browser(app.test_client()) for _ in range(6))]
    for browser in browsers:
        await browser.sign_in(ADA)
        await browser.post("/logout")
    statuses = [status for browser in browsers for status in await _guess(browser, 9)]
    assert statuses == [422] * 50 + [429] * 13
    assert (await unknown_browser.sign_in(ADA)).status_code == 303


async def test_a_browser_is_known_only_to_accounts_that_have_signed_in_there(
    ada: Browser, unknown_browser: Browser
) -> None:
    await ada.post("/logout")
    await _guess(unknown_browser, 10, BOB.email)
    assert (await ada.sign_in(BOB)).status_code == 429


async def test_a_shared_browser_is_known_to_each_of_its_users(ada: Browser, unknown_browser: Browser) -> None:
    await ada.post("/logout")
    await ada.sign_in(BOB)
    await ada.post("/logout")
    await _guess(unknown_browser, 10)
    assert (await ada.sign_in(ADA)).status_code == 303


@pytest.mark.parametrize("forged", ["nonsense", "eyJhIjoiYiJ9.aaaa.bbbb", "W10.aaaa.bbbb", ""])
async def test_a_forged_cookie_does_not_make_a_browser_known(unknown_browser: Browser, forged: str) -> None:
    await _guess(unknown_browser, 10)
    unknown_browser.client.set_cookie("localhost", "known", forged)
    assert (await unknown_browser.sign_in(ADA)).status_code == 429


async def test_the_known_browser_cookie_is_http_only_and_survives_signing_out(anyone: Browser) -> None:
    cookies = (await anyone.sign_in(ADA)).headers.getlist("Set-Cookie")
    [known] = [cookie for cookie in cookies if cookie.startswith("known=")]
    assert "; HttpOnly" in known
    assert "; Max-Age=31536000" in known
    assert ADA.email not in known
    assert "known=" not in str((await anyone.post("/logout")).headers)


async def test_only_ten_of_50_simultaneous_guesses_are_verified(app: Quart, verified_passwords: list[str]) -> None:
    results = await asyncio.gather(*(_guess(Browser(app.test_client()), 1) for _ in range(50)))
    assert len(verified_passwords) == 10
    assert sorted(results) == [[422]] * 10 + [[429]] * 40


async def test_all_processes_share_the_counters(unknown_browser: Browser, mongod: str, clock: Clock) -> None:
    await _guess(unknown_browser, 10)
    other_app = create_app(config(mongo_uri=mongod), clock=clock)
    async with other_app.test_app():
        assert (await Browser(other_app.test_client()).sign_in(ADA)).status_code == 429


async def test_a_guess_counts_even_if_its_client_disconnects(db: Database) -> None:
    async def start_attempt() -> None:
        async with attempt_limits.password_attempt(db, LOCKS, UNKNOWN_BROWSER, FALL_MORNING):
            started.set()
            await asyncio.Event().wait()

    for _ in range(10):
        started = asyncio.Event()
        task = asyncio.create_task(start_attempt())
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
    with pytest.raises(PleaseWait):
        async with attempt_limits.password_attempt(db, LOCKS, UNKNOWN_BROWSER, FALL_MORNING):
            pass


async def test_a_client_that_disconnects_before_hashing_uses_no_guess(db: Database) -> None:
    with pytest.raises(HashingNotStarted):
        async with attempt_limits.password_attempt(db, LOCKS, UNKNOWN_BROWSER, FALL_MORNING):
            raise HashingNotStarted
    assert await db.attempt.count_documents({}) == 0


async def test_500_correct_passwords_from_one_ip_succeed_and_are_not_counted(db: Database) -> None:
    async def sign_in(number: int) -> None:
        async with attempt_limits.password_attempt(
            db, LOCKS, replace(UNKNOWN_BROWSER, account=f"student {number}"), FALL_MORNING
        ):
            pass

    await asyncio.gather(*(sign_in(number) for number in range(500)))
    assert await db.attempt.count_documents({}) == 0


async def test_simultaneous_registrations_do_not_wait_for_later_ones(db: Database) -> None:
    later = FALL_MORNING + timedelta(milliseconds=5)
    for now in (later, FALL_MORNING):  # in the order in which they reach the database
        await attempt_limits.count_registration(db, AttemptSource("somebody", "a campus"), now)


async def test_guesses_at_many_accounts_are_limited_by_ip(db: Database) -> None:
    for number in range(100):
        await _submit_wrong_password(db, replace(UNKNOWN_BROWSER, account=f"student {number}"))
    new_account = replace(UNKNOWN_BROWSER, account="student 100")
    with pytest.raises(PleaseWait):
        async with attempt_limits.password_attempt(db, LOCKS, new_account, FALL_MORNING):
            pass
    async with attempt_limits.password_attempt(db, LOCKS, replace(new_account, network="another"), FALL_MORNING):
        pass
    async with attempt_limits.password_attempt(db, LOCKS, replace(new_account, browser="known"), FALL_MORNING):
        pass
    async with attempt_limits.password_attempt(db, LOCKS, new_account, FALL_MORNING + timedelta(minutes=1)):
        pass


async def test_the_visitors_real_ip_counts_and_not_a_forged_one(app: Quart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_limits, "WRONG_PASSWORDS_PER_NETWORK", RateLimit(limit=1, fades_in=timedelta(hours=1)))

    async def guess(email: str, forwarded: str) -> int:
        form, headers = {"email": email, "password": "not the password"}, {"X-Forwarded-For": forwarded}
        return (await Browser(app.test_client()).post("/login", form=form, headers=headers)).status_code

    assert await guess(ADA.email, "6.6.6.1, 192.0.2.1") == 422
    assert await guess(BOB.email, "6.6.6.2, 192.0.2.1") == 429
    assert await guess(BOB.email, "192.0.2.2") == 422


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("<local>", "<local>", True),
    ],
)
def test_an_ipv6_64_network_counts_as_one_ip(one: str, other: str, same: bool) -> None:
    assert (network_digest("key", one) == network_digest("key", other)) == same


@pytest.mark.parametrize("spelling", ["ADA@school.example", "ａda@school.example", "Ada@SCHOOL.example"])
async def test_other_spellings_of_an_email_count_toward_the_same_account(
    unknown_browser: Browser, spelling: str
) -> None:
    await _guess(unknown_browser, 5, spelling)
    assert (await _guess(unknown_browser, 6))[-1] == 429


@pytest.mark.parametrize("spelling", ["a\u0488da@school.example", "a\u0591da@school.example"])
async def test_a_spelling_with_its_own_counter_cannot_sign_in(unknown_browser: Browser, spelling: str) -> None:
    """The collation treats them as the same email, and there are too many such spellings to enumerate."""
    assert (await unknown_browser.post("/login", form={"email": spelling, "password": PASSWORD})).status_code == 422
    assert (await unknown_browser.post("/register", form=registration(spelling))).status_code == 422


async def test_registering_with_an_email_in_use_counts_as_a_guess(unknown_browser: Browser) -> None:
    form = registration(ADA.email, password="not the one", password_confirm="not the one")
    for _ in range(10):
        assert (await unknown_browser.post("/register", form=form)).status_code == 422
    response = await unknown_browser.post("/register", form=registration(ADA.email))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert f"{WAIT_MESSAGE} a minute" in await text(response)
    assert (await unknown_browser.sign_in(ADA)).status_code == 429


async def test_one_ip_may_register_300_accounts_in_an_hour(db: Database, unknown_browser: Browser) -> None:
    for _ in range(300):
        await attempt_limits.count_registration(db, UNKNOWN_BROWSER, FALL_MORNING)
    with pytest.raises(PleaseWait):
        await attempt_limits.count_registration(db, UNKNOWN_BROWSER, FALL_MORNING)
    await attempt_limits.count_registration(db, replace(UNKNOWN_BROWSER, network="another"), FALL_MORNING)


async def test_beyond_the_registration_limit_the_form_says_so_and_keeps_its_fields(
    unknown_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_limits, "REGISTRATIONS_PER_NETWORK", RateLimit(limit=1, fades_in=timedelta(hours=1)))
    assert (await unknown_browser.post("/register", form=registration())).status_code == 303
    await unknown_browser.post("/logout")
    response = await unknown_browser.post("/register", form=registration("yan@school.example"))
    page = await text(response)
    assert response.status_code == 429
    assert WAIT_MESSAGE in page
    assert 'value="yan@school.example"' in page


async def test_five_reset_links_may_be_requested_in_an_hour(db: Database) -> None:
    for _ in range(5):
        await attempt_limits.count_reset_request(db, UNKNOWN_BROWSER, FALL_MORNING)
    with pytest.raises(PleaseWait):
        await attempt_limits.count_reset_request(db, UNKNOWN_BROWSER, FALL_MORNING)
    await attempt_limits.count_reset_request(db, replace(UNKNOWN_BROWSER, account="another"), FALL_MORNING)
    await attempt_limits.count_reset_request(db, UNKNOWN_BROWSER, FALL_MORNING + timedelta(hours=1))


async def test_ten_password_changes_in_a_row_are_allowed_and_wrong_passwords_do_not_count(ada: Browser) -> None:
    passwords = [PASSWORD, *(f"a newer horse battery {number}" for number in range(11))]
    wrong = {"current_password": "not the password", "password": "some other horse"}
    wrong["password_confirm"] = wrong["password"]
    statuses: list[int] = []
    for old, new in pairwise(passwords):
        if len(statuses) < 5:
            assert (await ada.post("/account/password", form=wrong)).status_code == 422
        form = {"current_password": old, "password": new, "password_confirm": new}
        statuses.append((await ada.post("/account/password", form=form)).status_code)
    assert statuses == [303] * 10 + [429]


async def test_neither_the_database_nor_the_log_names_a_guessed_account(
    unknown_browser: Browser, db: Database, log: pytest.LogCaptureFixture
) -> None:
    await _guess(unknown_browser, 11)
    stored = str(await db.attempt.find().to_list(None))
    assert "password" in stored
    assert not any(word in stored for word in ("ada", "school.example", "local"))
    assert "method=POST path=/login status=429" in log.text
    assert "code=please_wait" in log.text
    assert "ada@" not in log.text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/password", {"password": "quiet purple tractor", "password_confirm": "quiet purple tractor"}),
        ("/account/delete", {}),
    ],
)
async def test_signed_in_users_have_no_additional_guesses(
    ada: Browser, verified_passwords: list[str], path: str, form: dict[str, str]
) -> None:
    field = "current_password" if form else "password"
    for _ in range(10):
        await ada.post(path, form=form | {field: "not the password"})
    response = await ada.post(path, form=form | {field: PASSWORD})
    assert response.status_code == 429
    assert f"{WAIT_MESSAGE} a minute, then try again." in await text(response)
    assert PASSWORD not in verified_passwords


async def test_a_sixth_reset_link_within_an_hour_must_wait(anyone: Browser, db: Database) -> None:
    for email in (ADA.email, "nobody@school.example"):
        responses = [await anyone.post("/password/forgot", form={"email": email}) for _ in range(6)]
        assert [response.status_code for response in responses] == [303] * 5 + [429]
        assert WAIT_MESSAGE in await text(responses[-1])
