"""Limits on attempts over all processes: passwords, registrations, requests for emails.

Wrong passwords are counted per account and per network. Past a limit, no password is checked until a wait is over; each
further wrong one doubles the wait, up to a quarter of an hour. Each browser in which the account has signed in before
has a counter of its own, so that wrong passwords typed elsewhere don't lock out the owner. An email without an account
is counted like any other. Limits on changes are in rate_limiter; they count in memory.
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
from quart_enroll.db.collections import attempt_limits
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import Busy, EmailTaken, PleaseWait, WrongCredentials, WrongPassword
from quart_enroll.domain.models import RateLimit
from quart_enroll.services.accounts.hashing import HashingNotStarted

WRONG_PASSWORDS_PER_ACCOUNT = RateLimit(limit=10, fades_in=timedelta(hours=2))
WRONG_PASSWORDS_FROM_KNOWN_BROWSERS = RateLimit(limit=50, fades_in=timedelta(hours=2))
WRONG_PASSWORDS_PER_NETWORK = RateLimit(limit=100, fades_in=timedelta(seconds=9))
"""Ten in a row, then at most one per quarter of an hour. A hundred per quarter of an hour from one network, which may
be a whole campus. Fifty from all known browsers of an account together, because a thief, or a stranger who registered
the email first, may have made any number of browsers known."""

REGISTRATIONS_PER_NETWORK = RateLimit(limit=300, fades_in=timedelta(seconds=12))
"""Three hundred per hour."""

RESET_REQUESTS_PER_ACCOUNT = RateLimit(limit=5, fades_in=timedelta(minutes=12))
RESET_REQUESTS_PER_NETWORK = RateLimit(limit=100, fades_in=timedelta(seconds=36))
"""Five per hour, because each sends an email that the recipient may not have asked for; and a hundred per network."""

PASSWORD_CHANGES_PER_ACCOUNT = RateLimit(limit=10, fades_in=timedelta(hours=1))
"""Each takes three hashes and sends an email. Attempts with a wrong current password don't count here, or a thief could
keep the owner from changing it."""

CONFIRMATION_EMAILS_PER_ACCOUNT = RateLimit(limit=3, fades_in=timedelta(hours=8))
"""Three at once, then three per day, however often the email is registered."""

EMAIL_CHANGES_PER_NEW_ADDRESS = RateLimit(limit=3, fades_in=timedelta(hours=8))
"""Three at once, then three per day, because each sends an email that the recipient may not have asked for. Accounts
and networks have the limits of reset links."""

ROSTER_EMAILS_PER_PERSON = RateLimit(limit=20, fades_in=timedelta(minutes=15))
"""Twenty in a row, enough for all of an instructor's sections and some corrections, then one per quarter of an hour."""

PERMISSION_NUMBERS_PER_STUDENT = RateLimit(limit=20, fades_in=timedelta(minutes=15))
"""Twenty in a row, then one per quarter of an hour, correct ones included: nobody gets that many."""

PASSWORD_LOCK_WAIT_SECONDS = 10.0
"""How long a password may wait for others of the same account to be checked."""


@dataclass(frozen=True, slots=True)
class AttemptSource:
    """The digests of the account and the network of an attempt; `browser` is set if the account knows the browser."""

    account: str
    network: str
    browser: str | None = None

    @property
    def password_counters(self) -> Mapping[str, RateLimit]:
        """The limits for wrong passwords by counter; the first is that of the account or the known browser."""
        if self.browser:
            return {
                f"password {self.account} {self.browser}": WRONG_PASSWORDS_PER_ACCOUNT,
                f"password {self.account} known": WRONG_PASSWORDS_FROM_KNOWN_BROWSERS,
            }
        return {
            f"password {self.account}": WRONG_PASSWORDS_PER_ACCOUNT,
            f"password from {self.network}": WRONG_PASSWORDS_PER_NETWORK,
        }


class PasswordLocks:
    """A lock for each counter of wrong passwords, so that each process checks one password of an account at a time."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, counter: str) -> AsyncIterator[None]:
        """Hold the counter's lock; raise Busy after PASSWORD_LOCK_WAIT_SECONDS."""
        lock = self._locks.setdefault(counter, asyncio.Lock())
        try:
            async with asyncio.timeout(PASSWORD_LOCK_WAIT_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise Busy(retry_after=5) from None
        try:
            yield
        finally:
            lock.release()


def account_digest(key: str, email: str) -> str:
    """Return a digest of the email in any spelling; `key` is the site's secret key."""
    return _digest(key, "account", email_addresses.canonical(email))


def network_digest(key: str, ip: str) -> str:
    """Return a digest of the IP's network."""
    return _digest(key, "address", network_of(ip))


def network_of(ip: str) -> str:
    """Return the IPv4 address, or the /64 network of an IPv6 address, all of which one visitor may have."""
    try:
        address = ip_address(ip)
    except ValueError:  # such as the name of a socket
        return ip
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64)
    return str(address)


