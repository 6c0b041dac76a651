"""Two processes cache sign-ins and students' enrollments, and a change in one invalidates the other's cache."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db import change_streams
from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, logins, waitlist
from quart_enroll.db.queries import student_facts
from quart_enroll.services.live import user_cache
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.state import EXTENSION
from tests.integration.auth.test_sessions import copy_cookies, is_signed_in
from tests.support.people import ADA, BOB, PASSWORD, RITA, Browser, Clock, config

TIMEOUT_SECONDS = 20
"""How long a change event may take on a busy machine."""

QUERIES = [
    *((logins, "find_many"), (student_facts, "find"), (student_facts, "find_many")),
    *((enrollments, "to_registrations"), (waitlist, "find_positions")),
]
"""The queries for a student's page."""

NEW_PASSWORD = "quiet purple tractor"


@contextmanager
def framework_only(app: Quart) -> Iterator[None]:
    """Let the framework handle every request during the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "page_views", None)
        patch.setattr(app, "button_posts", None)
        yield


@asynccontextmanager
async def open_process(mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """Yield the site as another process would run it, once it follows changes."""
    app = create_app(config(mongo_uri=mongod), clock=clock)
    app.config["TEMPLATES_AUTO_RELOAD"] = False  # so that whole pages are cached
    async with app.test_app():
        await wait_until(user_cache_of(app).is_current)
        yield app


@pytest.fixture
async def this_process(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    async with open_process(mongod, clock) as app:
        yield app


@pytest.fixture
async def other_process(this_process: Quart, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    async with open_process(mongod, clock) as app:
        yield app


@pytest.fixture
async def ada(this_process: Quart) -> Browser:
    browser = Browser(this_process.test_client())
    await browser.sign_in(ADA)
    await browser.get("/")
    return browser


@pytest.fixture
async def copied_browser(ada: Browser, other_process: Quart) -> Browser:
    """A browser with ada's cookies at the other process, which has cached her."""
    copy = copy_cookies(ada, other_process)
    await wait_until(lambda: is_cached(other_process, copy))
    return copy


def user_cache_of(app: Quart) -> UserCache:
    found: UserCache = app.extensions[EXTENSION].user_cache
    return found


async def is_cached(app: Quart, browser: Browser) -> bool:
    """Request a page, and return whether the user is cached then: a late change event may have removed the entry."""
    await browser.get("/courses/")
    return len(user_cache_of(app).logins) > 0 and len(user_cache_of(app).students) > 0


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            result = condition()
            if await result if asyncio.iscoroutine(result) else result:
                return
            await asyncio.sleep(0.01)  # any short interval will do


def record_queries(monkeypatch: pytest.MonkeyPatch, module: object, name: str = "find") -> list[object]:
    """Record each query for a user or for a student's registrations."""
    queries: list[object] = []
    find = getattr(module, name)

    async def counted(db: Database, *arguments: object) -> object:
        queries.append(arguments)
        return await find(db, *arguments)

    monkeypatch.setattr(module, name, counted)
    return queries


async def test_a_page_for_a_cached_user_causes_no_query(
    ada: Browser, this_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    queries = [record_queries(monkeypatch, module, name) for module, name in QUERIES]

    async def makes_no_query() -> bool:
        """Read some pages: a late change event of the enrollment may cause queries once."""
        for recorded in queries:
            recorded.clear()
        for path in ("/courses/", "/", "/courses/", "/enrollment"):
            assert "Your schedule" in await ada.read(path)
        return queries == [[]] * len(QUERIES)

    await wait_until(makes_no_query)


async def test_a_cached_schedule_reflects_the_students_own_changes(ada: Browser, this_process: Quart) -> None:
    seat = {"courseID": "1111", "section": "01", "term": "Fall 2026"}
    drop = 'action="/enrollment/drop?'
    for _ in range(2):
        await wait_until(lambda: is_cached(this_process, ada))
        assert drop not in await ada.read("/enrollment")
        await ada.post("/enrollment", form=seat)
        await ada.read("/enrollment")  # shows the message, so that later pages don't
        assert drop in await ada.read("/enrollment")
        await ada.post("/enrollment/drop", form=seat)
        await ada.read("/enrollment")


async def test_no_user_sees_another_users_page(ada: Browser, this_process: Quart) -> None:
    bob = Browser(this_process.test_client())
    await bob.sign_in(BOB)
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    for browser in (ada, bob, Browser(this_process.test_client())):
        await browser.get("/enrollment")
    for _ in range(2):
        assert ("Hello, Ada" in await ada.read("/"), "Hello, Bob" in await bob.read("/")) == (True, True)
        assert 'action="/enrollment/drop?' in await ada.read("/enrollment")
        assert 'action="/enrollment/drop?' not in await bob.read("/enrollment")
        assert "Hello" not in await Browser(this_process.test_client()).read("/")


@pytest.mark.parametrize("path", ["/logout", "/account/sign-out"])
async def test_signing_out_takes_effect_in_every_process(ada: Browser, copied_browser: Browser, path: str) -> None:
    await ada.post(path)
    await wait_until(lambda: _is_signed_out(copied_browser))


async def test_a_password_change_ends_sign_ins_in_every_process(ada: Browser, copied_browser: Browser) -> None:
    form = {"current_password": PASSWORD, "password": NEW_PASSWORD, "password_confirm": NEW_PASSWORD}
    assert (await ada.post("/account/password", form=form)).status_code == 303
    await wait_until(lambda: _is_signed_out(copied_browser))


async def test_a_user_deleted_from_the_database_is_signed_out(copied_browser: Browser, db: Database) -> None:
    await db.user.delete_one({"user_id": ADA.user_id})
    await wait_until(lambda: _is_signed_out(copied_browser))


async def test_a_name_changed_in_the_database_is_seen(copied_browser: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"first_name": "Adela"}})

    async def is_greeted() -> bool:
        return "Hello, Adela" in await copied_browser.read("/")

    await wait_until(is_greeted)


