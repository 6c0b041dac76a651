"""Sign-ins: each has a random identity that the cookie carries, and ends after a while."""

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
from quart_enroll.i18n.language import spoken
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.services.live.user_cache import QueryCache

Result = TypeVar("Result")

REMEMBERED = timedelta(days=30)
"""How long a remembered sign-in lasts, used or not."""

MAX_SIGN_INS = 50
"""Most sign-ins of a user at a time; the next one ends the least recently used."""

STEPS = 20
"""That a sign-in is in use is written once in such a part of the idle time: it may end this much sooner."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a sign-in that is not remembered lasts when nobody uses it, and at most."""

    idle: timedelta = timedelta(hours=2)
    age: timedelta = timedelta(hours=12)

    def end(self, created_at: datetime, now: datetime, *, remembered: bool) -> datetime:
        """Return when a sign-in ends that nobody uses after `now`."""
        return created_at + REMEMBERED if remembered else min(now + self.idle, created_at + self.age)


@dataclass(frozen=True, slots=True)
class Begun:
    """A new sign-in: what its cookie must say, when the same user signed in before, if ever, and their language."""

    identity: str
    last: datetime | None
    language: str


async def sign_in(
    db: Database,
    found: Credentials,
    lifetimes: Lifetimes,
    now: datetime,
    *,
    remember: bool,
    address: str = "",
    agent: str = "",
    instead_of: str | None = None,
) -> Begun:
    """Begin a sign-in with what was found, under an identity that nobody can guess; end the identity `instead_of`.

    Raises WrongCredentials when the account was removed, or its password changed, in this moment.
    """
    identity = secrets.token_urlsafe(32)
    ends = lifetimes.end(now, now, remembered=remember)
    login = Login(token_digest(identity), found.user.user_id, now, now, ends, remember, address[:50], agent[:100])
    if instead_of is not None:
        await logins.end(db, token_digest(instead_of))
    language = spoken()

    async def body(session: Session) -> Begun:
        # Writing the user makes this transaction conflict with one that replaces the password or removes the user: the
        # second one sees what the first has done.
        noted = await users.record_sign_in(db, found, now, language, session)
        await logins.add(db, login, session)
        await logins.end_least_recent(db, found.user.user_id, MAX_SIGN_INS, session)
        return Begun(identity, *noted)

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
    db: Database, cache: QueryCache[LiveLogin], identity: str, lifetimes: Lifetimes, now: datetime
) -> LiveLogin | None:
    """Return the sign-in of that identity and whose it is; None when it has ended or never was.

    It is read once, and then remembered until it changes. Now and then this writes that it is in use, which lets it
    go on.
    """
    key = token_digest(identity)
    found = await cache.get_or_read(key, lambda: logins.find(db, key, now))
    if found is not None and found.login.expires_at <= now:
        cache.invalidate(key)
        found = await logins.find(db, key, now)  # another process may have let it go on in this moment
    if found is not None and must_be_noted(found.login, lifetimes, now):
        ends = lifetimes.end(found.login.created_at, now, remembered=found.login.remembered)
        await logins.record_use(db, found.login, now, ends)
        cache.invalidate(key)
    return found


def must_be_noted(login: Login, lifetimes: Lifetimes, now: datetime) -> bool:
    """Tell whether it is time to write that the sign-in is in use."""
    return now - login.last_used_at > lifetimes.idle / STEPS


async def sign_out(db: Database, identity: str) -> None:
    """End the sign-in of that identity everywhere, so that a copy of the cookie is worth nothing."""
    await logins.end(db, token_digest(identity))
