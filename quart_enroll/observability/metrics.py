"""Metrics of the site, read by Prometheus; no other module knows that.

The processes of one server add up their counts in files in the folder that PROMETHEUS_MULTIPROC_DIR names. The variable
must be set before this module is imported.
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
METRICS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
COUNTED_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
"""All others are counted as one, because a visitor can invent any number of them."""

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
WAIT_BUCKETS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
DELAY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
"""Upper bounds in seconds, closest together where precision matters."""

_registry = CollectorRegistry()
_requests = Counter("enroll_requests", "Requests answered.", ["endpoint", "method", "status"], registry=_registry)
_seconds = Histogram(
    "enroll_request_seconds",
    "Time until a response was ready.",
    ["endpoint"],
    buckets=REQUEST_BUCKETS,
    registry=_registry,
)
_changes = Counter(
    "enroll_changes", "Changes of seats, waitlists, plans and alerts.", ["action", "result"], registry=_registry
)
_transactions = Counter("enroll_transactions", "Transactions started.", ["result"], registry=_registry)
_retries = Counter("enroll_transaction_retries", "Retries of a transaction or its commit.", registry=_registry)
_lock_wait = Histogram(
    "enroll_section_lock_wait_seconds",
    "Time changes waited for a section lock.",
    buckets=WAIT_BUCKETS,
    registry=_registry,
)
_hash_wait = Histogram(
    "enroll_hash_wait_seconds", "Time passwords waited for a hashing thread.", buckets=WAIT_BUCKETS, registry=_registry
)
_loop_delay = Histogram(
    "enroll_loop_delay_seconds", "Delay of the event loop.", buckets=DELAY_BUCKETS, registry=_registry
)


def _gauge(name: str, description: str, mode: str = "livesum") -> Gauge:
    return Gauge(name, description, registry=_registry, multiprocess_mode=mode)  # type: ignore[arg-type]  # a known mode


_changes_waiting = _gauge("enroll_changes_waiting", "Changes that are waiting or running.")
_hashes_waiting = _gauge("enroll_hashes_waiting", "Password hashes that are waiting or running.")
_live_pages = _gauge("enroll_live_pages", "Open pages that receive live updates.")
_live_refused = Counter(
    "enroll_live_refused", "Pages refused live updates, by the limit that was reached.", ["reason"], registry=_registry
)
_catalog_behind = _gauge("enroll_catalog_behind_seconds", "How far the catalog is behind the database.", "livemax")


def record_response(endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count a request and record how long the response took."""
    requests, times = _request_metrics(endpoint, method if method in COUNTED_METHODS else "other", status)
    requests.inc()
    times.observe(seconds)


@lru_cache(2000)
def _request_metrics(endpoint: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return _requests.labels(endpoint, method, status), _seconds.labels(endpoint)


def count_change(action: str) -> Callable[[Callable[P, Awaitable[Result]]], Callable[P, Awaitable[Result]]]:
    """Count the results of a change: "ok", a refusal's code, or "unsettled" if the outcome is unknown."""

    def decorate(make: Callable[P, Awaitable[Result]]) -> Callable[P, Awaitable[Result]]:
        @wraps(make)
        async def counted(*args: P.args, **kwargs: P.kwargs) -> Result:
            result = "ok"
            try:
                return await make(*args, **kwargs)
            except BaseException as error:
                code = getattr(error, "code", None)  # a number is one of MongoDB's own codes
                result = code if isinstance(code, str) else "unsettled"
                raise
            finally:
                _changes.labels(action, result).inc()

        return counted

    return decorate


@contextmanager
def count_transaction() -> Iterator[None]:
    """Count a transaction as "committed", or as "abandoned" if the block raises."""
    result = "abandoned"
    try:
        yield
        result = "committed"
    finally:
        _transactions.labels(result).inc()


def count_retry() -> None:
    """Count a retry of a transaction or of its commit."""
    _retries.inc()


def record_lock_wait(seconds: float) -> None:
    """Record how long a change waited for its section lock."""
    _lock_wait.observe(seconds)


def record_hash_wait(seconds: float) -> None:
    """Record how long a password waited for a hashing thread."""
    _hash_wait.observe(seconds)


def count_refused_live_page(reason: str) -> None:
    """Count a page that gets no live updates because a limit was reached."""
    _live_refused.labels(reason).inc()


def record_sample(
    *, loop_delay: float, pending_changes: int, pending_hashes: int, live_pages: int, catalog_lag: float
) -> None:
    """Record the current values; `loop_delay` and `catalog_lag` are in seconds."""
    _loop_delay.observe(loop_delay)
    _changes_waiting.set(pending_changes)
    _hashes_waiting.set(pending_hashes)
    _live_pages.set(live_pages)
    _catalog_behind.set(catalog_lag)


def exposition() -> bytes:
    """Return all metrics of this server's processes in Prometheus' text format.

    Each sample has the server's name as the label `dyno`, because a router may send each scrape to another server.
    """
    combined = CollectorRegistry()
    # If something has cleared the folder from /tmp, report this process's own metrics.
    is_shared = METRICS_FOLDER_VARIABLE in os.environ and Path(os.environ[METRICS_FOLDER_VARIABLE]).is_dir()
    source = MultiProcessCollector(None) if is_shared else _registry  # type: ignore[no-untyped-call]
    combined.register(_MetricsWithHost(source))
    return generate_latest(combined)


class _MetricsWithHost(Collector):
    """The metrics of `source`, each labeled with this server's name."""

    def __init__(self, source: CollectorRegistry | MultiProcessCollector) -> None:
        self._source = source
        self._host = os.environ.get("DYNO") or socket.gethostname()

    def collect(self) -> Iterable[Metric]:
        for metric in self._source.collect():
            metric.samples = [one._replace(labels={**one.labels, "dyno": self._host}) for one in metric.samples]
            yield metric

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the registry is read only once, right after registration."""
        return ()
