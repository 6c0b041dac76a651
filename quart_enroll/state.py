"""What the running site holds open: the database, the catalog, the password threads, the clock, and more."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import cast

from quart import current_app

from quart_enroll.db.client import Database
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration
from quart_enroll.domain.student import StudentSeat
from quart_enroll.services.accounts.attempt_limits import PasswordLocks
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.accounts.rate_limiter import CHANGE_RATES, DOWNLOAD_RATES, RateLimiter
from quart_enroll.services.accounts.sessions import SignInLifetimes
from quart_enroll.services.catalog.cache import CatalogCache
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.live.updates import UpdateBroker
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.services.maintenance.schema_check import SchemaCheck

EXTENSION = "quart_enroll"


@dataclass(frozen=True, slots=True)
class AppState:
    """The parts that live from the start of serving to its end."""

    database: Database
    hasher: Hasher
    lifetimes: SignInLifetimes
    links: EmailLinks
    sends_mail: bool
    clock: Callable[[], datetime]
    catalog_cache: CatalogCache
    update_broker: UpdateBroker
    user_cache: UserCache
    schema: SchemaCheck
    enrollment: EnrollmentContext
    password_locks: PasswordLocks = field(default_factory=PasswordLocks)
    change_limiter: RateLimiter = field(default_factory=partial(RateLimiter, *CHANGE_RATES))
    download_limiter: RateLimiter = field(
        default_factory=partial(RateLimiter, *DOWNLOAD_RATES, cache="download limits")
    )


def database() -> Database:
    """Return the site's database."""
    return _open().database


def enrollment_context() -> EnrollmentContext:
    """Return what every change of seats needs: the database, the section locks and the batch queue."""
    return _open().enrollment


async def catalog() -> Catalog:
    """Return the catalog as this process holds it, a moment old at most."""
    return await _open().catalog_cache.get()


def catalog_at_hand() -> Catalog | None:
    """Return the catalog without asking the database; None before it is first read."""
    return _open().catalog_cache.current


async def seats(asked: Iterable[StudentSeat]) -> list[Registration]:
    """Return what these seats are: of this catalog, and of terms that are over."""
    return await _open().catalog_cache.registrations(asked)


def update_broker() -> UpdateBroker:
    """Return what tells open pages the news."""
    return _open().update_broker


def user_cache() -> UserCache:
    """Return what this process remembers about people."""
    return _open().user_cache


def schema() -> SchemaCheck:
    """Return the check that tells whether `upgrade-db` must run."""
    return _open().schema


def change_limiter() -> RateLimiter:
    """Return the rate limiter of changes, by user_id."""
    return _open().change_limiter


def download_limiter() -> RateLimiter:
    """Return the rate limiter of downloads of one's own data, by user_id."""
    return _open().download_limiter


def password_locks() -> PasswordLocks:
    """Return the locks that let this process check one password of an account at a time."""
    return _open().password_locks


def hasher() -> Hasher:
    """Return what makes and checks password hashes."""
    return _open().hasher


def lifetimes() -> SignInLifetimes:
    """Return how long sign-ins last."""
    return _open().lifetimes


def links() -> EmailLinks:
    """Return what makes and reads the links in e-mails."""
    return _open().links


def sends_mail() -> bool:
    """Tell whether an e-mail that the site writes goes anywhere."""
    return _open().sends_mail


def clock() -> Callable[[], datetime]:
    """Return what tells the present moment, for what goes on after the request."""
    return _open().clock


def now() -> datetime:
    """Return the present moment, in UTC."""
    return _open().clock()


def _open() -> AppState:
    return cast(AppState, current_app.extensions[EXTENSION])
