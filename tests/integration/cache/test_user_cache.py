"""The user caches of two processes: what one process changes is removed from the other's cache."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

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
from tests.integration.auth.test_sessions import copy_of, is_signed_in
from tests.support.people import ADA, BOB, PASSWORD, Browser, Clock, config

MAX_WAIT_SECONDS = 20
"""How long a change may take to arrive on a busy machine."""

QUERIES = [
    (logins, "find"),
    (student_facts, "find"),
    (enrollments, "to_registrations"),
    (waitlist, "find_positions"),
]
"""The functions with which a process queries data about a student."""

FRESH = "quiet purple tractor"


@asynccontextmanager
async def process(mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """Yield the site as in a process of its own, once it receives changes."""
    app = create_app(config(mongo_uri=mongod), clock=clock)
    app.config["TEMPLATES_AUTO_RELOAD"] = False  # so that whole pages are cached
    async with app.test_app():
        await until(people(app).is_current)
        yield app


@pytest.fixture
async def first_process(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    async with process(mongod, clock) as app:
        yield app


@pytest.fixture
async def second_process(first_process: Quart, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    async with process(mongod, clock) as app:
        yield app


@pytest.fixture
async def ada(first_process: Quart) -> Browser:
    browser = Browser(first_process.test_client())
    await browser.sign_in(ADA)
    await browser.get("/")
    return browser


@pytest.fixture
async def ada_elsewhere(ada: Browser, second_process: Quart) -> Browser:
    """Ada's cookie at the other process, which has cached her sign-in."""
    copy = copy_of(ada, second_process)
    await until(lambda: is_cached(second_process, copy))
    return copy


def people(app: Quart) -> UserCache:
    found: UserCache = app.extensions[EXTENSION].user_cache
    return found


async def is_cached(app: Quart, browser: Browser) -> bool:
    """Request a page, and tell whether it was cached: a late change event of the sign-in may remove it once."""
    await browser.get("/courses/")
    return len(people(app).logins) > 0 and len(people(app).students) > 0


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(MAX_WAIT_SECONDS):
        while True:
            found = holds()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)  # no time that matters: PATIENCE does


def count(monkeypatch: pytest.MonkeyPatch, module: object, name: str = "find") -> list[object]:
    """Record each query for a user or for a student's registrations."""
    queries: list[object] = []
    find = getattr(module, name)

    async def counted(db: Database, *what: object) -> object:
        queries.append(what)
        return await find(db, *what)

    monkeypatch.setattr(module, name, counted)
    return queries


async def test_a_page_for_a_cached_user_causes_no_query(
    ada: Browser, first_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    queries = [count(monkeypatch, module, name) for module, name in QUERIES]

    async def causes_no_query() -> bool:
        """Read some pages; an echo of the enrollment may come between them, and makes the next one ask."""
        for questions in queries:
            questions.clear()
        for path in ("/courses/", "/", "/courses/", "/enrollment"):
            assert "Your schedule" in await ada.read(path)
        return queries == [[]] * len(QUERIES)

    await until(causes_no_query)


async def test_a_cached_schedule_reflects_the_students_own_changes(ada: Browser, first_process: Quart) -> None:
    seat = {"courseID": "1111", "section": "01", "term": "Fall 2026"}
    drop = 'action="/enrollment/drop"'
    for _ in range(2):
        await until(lambda: is_cached(first_process, ada))
        assert drop not in await ada.read("/enrollment")
        await ada.post("/enrollment", form=seat)
        await ada.read("/enrollment")  # shows the message, so that it is gone
        assert drop in await ada.read("/enrollment")
        await ada.post("/enrollment/drop", form=seat)
        await ada.read("/enrollment")


async def test_no_user_sees_another_users_page(ada: Browser, first_process: Quart) -> None:
    bob = Browser(first_process.test_client())
    await bob.sign_in(BOB)
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    for browser in (ada, bob, Browser(first_process.test_client())):
        await browser.get("/enrollment")
    for _ in range(2):
        assert ("Hello, Ada" in await ada.read("/"), "Hello, Bob" in await bob.read("/")) == (True, True)
        assert 'action="/enrollment/drop"' in await ada.read("/enrollment")
        assert 'action="/enrollment/drop"' not in await bob.read("/enrollment")
        assert "Hello" not in await Browser(first_process.test_client()).read("/")


@pytest.mark.parametrize("path", ["/logout", "/account/sign-out"])
async def test_signing_out_takes_effect_in_every_process(ada: Browser, ada_elsewhere: Browser, path: str) -> None:
    await ada.post(path)
    await until(lambda: _is_out(ada_elsewhere))


async def test_a_password_change_ends_sign_ins_in_every_process(ada: Browser, ada_elsewhere: Browser) -> None:
    form = {"current_password": PASSWORD, "password": FRESH, "password_confirm": FRESH}
    assert (await ada.post("/account/password", form=form)).status_code == 303
    await until(lambda: _is_out(ada_elsewhere))


async def test_a_user_deleted_from_the_database_is_signed_out(ada_elsewhere: Browser, db: Database) -> None:
    await db.user.delete_one({"user_id": ADA.user_id})
    await until(lambda: _is_out(ada_elsewhere))


async def test_a_name_changed_in_the_database_is_seen(ada_elsewhere: Browser, db: Database) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"first_name": "Adela"}})

    async def is_greeted() -> bool:
        return "Hello, Adela" in await ada_elsewhere.read("/")

    await until(is_greeted)


