"""Results of queries in memory, removed as soon as one of the rows they came from is known to have changed."""

from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

from quart_enroll.bounded_cache import ByteCache

ROW_LINK_BYTES = 350
"""Bytes of the link from a row to the keys of the results read from it, with the row's own key."""

_EVERY_ROW: Final = object()


class CacheableResult(Protocol):
    """A query result: `row_ids` are the rows it was read from, or None if it must not be cached; `size` its bytes."""

    @property
    def row_ids(self) -> Set[Hashable] | None: ...

    @property
    def size(self) -> int: ...


Result = TypeVar("Result", bound=CacheableResult)


class QueryCache(Generic[Result]):
    """Query results by key, within the budget of that name, for as long as `is_current` says that changes are known."""

    def __init__(
        self, name: str, is_current: Callable[[], bool], on_invalidate: Callable[[Hashable], None] | None = None
    ) -> None:
        self._is_current = is_current
        self._on_invalidate = on_invalidate
        self._keys_by_row: dict[Hashable, tuple[Hashable, ...]] = {}  # mostly one key: a set takes 200 bytes more
        self._results: ByteCache[Hashable, Result] = ByteCache(name, _size, self._unlink)
        self._pending_reads: list[set[Hashable]] = []  # for each read, the rows that have changed since it began
        self._unused: dict[Hashable, int] = {}  # how often results were refreshed that nothing has asked for since

    async def get_or_read(self, key: Hashable, read: Callable[[], Awaitable[Result | None]]) -> Result | None:
        """Return the cached result, or else what `read` returns, which is then cached."""
        if not self._is_current():
            return await read()
        if (result := self.get(key)) is not None:
            return result
        with self._noting_changes() as changed:
            result = await read()
        if result is not None and _is_unchanged(key, result, changed):
            self._put(key, result)
        return result

    async def refresh(
        self, read: Callable[[], Awaitable[Mapping[Any, Result]]], unused: Mapping[Any, int]
    ) -> dict[Hashable, int]:
        """Cache the results that `read` returns by key, unless a request has read them meanwhile.

        `unused` has those keys, and how often each was refreshed before since it was last used. Returns the same of
        those that have changed meanwhile and so could not be cached.
        """
        with self._noting_changes() as changed:
            results = await read()
        changed_again = {}
        for key, result in results.items():
            if not _is_unchanged(key, result, changed):
                changed_again[key] = unused[key]
            elif key not in self._results:
                self._put(key, result)
                if key in self._results:
                    self._unused[key] = unused[key] + 1
        return changed_again

    def get(self, key: Hashable) -> Result | None:
        """Return the cached result, or None."""
        if not self._is_current():
            return None
        self._unused.pop(key, None)
        return self._results.get(key)

    def invalidate(self, row_id: Hashable) -> dict[Hashable, int]:
        """Remove the result under that key and the results read from that row, and report each key.

        Returns the keys of the removed results, and how often each was refreshed since it was last used.
        """
        for changed in self._pending_reads:
            changed.add(row_id)
        removed = {}
        for key in {row_id, *self._keys_by_row.get(row_id, ())}:
            if key in self._results:
                removed[key] = self._unused.get(key, 0)
                del self._results[key]
            if self._on_invalidate is not None:
                self._on_invalidate(key)
        return removed

    def clear(self) -> None:
        """Remove all results."""
        for changed in self._pending_reads:
            changed.add(_EVERY_ROW)
        self._results.clear()
        self._keys_by_row.clear()
        self._unused.clear()

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._results

    @contextmanager
    def _noting_changes(self) -> Iterator[set[Hashable]]:
        """Collect the rows that change while the block reads."""
        changed: set[Hashable] = set()
        self._pending_reads.append(changed)
        try:
            yield changed
        finally:
            self._pending_reads = [one for one in self._pending_reads if one is not changed]

    def _put(self, key: Hashable, result: Result) -> None:
        if result.row_ids is None:
            return
        self._results.pop(key, None)  # of two reads at the same time, the later result stays
        self._results[key] = result
        if key in self._results:
            for row_id in result.row_ids:
                self._keys_by_row[row_id] = (*self._keys_by_row.get(row_id, ()), key)

    def _unlink(self, key: Hashable, result: Result) -> None:
        self._unused.pop(key, None)
        for row_id in result.row_ids or ():
            if others := tuple(one for one in self._keys_by_row[row_id] if one != key):
                self._keys_by_row[row_id] = others
            else:
                del self._keys_by_row[row_id]


def _size(_: Hashable, result: CacheableResult) -> int:
    return result.size + ROW_LINK_BYTES * len(result.row_ids or ())


def _is_unchanged(key: Hashable, result: CacheableResult, changed: Set[Hashable]) -> bool:
    """Tell whether nothing that the result was read from has changed since the read began."""
    return changed.isdisjoint({key, _EVERY_ROW, *(result.row_ids or ())})
