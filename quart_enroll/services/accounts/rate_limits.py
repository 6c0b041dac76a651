"""How often something may be tried, over all processes: passwords, registrations, asking for a new password.

Wrong passwords are counted for the account and for the address that they come from. Past the limit nobody's
password is looked at until a wait is over, which doubles with each further one up to a quarter of an hour. A
browser in which the account has signed in before has a counter of its own, so that nobody who types wrong
passwords elsewhere keeps the owner out. An account that does not exist is counted like any other.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from weakref import WeakValueDictionary

from quart_enroll.db.client import Database
from quart_enroll.db.collections import rate_limits
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import Busy, EmailTaken, PleaseWait, WrongCredentials, WrongPassword
from quart_enroll.domain.models import RateLimit
from quart_enroll.services.accounts.hashing import NotBegun

PASSWORDS_OF_AN_ACCOUNT = RateLimit(limit=10, fades_in=timedelta(hours=2))
PASSWORDS_OF_KNOWN_BROWSERS = RateLimit(limit=50, fades_in=timedelta(hours=2))
PASSWORDS_OF_AN_ADDRESS = RateLimit(limit=100, fades_in=timedelta(seconds=9))
"""Ten wrong ones in a row, then at most one in a quarter of an hour; and a hundred in a quarter of an hour from an
address, behind which may be a whole campus. Fifty from all browsers that an account knows, since a thief, or a stranger
who registered with the address first, may have made it know any number of them."""

REGISTRATIONS_OF_AN_ADDRESS = RateLimit(limit=300, fades_in=timedelta(seconds=12))
"""Three hundred in an hour."""

RESETS_OF_AN_ACCOUNT = RateLimit(limit=5, fades_in=timedelta(minutes=12))
RESETS_OF_AN_ADDRESS = RateLimit(limit=100, fades_in=timedelta(seconds=36))
"""Five in an hour, each an e-mail to somebody who may not have asked for it; and a hundred from an address."""

NEW_PASSWORDS_OF_AN_ACCOUNT = RateLimit(limit=10, fades_in=timedelta(hours=1))
"""Each takes three hashes and sends an email. Wrong old ones don't count here, or a thief could keep the owner from
choosing another one."""

CONFIRMATIONS_OF_AN_ACCOUNT = RateLimit(limit=3, fades_in=timedelta(hours=8))
"""Confirmation emails to one address: three at once, then three a day, however often it is registered."""

PATIENCE = 10.0
"""Seconds that a password may wait for the one before it, of the same account."""

_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and for which account, in digests that nobody can read; `browser` is one that the account knows."""

    account: str
    address: str
    browser: str | None = None

    @property
    def passwords(self) -> Mapping[str, RateLimit]:
        """The counters of wrong passwords, first the one of the account or of the browser that it knows."""
        if self.browser:
            return {
                f"password {self.account} {self.browser}": PASSWORDS_OF_AN_ACCOUNT,
                f"password {self.account} known": PASSWORDS_OF_KNOWN_BROWSERS,
            }
        return {
            f"password {self.account}": PASSWORDS_OF_AN_ACCOUNT,
            f"password from {self.address}": PASSWORDS_OF_AN_ADDRESS,
        }


def account_digest(key: str, email: str) -> str:
    """Name the account of that e-mail address, in whatever spelling; `key` is the site's secret."""
    return _digest(key, "account", email_addresses.canonical(email))


def address_digest(key: str, address: str) -> str:
    """Return the network address as text, or the network of an IPv6 address."""
    return _digest(key, "address", source(address))


def source(address: str) -> str:
    """Return what a network address counts as: the 2**64 of one IPv6 network, which one visitor may have, are one."""
    try:
        ip = ip_address(address)
    except ValueError:  # such as the name of a socket
        return address
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64)
    return str(ip)


def _digest(key: str, kind: str, text: str) -> str:
    return hmac.digest(key.encode(), f"{kind} {text}".encode(), "sha256").hex()[:32]


@asynccontextmanager
async def guess(db: Database, asker: Asker, now: datetime) -> AsyncIterator[None]:
    """Let a password be tried inside, in each process one at a time for each account.

    Raises PleaseWait, before any work is done, while there were too many wrong ones. WrongCredentials,
    WrongPassword and EmailTaken count as wrong; so does an asker who hangs up while the password is being looked at.
    Guesses that arrive together get no more tries than one after the other, but for one in each further process.
    """
    counters = asker.passwords
    turn = _turns.setdefault(next(iter(counters)), asyncio.Lock())
    try:
        async with asyncio.timeout(PATIENCE):
            await turn.acquire()
    except TimeoutError:
        raise Busy(retry_after=5) from None
    try:
        await _refuse_while_waiting(db, counters, now)
        try:
            yield
        except NotBegun:
            raise
        except (WrongCredentials, WrongPassword, EmailTaken, asyncio.CancelledError):
            await asyncio.shield(_count(db, counters, now))
            raise
    finally:
        turn.release()


async def registering(db: Database, asker: Asker, now: datetime) -> None:
    """Count a registration, or raise PleaseWait when there were too many from this address."""
    await _pass(db, {f"registration from {asker.address}": REGISTRATIONS_OF_AN_ADDRESS}, now)


async def reset_asked(db: Database, asker: Asker, now: datetime) -> None:
    """Count that somebody asks for a new password; raise PleaseWait when it was asked too often.

    It is the same whether the account exists or not.
    """
    counters = {
        f"reset {asker.account}": RESETS_OF_AN_ACCOUNT,
        f"reset from {asker.address}": RESETS_OF_AN_ADDRESS,
    }
    await _pass(db, counters, now)


@asynccontextmanager
async def changing_password(db: Database, asker: Asker, now: datetime) -> AsyncIterator[None]:
    """Count a change of the password that is made inside; raise PleaseWait when there were too many."""
    counters = {f"new password {asker.account}": NEW_PASSWORDS_OF_AN_ACCOUNT}
    await _refuse_while_waiting(db, counters, now)
    yield
    await _count(db, counters, now)


async def confirmation_asked(db: Database, asker: Asker, now: datetime) -> None:
    """Count a confirmation email; raise PleaseWait if there were too many."""
    counters = {
        f"confirmation {asker.account}": CONFIRMATIONS_OF_AN_ACCOUNT,
        f"confirmation from {asker.address}": REGISTRATIONS_OF_AN_ADDRESS,
    }
    await _pass(db, counters, now)


async def _pass(db: Database, counters: Mapping[str, RateLimit], now: datetime) -> None:
    await _refuse_while_waiting(db, counters, now)
    await _count(db, counters, now)


async def _refuse_while_waiting(db: Database, counters: Mapping[str, RateLimit], now: datetime) -> None:
    until = await rate_limits.find_wait_until(db, counters, now)
    if until is not None:
        raise PleaseWait(until - now)


async def _count(db: Database, counters: Mapping[str, RateLimit], now: datetime) -> None:
    for key, pace in counters.items():
        await rate_limits.count_attempt(db, key, pace, now)
