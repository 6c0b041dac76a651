"""Hashes and verifies passwords in threads, so that the event loop never waits for a hash."""

import asyncio
import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import monotonic
from types import TracebackType
from typing import TypeVar

from werkzeug.security import check_password_hash, generate_password_hash

from quart_enroll.domain.errors import Busy
from quart_enroll.observability import metrics
from quart_enroll.services.accounts.hash_slots import HashSlots

Result = TypeVar("Result")

MAX_HASH_WAIT_SECONDS = 15.0
"""How long a password may wait for a thread. Heroku's router gives up after 30 s, and a renewal hashes twice."""

INITIAL_HASH_SECONDS, NEW_SAMPLE_WEIGHT = 0.1, 0.2
"""The moving average of the time that a hash takes, including the wait for a slot: its first value, and the weight of
each new measurement."""

HASH_THREAD_NICENESS = 5
"""The niceness of hashing threads: they get a third of the time of a contended core. With a higher value, they would
wait for every other program on the machine."""

_MAY_BE_HASH = re.compile(r"[0-9a-f]{16,}|[a-z0-9./]{13}|[_{*!].*|.*\$.*|\S{22,}", re.IGNORECASE | re.DOTALL)
"""Matches hexadecimal digits, hashes made by crypt, texts with a prefix or parts, and anything as long as a base64
digest."""

BUSY_RETRY_SECONDS = 5
"""When to try again after finding the queue full."""


class HashingNotStarted(asyncio.CancelledError):
    """The client hung up before a thread started on the password."""


class Hasher:
    """Hashing threads with a bounded queue; a context manager.

    Hashing releases the GIL, so one hash per core, over all processes, is the fastest: there is a thread for each of
    the shared `slots`. `queue` is the number of hashes that may be waiting or running. Beyond it, or if the expected
    wait exceeds MAX_HASH_WAIT_SECONDS, Busy is raised at once. Waiting longer than that also raises Busy, and a client
    that hangs up before its turn makes room. `method` is one of Werkzeug's.
    """

    def __init__(self, method: str, *, slots: HashSlots, queue: int) -> None:
        self.method = method
        self._queue = queue
        self._pending = 0
        self._slots = slots
        self._average_seconds = INITIAL_HASH_SECONDS
        self._threads = threading.local()
        self._thread_numbers = count()
        self._executor = ThreadPoolExecutor(
            slots.number, thread_name_prefix="password", initializer=self._prepare_thread
        )

    def __enter__(self) -> "Hasher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    @property
    def pending(self) -> int:
        """The number of hashes that are waiting or running."""
        return self._pending

    async def hash(self, password: str) -> str:
        """Return the hash to store; it does not depend on how a keyboard composes characters."""
        return await self._run(lambda: generate_password_hash(normalize_password(password), self.method))

    async def verify(self, password: str, stored: str) -> bool:
        """Return whether the password matches the stored hash, whatever its method."""
        return await self._run(lambda: _verify(password, stored))

    def is_outdated(self, stored: str) -> bool:
        """Return whether the hash was made with another method than the current one."""
        return not stored.startswith(f"{self.method}$")

    async def _run(self, work: Callable[[], Result]) -> Result:
        if (
            self._pending >= self._queue
            or self._pending // self._slots.number * self._average_seconds > MAX_HASH_WAIT_SECONDS
        ):
            raise Busy(BUSY_RETRY_SECONDS)
        self._pending += 1
        running = self._executor.submit(self._run_in_slot, work, monotonic())
        answer = asyncio.wrap_future(running)
        try:
            await asyncio.wait([answer], timeout=MAX_HASH_WAIT_SECONDS)
            if running.cancel():
                raise Busy(BUSY_RETRY_SECONDS)
            return await answer
        except asyncio.CancelledError:
            if running.cancel():
                raise HashingNotStarted from None
            raise
        finally:
            self._pending -= 1

    def _prepare_thread(self) -> None:
        """Number the thread and lower its priority, which only Linux can do for a single thread."""
        self._threads.number = next(self._thread_numbers)
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), HASH_THREAD_NICENESS)

    def _run_in_slot(self, work: Callable[[], Result], queued_at: float) -> Result:
        started_at = monotonic()
        try:
            with self._slots.take(self._threads.number):
                metrics.record_hash_wait(monotonic() - queued_at)
                return work()
        finally:
            self._average_seconds += (monotonic() - started_at - self._average_seconds) * NEW_SAMPLE_WEIGHT


def unusable_hash(method: str) -> str:
    """Return a hash that no password matches and that takes as long to check as any other."""
    return f"{method}$decoy$none"


def is_plain_text(stored: str) -> bool:
    """Return whether the stored text is certainly a plain-text password, not a hash of any kind."""
    return bool(stored) and not _MAY_BE_HASH.fullmatch(stored)


def normalize_password(password: str) -> str:
    """Return the password in NFKC, the Unicode form that NIST SP 800-63B recommends."""
    return unicodedata.normalize("NFKC", password)


def _verify(password: str, stored: str) -> bool:
    """Check the normalized password, and the password as typed, because old hashes were made without normalizing."""
    try:
        forms = dict.fromkeys([normalize_password(password), password])
        return any(check_password_hash(stored, form) for form in forms)
    except (ValueError, TypeError, OverflowError, MemoryError):  # not a hash, or one made with a discontinued method
        return False
