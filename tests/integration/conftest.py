"""The whole site with a real mongod: each test starts with the small school in its database."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias
from unittest.mock import patch

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient
from quart import Quart
from quart_auth import generate_auth_token

import quart_enroll.app
from quart_enroll.app import Enroll, create_app
from quart_enroll.db import client
from quart_enroll.db.change_streams import ChangeFollower
from quart_enroll.db.client import Database
from quart_enroll.db.collections import logins, users
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Login, User
from quart_enroll.pages import live_stream
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.rate_limiter import RateLimiter
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.services.maintenance.schema_check import SchemaCheck
from quart_enroll.state import EXTENSION, AppState
from tests.support import command_checks, school
from tests.support.catalog_writes import installed_writes
from tests.support.command_recorder import Operation, installed_recorder
from tests.support.people import (
    ADA,
    ARON,
    BOB,
    IVAN,
    OTHER_STAFF,
    PASSWORD_HASH,
    RITA,
    SAMI,
    TERMS,
    UMA,
    Browser,
    Clock,
    config,
)


@pytest.fixture(autouse=True)
def recorded_commands(mongod: str, mongo_client: MongoClient[dict[str, Any]]) -> Iterator[list[Operation]]:
    """What the site sends to MongoDB in this test: indexes answer all of it, and docs/deploy.md shards all of it."""
    installed_writes()
    recorder = installed_recorder()
    with recorder.record() as operations:
        yield operations
    assert recorder.errors == []
    assert command_checks.find_faults(mongo_client, operations) == []


@pytest.fixture(scope="session")
def mongo_client(mongod: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of the tests' own."""
    with MongoClient[dict[str, Any]](mongod) as client:
        yield client


class SharedClient(AsyncIOMotorClient[dict[str, Any]]):
    """A client for one test and its event loop, around the driver's client that all tests of this process share.

    Opening the driver's client, its threads and connections, takes longer than many a test.
    """

    driver: MongoClient[dict[str, Any]] | None = None

    @classmethod
    def __delegate_class__(cls, *arguments: Any, **options: Any) -> MongoClient[dict[str, Any]]:
        SharedClient.driver = cls.driver or MongoClient(*arguments, **options)
        return SharedClient.driver

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def shared_client() -> Iterator[type[SharedClient]]:
    yield SharedClient
    if SharedClient.driver is not None:
        SharedClient.driver.close()
        SharedClient.driver = None


@pytest.fixture
async def open_db(mongod: str, shared_client: type[SharedClient]) -> Database:
    """The database of this process, with what the last test left in it."""
    with patch.object(client, "AsyncIOMotorClient", shared_client):
        async with client.open_database(mongod, 20) as db:  # nothing is closed at the end
            return db


@pytest.fixture
async def empty_db(open_db: Database) -> Database:
    """An empty database with all indexes and validators."""
    await school.empty(open_db)
    return open_db


@pytest.fixture
async def db(open_db: Database) -> Database:
    """A small school: two terms, three courses in sections, ada, bob and rita."""
    await school.refill(open_db, TERMS)
    return open_db


