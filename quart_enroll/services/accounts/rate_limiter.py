"""Rate limits for changes and downloads, in the memory of each process: a check takes a microsecond and writes nothing.

Limits on passwords and registrations are in attempt_limits; they count in the database. The libraries `limits` and
`pyrate-limiter` need 6 to 22 µs per call, and neither bounds the number of keys that it remembers.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic

from quart_enroll.bounded_cache import ByteCache, size_of_entry


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` uses at once, and one more every `interval` seconds."""

    burst: int
    interval: float


CHANGE_RATES = (Rate(burst=300, interval=1), Rate(burst=3000, interval=30))
"""Changes that one account may make: enough for five minutes of impatient clicking on several devices, and for far more
in a day than any student needs, but in the long run only one per second, when the site can handle hundreds."""

DOWNLOAD_RATES = (Rate(burst=10, interval=60),)
"""Downloads of the user's own data; each reads every row about the account."""


class RateLimiter:
    """Token buckets, one for each key and rate; a use needs a token from each.

    For each bucket, only the moment when it will be full again is stored (the generic cell rate algorithm). The limiter
    forgets the least recently used keys, whose buckets are most likely full again.
    """

    def __init__(self, *rates: Rate, cache: str = "change limits", clock: Callable[[], float] = monotonic) -> None:
        self._rates = rates
        self._clock = clock
        self._full_at: ByteCache[Hashable, tuple[float, ...]] = ByteCache(cache, size_of_entry)

    def take(self, key: Hashable) -> float:
        """Use one token and return 0; if there is none, return the seconds until there is one."""
        now = self._clock()
        full_at = self._full_at.get(key)
        if full_at is not None:
            pairs = zip(full_at, self._rates, strict=True)
            wait = max(full - now - (rate.burst - 1) * rate.interval for full, rate in pairs)
            if wait > 0:
                return wait
        self._use(key, full_at, 1, now)
        return 0

    def charge(self, key: Hashable, tokens: int) -> None:
        """Use more tokens for a request that cost more than one; the next request may have to wait."""
        self._use(key, self._full_at.get(key), tokens, self._clock())

    def __len__(self) -> int:
        return len(self._full_at)

    def _use(self, key: Hashable, full_at: tuple[float, ...] | None, tokens: int, now: float) -> None:
        before = full_at or (now,) * len(self._rates)
        self._full_at[key] = tuple(
            max(full, now) + tokens * rate.interval for full, rate in zip(before, self._rates, strict=True)
        )
