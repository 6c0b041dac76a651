"""Caches bounded in bytes, and the budget of each in one process.

Visitors choose the keys of a cache: paths, searches, cookies, languages. So a limit on the number of entries would not
limit memory. Each cache has a budget in bytes instead, and keys count too. `functools.lru_cache` is only for keys that
visitors can't choose, and for their texts after truncation.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, ParamSpec, TypeVar, cast, overload

from cachetools import LRUCache
from cachetools import cached as cached_in

P = ParamSpec("P")
K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

CACHE_BYTES = {
    "public responses": 5_000_000,
    "page fragments": 18_000_000,
    "catalog rows": 7_000_000,
    "students": 17_000_000,
    "sign-ins": 6_000_000,
    "row signatures": 1_000_000,
    "searches": 1_000_000,
    "pages of rows": 1_500_000,
    "term phases": 50_000,
    "seats of past terms": 500_000,
    "live seats": 1_000_000,
    "URLs": 700_000,
    "section marks": 500_000,
    "cookie headers": 300_000,
    "session cookies": 250_000,
    "sign-in cookies": 350_000,
    "page tokens": 2_500_000,
    "visitors": 6_000_000,
    "change limits": 1_000_000,
    "download limits": 200_000,
    "numbers": 200_000,
    "moments": 200_000,
    "hours": 100_000,
    "matched paths": 300_000,
    "reports": 3_000_000,
}
"""The most bytes that each cache of a process may hold."""

TOTAL_CACHE_BYTES = sum(CACHE_BYTES.values())
"""The most that all caches of a process may hold; the rest of its 150 MiB is for code, the catalog and requests."""

ENTRY_BYTES = 450
"""Bytes of an entry besides its key and value: its slots in three dictionaries, and a small tuple as key."""

TEXT_BYTES = 80
"""Bytes of a text besides its characters."""


class ByteCache(LRUCache[K, V]):
    """A cache that evicts its least recently used entries to stay within the budget of that name.

    `size` estimates the bytes of a key and its value together. An entry larger than the whole budget isn't cached.
    `on_remove` is called with each entry that is removed, except by `clear`.
    """

    def __init__(self, name: str, size: Callable[[K, V], int], on_remove: Callable[[K, V], None] | None = None) -> None:
        super().__init__(CACHE_BYTES[name])
        self._size = size
        self._on_remove = on_remove
        self._next_size = 0

    def __setitem__(self, key: K, value: V, *_: Any) -> None:
        self._next_size = ENTRY_BYTES + self._size(key, value)
        if self._next_size > self.maxsize:
            self.pop(key, None)
        else:
            super().__setitem__(key, value)

    @overload
    def get(self, key: K, default: None = None) -> V | None: ...

    @overload
    def get(self, key: K, default: T) -> V | T: ...

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of the key; cachetools looks it up three times, and long keys take as long as their page."""
        try:
            return self[key]
        except KeyError:
            return default

    def __delitem__(self, key: K, *_: Any) -> None:
        if self._on_remove is None:
            super().__delitem__(key)
        else:
            value = self[key]
            super().__delitem__(key)
            self._on_remove(key, value)

    def getsizeof(self, value: V) -> int:  # type: ignore[override]  # cachetools passes only the value
        """Return the size of the entry that is being stored."""
        return self._next_size


def size_of(value: object) -> int:
    """Estimate the bytes of texts, and of numbers and tuples of them; anything else counts as a small object."""
    if isinstance(value, str):
        # Beyond ASCII, Python stores every character of a text in the width of its widest one.
        return TEXT_BYTES + len(value) * (1 if value.isascii() else 4)
    if isinstance(value, bytes):
        return TEXT_BYTES + len(value)
    if isinstance(value, tuple | list | set | frozenset):
        return TEXT_BYTES + sum(8 + size_of(one) for one in cast("Iterable[object]", value))
    return TEXT_BYTES


def size_of_entry(key: object, value: object) -> int:
    """Estimate the bytes of a key and a value, as `size_of` does."""
    return size_of(key) + size_of(value)


def cached(name: str, size: Callable[[Any, Any], int] = size_of_entry) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """Cache what a function returns, by its arguments, within the budget of that name."""
    cache: ByteCache[Hashable, Any] = ByteCache(name, size)
    return cast("Callable[[Callable[P, V]], Callable[P, V]]", cached_in(cache))