def _digest(key: str, kind: str, text: str) -> str:
    return hmac.digest(key.encode(), f"{kind} {text}".encode(), "sha256").hex()[:32]


@asynccontextmanager
async def password_attempt(
    db: Database, locks: PasswordLocks, attempt: AttemptSource, now: datetime
) -> AsyncIterator[None]:
    """Check a password inside the block; raise PleaseWait before it starts if there were too many wrong ones.

    WrongCredentials, WrongPassword and EmailTaken count as wrong, and so does a client that hangs up during the check.
    The lock keeps simultaneous attempts from getting more tries than successive ones, except for one in each further
    process.
    """
    counters = attempt.password_counters
    async with locks.hold(next(iter(counters))):
        await _refuse_if_over_limit(db, counters, now)
        try:
            yield
        except HashingNotStarted:
            raise
        except (WrongCredentials, WrongPassword, EmailTaken, asyncio.CancelledError):
            await asyncio.shield(_count(db, counters, now))
            raise


async def count_registration(db: Database, attempt: AttemptSource, now: datetime) -> None:
    """Count a registration, or raise PleaseWait if there were too many from this network."""
    await _check_and_count(db, {f"registration from {attempt.network}": REGISTRATIONS_PER_NETWORK}, now)


async def count_reset_request(db: Database, attempt: AttemptSource, now: datetime) -> None:
    """Count a request for a reset link, whether or not the account exists, or raise PleaseWait."""
    counters = {
        f"reset {attempt.account}": RESET_REQUESTS_PER_ACCOUNT,
        f"reset from {attempt.network}": RESET_REQUESTS_PER_NETWORK,
    }
    await _check_and_count(db, counters, now)


@asynccontextmanager
async def password_change(db: Database, attempt: AttemptSource, now: datetime) -> AsyncIterator[None]:
    """Count the password change inside the block if it succeeds; raise PleaseWait if there were too many."""
    counters = {f"new password {attempt.account}": PASSWORD_CHANGES_PER_ACCOUNT}
    await _refuse_if_over_limit(db, counters, now)
    yield
    await _count(db, counters, now)


async def count_confirmation_request(db: Database, attempt: AttemptSource, now: datetime) -> None:
    """Count a confirmation email, or raise PleaseWait if there were too many."""
    counters = {
        f"confirmation {attempt.account}": CONFIRMATION_EMAILS_PER_ACCOUNT,
        f"confirmation from {attempt.network}": REGISTRATIONS_PER_NETWORK,
    }
    await _check_and_count(db, counters, now)


async def count_email_change(db: Database, attempt: AttemptSource, new_address: AttemptSource, now: datetime) -> None:
    """Count a request to change an email, whether or not the new address has an account, or raise PleaseWait."""
    counters = {
        f"email change {attempt.account}": RESET_REQUESTS_PER_ACCOUNT,
        f"email change to {new_address.account}": EMAIL_CHANGES_PER_NEW_ADDRESS,
        f"email change from {attempt.network}": RESET_REQUESTS_PER_NETWORK,
    }
    await _check_and_count(db, counters, now)


async def count_roster_email(db: Database, user_id: int, now: datetime) -> None:
    """Count an email to the students of a section, or raise PleaseWait if the person sent too many."""
    await _check_and_count(db, {f"roster email {user_id}": ROSTER_EMAILS_PER_PERSON}, now)


async def count_permission_number(db: Database, user_id: int, now: datetime) -> None:
    """Count a permission number that the student has entered, or raise PleaseWait if there were too many."""
    await _check_and_count(db, {f"permission number {user_id}": PERMISSION_NUMBERS_PER_STUDENT}, now)


async def _check_and_count(db: Database, counters: Mapping[str, RateLimit], now: datetime) -> None:
    await _refuse_if_over_limit(db, counters, now)
    await _count(db, counters, now)


async def _refuse_if_over_limit(db: Database, counters: Mapping[str, RateLimit], now: datetime) -> None:
    until = await attempt_limits.find_wait_until(db, counters, now)
    if until is not None:
        raise PleaseWait(until - now)


async def _count(db: Database, counters: Mapping[str, RateLimit], now: datetime) -> None:
    for key, limit in counters.items():
        await attempt_limits.count_attempt(db, key, limit, now)
