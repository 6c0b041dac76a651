"""What a running process holds: the database, caches, locks, rate limiters and the clock.

It is created when the process starts to serve. Views get its parts from the functions below; lower layers get them as
arguments.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import cast

from quart import Quart, current_app

from quart_enroll.db.client import Database
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration
from quart_enroll.domain.student import StudentSeat
from quart_enroll.observability.sampler import Sample
from quart_enroll.services.accounts.attempt_limits import PasswordLocks
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.accounts.rate_limiter import CHANGE_RATES, DOWNLOAD_RATES, RateLimiter
from quart_enroll.services.accounts.sessions import SignInLifetimes
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.waitlist_odds import WaitlistOdds
from quart_enroll.services.live.updates import UpdateBroker
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.services.maintenance.schema_check import SchemaCheck
from quart_enroll.services.staff.report_cache import ReportCache
from quart_enroll.system.clock import Clock
from quart_enroll.system.wakeup import Wakeup

EXTENSION = "quart_enroll"

API_PASSWORD_CHECKS = 4
"""Passwords of API requests that a process checks at a time. Each costs as much as a sign-in: programs that send a
password with every request must not delay people who sign in by hand."""

SCHEDULE_BUILDS = 1
"""Weeks that a process builds at a time: each search uses a core for some tenths of a second."""


@dataclass(frozen=True, slots=True)
class AppState:
    """The parts that live for as long as the process serves requests."""

    database: Database
    hasher: Hasher
    lifetimes: SignInLifetimes
    links: EmailLinks
    sends_mail: bool
    clock: Clock
    catalog_cache: CatalogCache
    update_broker: UpdateBroker
    user_cache: UserCache
    schema: SchemaCheck
    enrollment: EnrollmentContext
    load_history: deque[Sample]
    waitlist_odds: WaitlistOdds
    report_cache: ReportCache = field(default_factory=ReportCache)
    import_wakeup: Wakeup = field(default_factory=Wakeup)
    password_locks: PasswordLocks = field(default_factory=PasswordLocks)
    change_limiter: RateLimiter = field(default_factory=partial(RateLimiter, *CHANGE_RATES))
    api_password_slots: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, API_PASSWORD_CHECKS))
    builder_slots: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, SCHEDULE_BUILDS))
    download_limiter: RateLimiter = field(
        default_factory=partial(RateLimiter, *DOWNLOAD_RATES, cache="download limits")
    )


def database() -> Database:
    """Return the site's database."""
    return _state().database


def enrollment_context() -> EnrollmentContext:
    """Return what changes of seats need: the database, the section locks and the batch queue."""
    return _state().enrollment


async def catalog() -> Catalog:
    """Return the cached catalog, which is at most a moment old."""
    return await _state().catalog_cache.get()


def cached_catalog() -> Catalog | None:
    """Return the cached catalog without waiting for the database; None before it is first read."""
    return _state().catalog_cache.current


async def registrations_of(seats: Iterable[StudentSeat]) -> list[Registration]:
    """Return the courses and sections of these seats, including those in past terms."""
    return await _state().catalog_cache.registrations(seats)


async def past_catalog(term: str) -> Catalog:
    """Return a catalog of the past term of that name, whose sections the cached catalog lacks."""
    return await _state().catalog_cache.past_term(term)


def update_broker() -> UpdateBroker:
    """Return the broker that sends updates to open pages."""
    return _state().update_broker


def user_cache() -> UserCache:
    """Return the cache of users' sign-ins and registrations."""
    return _state().user_cache


def schema() -> SchemaCheck:
    """Return the check whether `upgrade-db` must run."""
    return _state().schema


def report_cache() -> ReportCache:
    """Return the cache of the dashboard's reports."""
    return _state().report_cache


def load_history() -> deque[Sample]:
    """Return the latest samples of this process's load."""
    return _state().load_history


def import_wakeup() -> Wakeup:
    """Return what makes the imports that are begun run at once."""
    return _state().import_wakeup


def waitlist_odds() -> WaitlistOdds:
    """Return what past terms say about positions on waitlists."""
    return _state().waitlist_odds


def change_limiter() -> RateLimiter:
    """Return the rate limiter of changes, by user_id."""
    return _state().change_limiter


def download_limiter() -> RateLimiter:
    """Return the rate limiter of data downloads, by user_id."""
    return _state().download_limiter


def password_locks() -> PasswordLocks:
    """Return the locks that let this process check one password of an account at a time."""
    return _state().password_locks


def api_password_slots() -> asyncio.Semaphore:
    """Return the limit of password checks for API requests."""
    return _state().api_password_slots


def builder_slots() -> asyncio.Semaphore:
    """Return the limit of searches for weeks."""
    return _state().builder_slots


def hasher() -> Hasher:
    """Return the hasher of passwords."""
    return _state().hasher


def lifetimes() -> SignInLifetimes:
    """Return the lifetimes of sign-ins."""
    return _state().lifetimes


def links() -> EmailLinks:
    """Return the signer of links in emails."""
    return _state().links


def sends_mail() -> bool:
    """Tell whether the site can send email."""
    return _state().sends_mail


def clock() -> Clock:
    """Return the clock, for work that goes on after the request."""
    return _state().clock


def now() -> datetime:
    """Return the current time, in UTC."""
    return _state().clock()


def site() -> Quart:
    """Return the application itself, which `current_app` is a proxy for: every page needs it twenty times."""
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # it is public


def _state() -> AppState:
    return cast(AppState, site().extensions[EXTENSION])
