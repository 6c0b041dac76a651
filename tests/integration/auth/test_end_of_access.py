"""A new password ends all access, even access that is being created at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from quart_enroll.db import transactions
from quart_enroll.db.client import Database
from quart_enroll.db.collections import calendar_tokens, logins, notices, shared_links, tokens, users
from quart_enroll.domain.errors import SignInEnded, WrongCredentials
from quart_enroll.domain.models import Credentials, SharedContent
from quart_enroll.domain.scopes import Scope
from quart_enroll.services.accounts import accounts, sessions
from quart_enroll.services.accounts import calendar_tokens as calendar_links
from quart_enroll.services.accounts import shared_links as sharing
from quart_enroll.services.accounts import tokens as api_tokens
from quart_enroll.services.accounts.token_digest import token_digest
from tests.support.people import ADA, FALL, FALL_MORNING, PASSWORD_HASH

NOW = FALL_MORNING
LIFETIMES = sessions.SignInLifetimes()

Create = Callable[[Database, Credentials, str], Awaitable[object]]


async def create_token(db: Database, _: Credentials, login: str) -> None:
    later = NOW + timedelta(days=1)
    await api_tokens.create(db, ADA.user_id, name="phone", scope=Scope.READ, expires_at=later, now=NOW, login=login)


async def create_calendar_link(db: Database, _: Credentials, login: str) -> None:
    await calendar_links.create(db, ADA.user_id, NOW, login=login)


async def share_schedule(db: Database, _: Credentials, login: str) -> None:
    await sharing.create(db, ADA.user_id, FALL, SharedContent.SCHEDULE, label="", now=NOW, login=login)


async def sign_in(db: Database, credentials: Credentials, _: str) -> None:
    await sessions.sign_in(db, credentials, LIFETIMES, NOW, remember=True)


FROM_A_SIGN_IN = [
    pytest.param(create_token, tokens, "add", id="token"),
    pytest.param(create_calendar_link, calendar_tokens, "put", id="calendar link"),
    pytest.param(share_schedule, shared_links, "add", id="shared link"),
]
EACH_KIND_OF_ACCESS = pytest.mark.parametrize(
    ("create", "repository", "write"), [*FROM_A_SIGN_IN, pytest.param(sign_in, logins, "add", id="sign-in")]
)


@dataclass
class Pause:
    """A point at which one of two transactions stops, until the other one conflicts with it."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    conflict: asyncio.Event = field(default_factory=asyncio.Event)

    def before(self, patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        """Pause the first call of that function until `run_both` lets it continue."""
        function = getattr(module, name)

        async def paused(*args: Any, **options: Any) -> Any:
            if not self.reached.is_set():
                self.reached.set()
                await self.conflict.wait()
            return await function(*args, **options)

        patch.setattr(module, name, paused)

    def detect_conflicts(self, patch: pytest.MonkeyPatch) -> None:
        wait = transactions._Retries.pause

        async def detect(retries: Any, error: Any) -> None:
            self.conflict.set()
            await wait(retries, error)

        patch.setattr(transactions._Retries, "pause", detect)

    async def run_both(self, first: Awaitable[Any], second: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Run `first` up to the pause, then `second` until it ends or conflicts; finish both."""
        paused = asyncio.ensure_future(first)
        await asyncio.wait_for(self.reached.wait(), 10)
        other = asyncio.ensure_future(second())
        conflict = asyncio.ensure_future(self.conflict.wait())
        await asyncio.wait({other, conflict}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        self.conflict.set()
        return await asyncio.gather(paused, other, return_exceptions=True)


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Pause:
    pause = Pause()
    pause.detect_conflicts(monkeypatch)
    return pause


@pytest.fixture
async def credentials(db: Database) -> Credentials:
    """Ada's password at the start of the test."""
    credentials = await users.find_credentials_by_id(db, ADA.user_id)
    assert credentials is not None
    return credentials


@pytest.fixture
async def login(db: Database, credentials: Credentials) -> str:
    """The key of one of ada's sign-ins."""
    return token_digest((await sessions.sign_in(db, credentials, LIFETIMES, NOW, remember=False)).identity)


async def count_access(db: Database) -> dict[str, int]:
    """Return the number of ada's sign-ins, tokens and links."""
    names = ("login", "token", "feed", "share")
    counts = {name: await db[name].count_documents({"user_id": ADA.user_id}) for name in names}
    return {name: number for name, number in counts.items() if number}


@EACH_KIND_OF_ACCESS
async def test_a_new_password_ends_access_that_is_being_created(
    create: Create, repository: Any, write: str, db: Database, credentials: Credentials, login: str, pause: Pause,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pause.before(monkeypatch, repository, write)
    created, changed = await pause.run_both(
        create(db, credentials, login), lambda: accounts.replace_password(db, credentials, PASSWORD_HASH, NOW)
    )
    assert created is None
    assert isinstance(changed, Credentials)
    assert await count_access(db) == {}


@EACH_KIND_OF_ACCESS
async def test_no_access_is_created_while_a_new_password_ends_it(
    create: Create, repository: Any, write: str, db: Database, credentials: Credentials, login: str, pause: Pause,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pause.before(monkeypatch, notices, "add_email_only")  # the last step: all other access has been removed by then
    changed, created = await pause.run_both(
        accounts.replace_password(db, credentials, PASSWORD_HASH, NOW), lambda: create(db, credentials, login)
    )
    assert isinstance(changed, Credentials)
    assert isinstance(created, (SignInEnded, WrongCredentials))
    assert await count_access(db) == {}


@EACH_KIND_OF_ACCESS
async def test_no_access_is_created_after_a_new_password(
    create: Create, repository: Any, write: str, db: Database, credentials: Credentials, login: str
) -> None:
    assert await accounts.replace_password(db, credentials, PASSWORD_HASH, NOW)
    with suppress(SignInEnded, WrongCredentials):
        await create(db, credentials, login)
    assert await count_access(db) == {}


@pytest.mark.parametrize(("create", "repository", "write"), FROM_A_SIGN_IN)
async def test_ending_all_access_ends_access_that_is_being_created(
    create: Create, repository: Any, write: str, db: Database, credentials: Credentials, login: str, pause: Pause,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pause.before(monkeypatch, repository, write)
    created, ended = await pause.run_both(create(db, credentials, login), lambda: accounts.end_access(db, ADA.user_id))
    assert created is None
    assert isinstance(ended, accounts.EndedAccess)
    assert (ended.sign_ins, ended.tokens + ended.calendar_links + ended.shared_links) == (1, 1)
    assert await count_access(db) == {}


async def test_two_calendar_links_created_at_once_leave_only_one_valid(
    db: Database, credentials: Credentials, login: str
) -> None:
    other = token_digest((await sessions.sign_in(db, credentials, LIFETIMES, NOW, remember=False)).identity)
    links = await asyncio.gather(
        *(calendar_links.create(db, ADA.user_id, NOW, login=key) for key in (login, other) * 3)
    )
    owners = [await calendar_links.find_owner(db, token) for token in links]
    assert [owner.user_id for owner in owners if owner] == [ADA.user_id]
