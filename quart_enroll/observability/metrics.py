"""What the site counts of itself, for whoever watches it from outside.

The rest of the site says what happened; that Prometheus reads it is known only here. Several processes of one server
add up what they count in files of the folder that PROMETHEUS_MULTIPROC_DIR names, which must be set before this is
imported.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

P = ParamSpec("P")
Result = TypeVar("Result")

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
"""The others count as one: a visitor may make up any number of them."""

PAGE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
WAIT = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
DELAY = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
"""Borders in seconds, close to each other where somebody would want to know."""

_registry = CollectorRegistry()
_requests = Counter(
    "enroll_requests", "Requests that were answered.", ["endpoint", "method", "status"], registry=_registry
)
_seconds = Histogram(
    "enroll_request_seconds", "Time until an answer was ready.", ["endpoint"], buckets=PAGE, registry=_registry
)
_changes = Counter(
    "enroll_changes", "Changes of seats, lines, plans and alerts.", ["action", "result"], registry=_registry
)
_transactions = Counter("enroll_transactions", "Transactions that were begun.", ["result"], registry=_registry)
_retries = Counter("enroll_transaction_retries", "Tries after the first.", registry=_registry)
_turnstile_wait = Histogram(
    "enroll_turnstile_wait_seconds", "Time that changes stood in line.", buckets=WAIT, registry=_registry
)
_hash_wait = Histogram(
    "enroll_hash_wait_seconds", "Time that passwords waited for a thread.", buckets=WAIT, registry=_registry
)
_loop_delay = Histogram(
    "enroll_loop_delay_seconds", "How late the event loop wakes who slept.", buckets=DELAY, registry=_registry
)


def _now(name: str, sentence: str, of_all: str = "livesum") -> Gauge:
    return Gauge(name, sentence, registry=_registry, multiprocess_mode=of_all)  # type: ignore[arg-type]  # one of them


_changes_waiting = _now("enroll_changes_waiting", "Changes that wait or run.")
_hashes_waiting = _now("enroll_hashes_waiting", "Passwords that wait or are hashed.")
_live_pages = _now("enroll_live_pages", "Open pages that hear the news.")
_live_refused = Counter(
    "enroll_live_refused",
    "Pages without live updates because a share was used up, by that share.",
    ["reason"],
    registry=_registry,
)
_catalog_behind = _now("enroll_catalog_behind_seconds", "How long the catalog lacks what the database has.", "livemax")


def answered(endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count a request that was answered after so many seconds."""
    requests, times = _of_request(endpoint, method if method in METHODS else "other", status)
    requests.inc()
    times.observe(seconds)


@lru_cache(2000)
def _of_request(endpoint: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return _requests.labels(endpoint, method, status), _seconds.labels(endpoint)


def change(action: str) -> Callable[[Callable[P, Awaitable[Result]]], Callable[P, Awaitable[Result]]]:
    """Count what becomes of a change: "ok", the code of a refusal, or "unsettled" when nobody knows."""

    def decorate(make: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
        @wraps(make)
        async def counted(*args: P.args, **kwargs: P.kwargs) -> Result:
            result = "ok"
            try:
                return await make(*args, **kwargs)
            except BaseException as error:
                code = getattr(error, "code", None)  # numbers are the database's own
                result = code if isinstance(code, str) else "unsettled"
                raise
            finally:
                _changes.labels(action, result).inc()

        return counted

    return decorate


@contextmanager
def transaction() -> Iterator[None]:
    """Count a transaction: "committed", or "abandoned" when the block ends with an exception."""
    result = "abandoned"
    try:
        yield
        result = "committed"
    finally:
        _transactions.labels(result).inc()


def tried_again() -> None:
    """Count a further try of a transaction or its commit."""
    _retries.inc()


def stood_in_line(seconds: float) -> None:
    """Count how long a change stood before the turnstile."""
    _turnstile_wait.observe(seconds)


def password_waited(seconds: float) -> None:
    """Count how long a password waited for a thread."""
    _hash_wait.observe(seconds)


def live_page_refused(reason: str) -> None:
    """Count a page that gets no live updates because a share is used up."""
    _live_refused.labels(reason).inc()


def pulse(*, delay: float, changes: int, hashes: int, pages: int, behind: float) -> None:
    """Note how it is at this moment; `delay` and `behind` are in seconds."""
    _loop_delay.observe(delay)
    _changes_waiting.set(changes)
    _hashes_waiting.set(hashes)
    _live_pages.set(pages)
    _catalog_behind.set(behind)


def told() -> bytes:
    """Return all of it in Prometheus' words, for all processes of this server.

    Each line names the server (`dyno`): behind a router, one reading meets one of them and the next another.
    """
    reading = CollectorRegistry()
    # Where a program that tidies up /tmp has removed the folder, this process still has its own numbers.
    is_shared = FOLDER in os.environ and Path(os.environ[FOLDER]).is_dir()
    reading.register(_Named(MultiProcessCollector(None) if is_shared else _registry))  # type: ignore[no-untyped-call]
    return generate_latest(reading)


class _Named(Collector):
    """The metrics of `source`, each with the name of this server."""

    def __init__(self, source: CollectorRegistry | MultiProcessCollector) -> None:
        self._source = source
        self._name = os.environ.get("DYNO") or socket.gethostname()

    def collect(self) -> Iterable[Metric]:
        for metric in self._source.collect():
            metric.samples = [one._replace(labels={**one.labels, "dyno": self._name}) for one in metric.samples]
            yield metric

    def describe(self) -> Iterable[Metric]:
        """Nothing: it is read once, right after this."""
        return ()
