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
from quart_enroll.domain.student import Seat
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.accounts.password_reset import Links
from quart_enroll.services.accounts.rate_limiter import CHANGES, DOWNLOADS, RateLimiter
from quart_enroll.services.accounts.sessions import Lifetimes
from quart_enroll.services.catalog.cache import Snapshot
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.live.updates import Live
from quart_enroll.services.live.user_cache import UserCache
from quart_enroll.services.maintenance.schema_check import SchemaCheck

EXTENSION = "quart_enroll"


@dataclass(frozen=True, slots=True)
class AppState:
    """The parts that live from the start of serving to its end."""

    database: Database
    hasher: Hasher
    lifetimes: Lifetimes
    links: Links
    sends_mail: bool
    clock: Callable[[], datetime]
    snapshot: Snapshot
    live: Live
    people: UserCache
    schema: SchemaCheck
    enrollment: EnrollmentContext
    change_limiter: RateLimiter = field(default_factory=partial(RateLimiter, *CHANGES))
    download_limiter: RateLimiter = field(default_factory=partial(RateLimiter, *DOWNLOADS))


def database() -> Database:
    """Return the site's database."""
    return _open().database


def enrollment_context() -> EnrollmentContext:
    """Return what every change of seats needs: the database, the section locks and the batch queue."""
    return _open().enrollment


async def catalog() -> Catalog:
    """Return the catalog as this process holds it, a moment old at most."""
    return await _open().snapshot.held()


def catalog_at_hand() -> Catalog | None:
    """Return the catalog without asking the database; None before it is first read."""
    return _open().snapshot.present


async def seats(asked: Iterable[Seat]) -> list[Registration]:
    """Return what these seats are: of this catalog, and of terms that are over."""
    return await _open().snapshot.seats(asked)


def live() -> Live:
    """Return what tells open pages the news."""
    return _open().live


def people() -> UserCache:
    """Return what this process remembers about people."""
    return _open().people


def schema() -> SchemaCheck:
    """Return the check that tells whether `upgrade-db` must run."""
    return _open().schema


def change_limiter() -> RateLimiter:
    """Return the rate limiter of changes, by user_id."""
    return _open().change_limiter


def download_limiter() -> RateLimiter:
    """Return the rate limiter of downloads of one's own data, by user_id."""
    return _open().download_limiter


def hasher() -> Hasher:
    """Return what makes and checks password hashes."""
    return _open().hasher


def lifetimes() -> Lifetimes:
    """Return how long sign-ins last."""
    return _open().lifetimes


def links() -> Links:
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