@pytest.fixture
async def other_staff(db: Database) -> None:
    """Add an instructor, an advisor, a scheduler and an auditor."""
    for user in OTHER_STAFF:
        await users.add(db, user, PASSWORD_HASH)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def no_schema_check_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the check of all indexes when the site starts: `db` has them, and reading them takes longer than a test."""

    async def check_nothing(_: SchemaCheck) -> None:
        pass

    monkeypatch.setattr(SchemaCheck, "check_at_start", check_nothing)


@pytest.fixture
def no_change_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow no changes: this site reads the database for each request, and opening streams takes as long as a test."""

    async def follow_nothing(_: ChangeFollower[Any]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(ChangeFollower, "follow", follow_nothing)


@pytest.fixture
async def app(
    db: Database, mongod: str, clock: Clock, no_schema_check_at_start: None, no_change_streams: None
) -> AsyncIterator[Quart]:
    app = create_app(config(mongo_uri=mongod), clock=clock, open_database=lambda *_, **__: nullcontext(db))
    async with app.test_app():
        opened = app.extensions[EXTENSION]
        app.extensions[EXTENSION] = replace(
            opened,
            catalog_cache=AlwaysCurrentCatalog(opened.database, clock),
            user_cache=UncachedUsers(opened.database, opened.update_broker.notify_user),
        )
        yield app


@pytest.fixture
def framework_requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that reach the framework instead of being answered from a cache."""
    paths: list[str] = []
    handle = Enroll.handle_request

    async def record_path(self: Enroll, request: Any) -> Any:
        paths.append(request.path)
        return await handle(self, request)

    monkeypatch.setattr(Enroll, "handle_request", record_path)
    return paths


class AlwaysCurrentCatalog(CatalogCache):
    """A catalog cache that is read again after every write of this process, so that tests see their writes at once."""

    current = None
    read_after: tuple[int, datetime] | None = None
    """The writes before it was read, and the time."""

    async def get(self) -> Catalog:
        now = installed_writes().count, self._clock()
        if self.read_after != now:
            await self.reload()
            self.read_after = now
        return await super().get()


class UncachedUsers(UserCache):
    """A user cache that caches nothing, for the same reason."""

    def is_current(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """End each live stream as soon as it has sent its first events."""
    monkeypatch.setattr(live_stream, "STREAM_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(live_stream, "SIGN_IN_CHECK_SECONDS", (0.0, 0.0))


@pytest.fixture(autouse=True)
def idle_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave emails in the outbox, for tests that send them: the site would do it in a test that lasts five seconds."""
    monkeypatch.setattr(quart_enroll.app, "run_outbox", lambda *_: nullcontext())


@pytest.fixture(autouse=True)
def no_due_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what is due at a date to tests that do it: looking for it takes longer than starting the site."""

    async def do_nothing(*_: object) -> None:
        pass

    monkeypatch.setattr(quart_enroll.app, "lift_ended_forever", do_nothing)
    monkeypatch.setattr(quart_enroll.app, "retry_at_open_enrollment", do_nothing)
    monkeypatch.setattr(quart_enroll.app, "release_due_forever", do_nothing)


@pytest.fixture(autouse=True)
def no_refusal_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse a wrong password at once."""
    monkeypatch.setattr(accounts, "MIN_REFUSAL_SECONDS", 0)


SignIn: TypeAlias = Callable[[User | None], Awaitable[Browser]]
"""Returns a new browser, in which the user is signed in if there is one."""


@pytest.fixture
def sign_in(app: Quart) -> SignIn:
    """Sign in as `/login` does it, but without its pages, which take longer."""

    async def sign_in(user: User | None) -> Browser:
        browser = Browser(app.test_client())
        if user is not None:
            state: AppState = app.extensions[EXTENSION]
            now, identity = state.clock(), secrets.token_urlsafe(32)
            ends = state.lifetimes.end(now, now, remembered=False)
            login = Login(token_digest(identity), user.user_id, now, now, ends, False, now, "", "")
            await state.database.login.insert_one(logins.to_row(login))
            cookie = generate_auth_token(browser.client, identity)
            browser.client.set_cookie("localhost", app.config["QUART_AUTH_COOKIE_NAME"], cookie)
        return browser

    return sign_in


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test send any number of requests."""
    monkeypatch.setattr(RateLimiter, "take", lambda *_: 0)


@pytest.fixture
async def anyone(sign_in: SignIn) -> Browser:
    """The browser of a visitor."""
    return await sign_in(None)


@pytest.fixture
async def ada(sign_in: SignIn) -> Browser:
    return await sign_in(ADA)


@pytest.fixture
async def bob(sign_in: SignIn) -> Browser:
    return await sign_in(BOB)


@pytest.fixture
async def rita(sign_in: SignIn) -> Browser:
    return await sign_in(RITA)


@pytest.fixture
async def ivan(sign_in: SignIn, other_staff: None) -> Browser:
    return await sign_in(IVAN)


@pytest.fixture
async def aron(sign_in: SignIn, other_staff: None) -> Browser:
    return await sign_in(ARON)


@pytest.fixture
async def sami(sign_in: SignIn, other_staff: None) -> Browser:
    return await sign_in(SAMI)


@pytest.fixture
async def uma(sign_in: SignIn, other_staff: None) -> Browser:
    return await sign_in(UMA)