@pytest.mark.parametrize("path", ["/logout", "/account/sign-out"])
async def test_signing_out_takes_effect_at_once_in_its_own_process(
    ada: Browser, this_process: Quart, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    copy = copy_cookies(ada, this_process)
    await wait_until(lambda: is_cached(this_process, copy))
    monkeypatch.setattr(user_cache_of(this_process)._follower, "_on_change", lambda _: None)  # no change event arrives
    await ada.post(path)
    assert not await is_signed_in(copy)


async def test_staff_see_their_change_of_a_record_at_once_in_another_process(
    this_process: Quart, other_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita, record = Browser(this_process.test_client()), f"/staff/students/{ADA.user_id}"
    await rita.sign_in(RITA)
    monkeypatch.setattr(user_cache_of(this_process)._follower, "_on_change", lambda _: None)  # no change event arrives
    assert ">Withdraw <" not in await rita.read(record)
    elsewhere = copy_cookies(rita, other_process)
    where = "action=enroll&term=Fall+2026&courseID=1111&section=01"
    assert (await elsewhere.post(f"{record}/act?{where}", form={"reason": "By phone"})).status_code == 303
    assert ">Withdraw <" in await copy_cookies(elsewhere, this_process).read(record)


async def test_a_seat_taken_in_one_process_is_seen_in_the_other(ada: Browser, copied_browser: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})

    async def is_seen() -> bool:
        return ">Enrolled<" in await copied_browser.read("/courses/")

    await wait_until(is_seen)


async def test_a_seat_dropped_in_one_process_is_seen_in_the_other(
    ada: Browser, copied_browser: Browser, other_process: Quart
) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    await wait_until(lambda: is_cached(other_process, copied_browser))
    await ada.post("/enrollment/drop", form={"courseID": "1111", "term": "Fall 2026"})

    async def is_seen() -> bool:
        return ">Enrolled<" not in await copied_browser.read("/courses/")

    await wait_until(is_seen)


async def test_the_first_page_after_a_change_in_another_process_is_correct(
    ada: Browser, copied_browser: Browser, other_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        user_cache_of(other_process)._follower, "_on_change", lambda _: None
    )  # the change event is late
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    other_browser = copy_cookies(ada, other_process)
    assert ">Enrolled<" in await other_browser.read("/courses/")


async def test_a_notice_from_another_process_is_on_the_next_page(
    ada: Browser, this_process: Quart, other_process: Quart, db: Database
) -> None:
    seat = {"courseID": "3333", "section": "01", "term": "Fall 2026"}
    await ada.post("/enrollment", form=seat)
    bob = Browser(other_process.test_client())
    await bob.sign_in(BOB)
    await bob.post("/waitlist", form=seat)
    await bob.get("/")
    await wait_until(lambda: is_cached(other_process, bob))
    await ada.post("/enrollment/drop", form=seat)

    async def notice_is_shown() -> bool:
        return "PHP 202" in (await bob.read("/")).split("<footer")[0]

    await wait_until(notice_is_shown)


async def test_without_a_change_stream_nothing_is_cached(
    ada: Browser, this_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wait_until(lambda: is_cached(this_process, ada))
    monkeypatch.setattr(change_streams, "MAX_SILENCE_SECONDS", 0)
    queries = record_queries(monkeypatch, logins, "find_many")
    for _ in range(3):
        await ada.get("/")
    assert len(queries) == 3


async def test_a_process_without_a_change_stream_caches_no_users(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = asyncio.Event()

    @asynccontextmanager
    async def broken(_: Database) -> AsyncIterator[None]:
        failed.set()
        raise ConnectionError
        yield

    monkeypatch.setattr(change_streams, "watch_users", broken)
    async with user_cache.open_user_cache(db) as cache:
        await failed.wait()
        assert not cache.is_current()


async def test_a_cached_sign_in_ends_after_the_idle_time(ada: Browser, this_process: Quart, clock: Clock) -> None:
    await wait_until(lambda: is_cached(this_process, ada))
    clock.now += this_process.extensions[EXTENSION].lifetimes.idle
    assert not await is_signed_in(ada)


async def _is_signed_out(browser: Browser) -> bool:
    return not await is_signed_in(browser)
