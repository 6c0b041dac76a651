"""Sign-ins: each has a random identity, which its cookie contains, and expires."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import logins, users
from quart_enroll.db.collections.logins import LiveLogin
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.errors import SignInEnded, WrongCredentials
from quart_enroll.domain.models import Credentials, Login
from quart_enroll.i18n.language import current_language
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.services.live.user_cache import UserCache

Result = TypeVar("Result")

REMEMBERED_LIFETIME = timedelta(days=30)
"""How long a remembered sign-in lasts, whether it is used or not."""

MAX_SIGN_INS = 50
"""Sign-ins that a user may have at a time; one more ends the least recently used."""

USES_RECORDED_PER_IDLE_TIME = 20
"""The use of a sign-in is recorded once in each such part of the idle time, so it may end that much sooner."""


@dataclass(frozen=True, slots=True)
class SignInLifetimes:
    """How long a sign-in that is not remembered lasts: `idle` without being used, and `age` at most."""

    idle: timedelta = timedelta(hours=2)
    age: timedelta = timedelta(hours=12)

    def end(self, created_at: datetime, now: datetime, *, remembered: bool) -> datetime:
        """Return when a sign-in ends if it is not used after `now`."""
        return created_at + REMEMBERED_LIFETIME if remembered else min(now + self.idle, created_at + self.age)


@dataclass(frozen=True, slots=True)
class NewSignIn:
    """A new sign-in: the identity for its cookie, the user's previous sign-in, if any, and their language."""

    identity: str
    last: datetime | None
    language: str


async def sign_in(
    db: Database,
    found: Credentials,
    lifetimes: SignInLifetimes,
    now: datetime,
    *,
    remember: bool,
    address: str = "",
    agent: str = "",
    replaces: str | None = None,
) -> NewSignIn:
    """Start a sign-in under a random identity, and end the one of the identity `replaces`.

    Raises WrongCredentials if the account was deleted or its password changed in the meantime.
    """
    identity = secrets.token_urlsafe(32)
    ends = lifetimes.end(now, now, remembered=remember)
    login = Login(token_digest(identity), found.user.user_id, now, now, ends, remember, now, address[:50], agent[:100])
    if replaces is not None:
        await logins.end(db, token_digest(replaces))
    language = current_language()

    async def body(session: Session) -> NewSignIn:
        # Writing the user makes this transaction conflict with one that replaces the password or deletes the user: the
        # second one sees what the first has done.
        noted = await users.record_sign_in(db, found, now, language, session)
        await logins.add(db, login, session)
        await logins.end_least_recent(db, found.user.user_id, MAX_SIGN_INS, session)
        return NewSignIn(identity, *noted)

    try:
        return await transaction(db, body)
    except users.CredentialsChanged:
        raise WrongCredentials from None


async def grant(db: Database, login: str, work: Callable[[Session], Awaitable[Result]]) -> Result:
    """Run `work`, which creates another way to act as the user, in a transaction that holds the sign-in `login`.

    Whatever ends the user's access ends the sign-in in its own transaction, so the two conflict: either it sees what
    `work` created and removes it, or SignInEnded is raised and nothing was created.
    """

    async def body(session: Session) -> Result:
        if not await logins.lock(db, login, session):
            raise SignInEnded
        return await work(session)

    return await transaction(db, body)


async def resume(
    db: Database, cache: UserCache, identity: str, lifetimes: SignInLifetimes, now: datetime
) -> LiveLogin | None:
    """Return the sign-in of the identity with its user, or None if it has ended or never existed.

    It is read once and then cached until it changes. From time to time, its use is recorded, which extends it.
    """
    key = token_digest(identity)
    found = await cache.logins.get_or_read(key, lambda: cache.login_reader.read(key))
    if found is not None and found.login.expires_at <= now:
        cache.logins.invalidate(key)
        found = await logins.find(db, key, now)  # another process may have just extended it
    if found is not None and must_record_use(found.login, lifetimes, now):
        ends = lifetimes.end(found.login.created_at, now, remembered=found.login.remembered)
        await logins.record_use(db, found.login, now, ends)
        cache.logins.invalidate(key)
    return found


def must_record_use(login: Login, lifetimes: SignInLifetimes, now: datetime) -> bool:
    """Return whether it is time to record that the sign-in is in use."""
    return now - login.last_used_at > lifetimes.idle / USES_RECORDED_PER_IDLE_TIME


async def sign_out(db: Database, identity: str) -> None:
    """End the sign-in of the identity, so that copies of its cookie no longer work either."""
    await logins.end(db, token_digest(identity))


async def active(db: Database, user_id: int, now: datetime) -> list[Login]:
    """Return the user's sign-ins that have not ended."""
    return await logins.find_by_user(db, user_id, now)


async def end(db: Database, user_id: int, key: str) -> None:
    """End the user's sign-in of that key."""
    await logins.end_own(db, user_id, key)
