"""Sign-ins and students' data in the memory of each process, so that recognizing a user costs the database nothing.

Each result is read once, and removed as soon as the database reports that one of the rows it came from has changed, or
that its user has a new one. What this process changes itself is removed at once. Without a change stream, nothing is
cached: every request reads.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Set
from contextlib import asynccontextmanager
from typing import Final, Generic, Protocol, TypeVar

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.db import change_streams
from quart_enroll.db.change_streams import ChangeFollower, UserChange
from quart_enroll.db.client import Database
from quart_enroll.db.collections.logins import LiveLogin
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.system.background import run_in_background

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

    async def get_or_read(self, key: Hashable, read: Callable[[], Awaitable[Result | None]]) -> Result | None:
        """Return the cached result, or else what `read` returns, which is then cached."""
        if not self._is_current():
            return await read()
        if (result := self.get(key)) is not None:
            return result
        changed: set[Hashable] = set()
        self._pending_reads.append(changed)
        try:
            result = await read()
        finally:
            self._pending_reads = [one for one in self._pending_reads if one is not changed]
        if result is not None and result.row_ids is not None and changed.isdisjoint({key, _EVERY_ROW, *result.row_ids}):
            self._put(key, result, result.row_ids)
        return result

    def get(self, key: Hashable) -> Result | None:
        """Return the cached result, or None."""
        return self._results.get(key) if self._is_current() else None

    def invalidate(self, row_id: Hashable) -> None:
        """Remove the result under that key and the results read from that row, and report each key."""
        for changed in self._pending_reads:
            changed.add(row_id)
        for key in {row_id, *self._keys_by_row.get(row_id, ())}:
            self._results.pop(key, None)
            if self._on_invalidate is not None:
                self._on_invalidate(key)

    def clear(self) -> None:
        """Remove all results."""
        for changed in self._pending_reads:
            changed.add(_EVERY_ROW)
        self._results.clear()
        self._keys_by_row.clear()

    def __len__(self) -> int:
        return len(self._results)

    def _put(self, key: Hashable, result: Result, row_ids: Set[Hashable]) -> None:
        self._results.pop(key, None)  # of two reads at the same time, the later result stays
        self._results[key] = result
        if key in self._results:
            for row_id in row_ids:
                self._keys_by_row[row_id] = (*self._keys_by_row.get(row_id, ()), key)

    def _unlink(self, key: Hashable, result: Result) -> None:
        for row_id in result.row_ids or ():
            if others := tuple(one for one in self._keys_by_row[row_id] if one != key):
                self._keys_by_row[row_id] = others
            else:
                del self._keys_by_row[row_id]


def _size(_: Hashable, result: CacheableResult) -> int:
    return result.size + ROW_LINK_BYTES * len(result.row_ids or ())


class UserCache:
    """Sign-ins by the digest of their token, and students' seats, waitlists, plans and alerts by user_id.

    `on_invalidate` is called with the user_id of each student whose data was removed, and with the `_id`s of rows.
    """

    def __init__(self, db: Database, on_invalidate: Callable[[Hashable], None] | None = None) -> None:
        self._follower: ChangeFollower[UserChange] = ChangeFollower(
            lambda: change_streams.watch_users(db),
            on_change=self._note_change,
            on_gap=self._clear,
            fallback="every request reads who is signed in",
        )
        self.logins: QueryCache[LiveLogin] = QueryCache("sign-ins", self.is_current)
        self.students: QueryCache[StudentSnapshot] = QueryCache("students", self.is_current, on_invalidate)

    def is_current(self) -> bool:
        """Return whether the database has recently reported what has changed."""
        return self._follower.is_current

    def invalidate(self, user_id: int) -> None:
        """Remove everything about a user; call this after any write about that user."""
        self.logins.invalidate(user_id)
        self.students.invalidate(user_id)

    async def follow_changes(self) -> None:
        """Remove what the database reports as changed, until cancelled."""
        await self._follower.follow()

    def _note_change(self, change: UserChange) -> None:
        if change.row_id is None:
            self._clear()
            return
        cache: QueryCache[StudentSnapshot] | QueryCache[LiveLogin] = (
            self.students if change.is_student_fact else self.logins
        )
        cache.invalidate(change.row_id)
        if change.user_id is not None:
            cache.invalidate(change.user_id)

    def _clear(self) -> None:
        self.logins.clear()
        self.students.clear()


@asynccontextmanager
async def open_user_cache(
    db: Database, on_invalidate: Callable[[Hashable], None] | None = None
) -> AsyncIterator[UserCache]:
    """Keep a user cache up to date while the block runs."""
    cache = UserCache(db, on_invalidate)
    async with run_in_background(cache.follow_changes()):
        yield cache
