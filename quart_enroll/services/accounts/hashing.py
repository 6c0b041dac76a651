"""Password hashes, made and checked beside the event loop so that nobody waits behind them."""

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
from quart_enroll.services.accounts.hash_slots import Slots

Result = TypeVar("Result")

LONGEST_WAIT = 15.0
"""Seconds that a password may wait for a thread: Heroku's router gives up after 30, and a renewal hashes twice."""

FIRST_GUESS, SHARE = 0.1, 0.2
"""Seconds that a hash takes, the wait for a slot included, before one was measured; and how much each one that is
measured counts from then on."""

NICENESS = 5
"""How far threads that hash stand back behind those that answer everybody else: a third of their share of a core
that both want. Further back, they would wait for whatever else the machine does."""

_MAY_BE_HASH = re.compile(r"[0-9a-f]{16,}|[a-z0-9./]{13}|[_{*!].*|.*\$.*|\S{22,}", re.IGNORECASE | re.DOTALL)
"""Hexadecimal digits, a hash of crypt's, one that begins with a sign or has parts, and whatever is as long as a digest
in base64."""

RETRY_AFTER = 5
"""Seconds after which somebody who found the queue full should try again."""


class NotBegun(asyncio.CancelledError):
    """The client hung up before a thread had looked at the password."""


class Hasher:
    """A few threads that hash, with a bounded queue in front; use it with `with`.

    Hashing releases the interpreter, so as many at a time as cores, all processes together, are as quick as can be:
    there is a thread for each of the `slots`, which the processes share. `queue` is how many hashes may wait or run:
    past it Busy is raised at once, and also when the wait would be longer than LONGEST_WAIT, as long as hashes take at
    present. Nobody waits longer than that for a thread, and who hangs up before makes room.
    `method` is one of werkzeug's.
    """

    def __init__(self, method: str, *, slots: Slots, queue: int) -> None:
        self.method = method
        self._queue = queue
        self._waiting = 0
        self._slots = slots
        self._takes = FIRST_GUESS
        self._threads = threading.local()
        self._numbers = count()
        self._executor = ThreadPoolExecutor(slots.number, thread_name_prefix="password", initializer=self._begin)

    def __enter__(self) -> "Hasher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> int:
        """How many hashes wait or run."""
        return self._waiting

    async def hash(self, password: str) -> str:
        """Return the hash to store; however a keyboard composes the characters, it is the same password."""
        return await self._run(lambda: generate_password_hash(normalized(password), self.method))

    async def fits(self, password: str, stored: str) -> bool:
        """Tell whether the password is the one that was hashed, by whatever method."""
        return await self._run(lambda: _fits(password, stored))

    def is_old(self, stored: str) -> bool:
        """Tell whether the hash was made by another method than today's."""
        return not stored.startswith(f"{self.method}$")

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= self._queue or self._waiting // self._slots.number * self._takes > LONGEST_WAIT:
            raise Busy(RETRY_AFTER)
        self._waiting += 1
        running = self._executor.submit(self._measured, work, monotonic())
        answer = asyncio.wrap_future(running)
        try:
            await asyncio.wait([answer], timeout=LONGEST_WAIT)
            if running.cancel():
                raise Busy(RETRY_AFTER)
            return await answer
        except asyncio.CancelledError:
            if running.cancel():
                raise NotBegun from None
            raise
        finally:
            self._waiting -= 1

    def _begin(self) -> None:
        """Give the thread its number, and let the system prefer others to it; only Linux can tell threads apart."""
        self._threads.number = next(self._numbers)
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)

    def _measured(self, work: Callable[[], Result], asked: float) -> Result:
        began = monotonic()
        try:
            with self._slots.take(self._threads.number):
                metrics.password_waited(monotonic() - asked)
                return work()
        finally:
            self._takes += (monotonic() - began - self._takes) * SHARE


def decoy(method: str) -> str:
    """Return a hash that no password fits, and that takes as long to check as any other."""
    return f"{method}$decoy$none"


def is_plain_text(stored: str) -> bool:
    """Return whether a stored text is certainly a plain-text password and not a hash of any kind."""
    return bool(stored) and not _MAY_BE_HASH.fullmatch(stored)


def normalized(password: str) -> str:
    """Return the password in the form of Unicode that NIST SP 800-63B names, NFKC."""
    return unicodedata.normalize("NFKC", password)


def _fits(password: str, stored: str) -> bool:
    """Tell whether the password fits, in its normal form or, for a hash from before there was one, as it was typed."""
    try:
        forms = dict.fromkeys([normalized(password), password])
        return any(check_password_hash(stored, form) for form in forms)
    except (ValueError, TypeError, OverflowError, MemoryError):  # no hash, or one of a method given up long ago
        return False
