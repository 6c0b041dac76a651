"""What a process remembers about people, so that to ask who they are costs the database nothing.

Everything is read once, and forgotten the moment the database tells that one of the rows it came from has changed, or
that its owner has a new one. What this process changes itself it forgets at once. While no news comes, nothing is
remembered: every request reads.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Set
from contextlib import asynccontextmanager
from time import monotonic
from typing import Generic, Protocol, TypeVar

from quart_enroll.bounded_cache import ByteCache
from quart_enroll.db import change_streams
from quart_enroll.db.change_streams import Row
from quart_enroll.db.client import Database
from quart_enroll.db.collections.logins import Found
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.system.background import run_in_background

ROW_BYTES = 350
"""Bytes of the link from a row to the answers read from it, with the row's own key."""

SILENCE = 2.0
"""Seconds without a word from the database after which nothing that is remembered counts. It speaks each half second,
if only to say that there is no news."""

PAUSE = 1.0
"""Seconds before the news is asked for again, when it could not be had."""

logger = logging.getLogger(__name__)


class FromRows(Protocol):
    """An answer that may be remembered: `rows` are those it was read from (None: don't keep it), `size` its bytes."""

    @property
    def rows(self) -> Set[Hashable] | None: ...

    @property
    def size(self) -> int: ...


V = TypeVar("V", bound=FromRows)


class Memory(Generic[V]):
    """Answers of the database, each under a key, within the budget of that name, while `counts` says that their rows
    are watched."""

    def __init__(self, name: str, counts: Callable[[], bool], tell: Callable[[Hashable], None] | None = None) -> None:
        self._counts = counts
        self._tell = tell
        self._made_of: dict[Hashable, tuple[Hashable, ...]] = {}  # nearly always one: a set would take 200 bytes more
        self._held: ByteCache[Hashable, V] = ByteCache(name, _size, self._unlink)
        self._readings: list[set[Hashable]] = []

    async def recall(self, key: Hashable, read: Callable[[], Awaitable[V | None]]) -> V | None:
        """Return what is remembered under the key, else what `read` finds, which is remembered from now on."""
        if not self._counts():
            return await read()
        if (found := self.known(key)) is not None:
            return found
        changed: set[Hashable] = set()  # while it is being read
        self._readings.append(changed)
        try:
            found = await read()
        finally:
            self._readings = [one for one in self._readings if one is not changed]
        if found is not None and found.rows is not None and changed.isdisjoint({key, EVERYTHING, *found.rows}):
            self._keep(key, found, found.rows)
        return found

    def known(self, key: Hashable) -> V | None:
        """Return what is remembered under the key."""
        if not self._counts() or (found := self._held.get(key)) is None:
            return None
        return found

    def forget(self, row: Hashable) -> None:
        """Forget what is remembered under that key, and what came from that row, and tell of each."""
        for changed in self._readings:
            changed.add(row)
        for key in {row, *self._made_of.get(row, ())}:
            self._drop(key)
            if self._tell is not None:
                self._tell(key)

    def forget_everything(self) -> None:
        for changed in self._readings:
            changed.add(EVERYTHING)
        self._held.clear()
        self._made_of.clear()

    def __len__(self) -> int:
        return len(self._held)

    def _keep(self, key: Hashable, found: V, rows: Set[Hashable]) -> None:
        self._drop(key)  # of two who have read the same the second one stays
        self._held[key] = found
        if key in self._held:
            for row in rows:
                self._made_of[row] = (*self._made_of.get(row, ()), key)

    def _drop(self, key: Hashable) -> None:
        self._held.pop(key, None)

    def _unlink(self, key: Hashable, found: V) -> None:
        for row in found.rows or ():
            if left := tuple(one for one in self._made_of[row] if one != key):
                self._made_of[row] = left
            else:
                del self._made_of[row]


def _size(_: Hashable, found: FromRows) -> int:
    return found.size + ROW_BYTES * len(found.rows or ())


EVERYTHING = object()


class UserCache:
    """Who is signed in, by the key of the sign-in, and where students stand, by user_id.

    `tell` hears the user_id of each student of whom something was forgotten; and other rows, which are nobody's.
    """

    def __init__(self, db: Database, tell: Callable[[Hashable], None] | None = None) -> None:
        self._db = db
        self._heard_at = float("-inf")
        self.logins: Memory[Found] = Memory("sign-ins", self.listens)
        self.students: Memory[StudentSnapshot] = Memory("students", self.listens, tell=tell)

    def listens(self) -> bool:
        """Tell whether the database has told lately what has changed."""
        return monotonic() - self._heard_at < SILENCE

    def forget(self, user_id: int) -> None:
        """Forget all about a user; for who has just written something about that one."""
        self.logins.forget(user_id)
        self.students.forget(user_id)

    async def listen(self) -> None:
        """Forget what the database says has changed, without end."""
        silent = False
        while True:
            try:
                async with change_streams.following_people(self._db) as news:
                    async for rows in news:
                        silent = False
                        for row in rows:
                            self._note(row)
                        self._heard_at = monotonic()
            except Exception as error:  # noqa: BLE001  # whatever it is, the database itself can still be asked
                if not silent:
                    logger.warning("people: no news of changes (%s); reading each time", type(error).__name__)
                silent = True
            self._heard_at = float("-inf")
            self._forget_everything()
            await asyncio.sleep(PAUSE)

    def _note(self, row: Row) -> None:
        if row.key is None:
            self._forget_everything()
            return
        memory = self.students if row.is_a_students else self.logins
        memory.forget(row.key)
        if row.user_id is not None:
            memory.forget(row.user_id)

    def _forget_everything(self) -> None:
        self.logins.forget_everything()
        self.students.forget_everything()


@asynccontextmanager
async def remembering(db: Database, tell: Callable[[Hashable], None] | None = None) -> AsyncIterator[UserCache]:
    """Give a memory that forgets what changes, and tells of whom, while the block runs."""
    people = UserCache(db, tell)
    async with run_in_background(people.listen()):
        yield people