@pytest.mark.parametrize("path", ["/logout", "/account/sign-out"])
async def test_signing_out_takes_effect_at_once_in_its_own_process(
    ada: Browser, first_process: Quart, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    copy = copy_of(ada, first_process)
    await until(lambda: is_cached(first_process, copy))
    monkeypatch.setattr(people(first_process)._follower, "_on_change", lambda _: None)  # no change event arrives
    await ada.post(path)
    assert not await is_signed_in(copy)


async def test_a_seat_taken_in_one_process_is_seen_in_the_other(ada: Browser, ada_elsewhere: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})

    async def is_seen() -> bool:
        return ">Enrolled<" in await ada_elsewhere.read("/courses/")

    await until(is_seen)


async def test_a_seat_dropped_in_one_process_is_seen_in_the_other(
    ada: Browser, ada_elsewhere: Browser, second_process: Quart
) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    await until(lambda: is_cached(second_process, ada_elsewhere))
    await ada.post("/enrollment/drop", form={"courseID": "1111", "term": "Fall 2026"})

    async def is_seen() -> bool:
        return ">Enrolled<" not in await ada_elsewhere.read("/courses/")

    await until(is_seen)


async def test_the_page_after_a_change_in_another_process_is_immediately_correct(
    ada: Browser, ada_elsewhere: Browser, second_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people(second_process)._follower, "_on_change", lambda _: None)  # the change event is late
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01", "term": "Fall 2026"})
    moved = copy_of(ada, second_process)
    assert ">Enrolled<" in await moved.read("/courses/")


async def test_a_notice_from_another_process_is_on_the_next_page(
    ada: Browser, first_process: Quart, second_process: Quart, db: Database
) -> None:
    seat = {"courseID": "3333", "section": "01", "term": "Fall 2026"}
    await ada.post("/enrollment", form=seat)
    bob = Browser(second_process.test_client())
    await bob.sign_in(BOB)
    await bob.post("/waitlist", form=seat)
    await bob.get("/")
    await until(lambda: is_cached(second_process, bob))
    await ada.post("/enrollment/drop", form=seat)

    async def is_told() -> bool:
        return "PHP 202" in (await bob.read("/")).split("<footer")[0]

    await until(is_told)


async def test_without_a_change_stream_nothing_is_cached(
    ada: Browser, first_process: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: is_cached(first_process, ada))
    monkeypatch.setattr(change_streams, "MAX_SILENCE_SECONDS", 0)
    queries = count(monkeypatch, logins)
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
    async with user_cache.open_user_cache(db) as deaf:
        await failed.wait()
        assert not deaf.is_current()


async def test_a_cached_sign_in_ends_after_the_idle_time(ada: Browser, first_process: Quart, clock: Clock) -> None:
    await until(lambda: is_cached(first_process, ada))
    clock.now += first_process.extensions[EXTENSION].lifetimes.idle
    assert not await is_signed_in(ada)


async def _is_out(browser: Browser) -> bool:
    return not await is_signed_in(browser)
