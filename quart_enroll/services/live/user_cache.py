"""Sign-ins and students' data in the memory of each process, so that recognizing a user costs the database nothing.

Each result is read once, and removed as soon as the database reports that one of the rows it came from has changed, or
that its user has a new one. What this process changes itself is removed at once. Without a change stream, nothing is
cached: every request reads.

The data of students who were here a moment ago is read again soon after a change, for many students in one query, so
that their next page has it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice

from quart_enroll.db import change_streams
from quart_enroll.db.change_streams import ChangeFollower, UserChange
from quart_enroll.db.client import Database
from quart_enroll.db.collections import events, logins
from quart_enroll.db.collections.logins import LiveLogin
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.models import Event
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.services.live.batch_reader import BatchReader
from quart_enroll.services.live.query_cache import QueryCache
from quart_enroll.system.background import run_in_background

REFRESH_DELAY_SECONDS = 0.005
"""Seconds from a change until its student is read again."""

REFRESH_PAUSE_SECONDS = 0.05
"""Pause between two such queries. While a crowd makes changes, it collects ten or more students for each: then a
student costs a sixth of a query for one, and with a hundred a fifteenth."""

MAX_STUDENTS_PER_REFRESH = 100
"""Students who are read in one query."""

MAX_STUDENTS_TO_REFRESH = 2000
"""Students who wait to be read again; when more change at once, the next page of the others reads them."""

MAX_UNUSED_REFRESHES = 6
"""How often a student is read again without opening a page in this process. With two processes, every other page is
answered by the other one, and a student who hasn't been here for six changes is one in 64. Reading that student alone
takes as much as ten times with others."""

MAX_CHANGES = 3
"""How many of a student's latest changes are read for the home page."""

logger = logging.getLogger(__name__)


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
        self._db = db
        self.student_reader = BatchReader(self._read_students)
        self.login_reader = BatchReader[str, LiveLogin](lambda keys: logins.find_many(db, keys))
        self.change_reader = BatchReader[int, Sequence[Event]](
            lambda user_ids: events.find_latest_changes(db, user_ids, MAX_CHANGES)
        )
        self._to_refresh: dict[int, int] = {}  # by user_id, the refreshes since the last use; the first change first
        self._must_refresh = asyncio.Event()
        self.logins: QueryCache[LiveLogin] = QueryCache("sign-ins", self.is_current)
        self.students: QueryCache[StudentSnapshot] = QueryCache("students", self.is_current, on_invalidate)

    def is_current(self) -> bool:
        """Return whether the database has recently reported what has changed."""
        return self._follower.is_current

    def invalidate(self, user_id: int) -> None:
        """Remove everything about a user; call this after any write about that user."""
        self.logins.invalidate(user_id)
        self._refresh_soon(self.students.invalidate(user_id))

    async def follow_changes(self) -> None:
        """Remove what the database reports as changed, until cancelled."""
        await self._follower.follow()

    async def refresh_changed(self) -> None:
        """Read students again after a change, until cancelled."""
        while True:
            await self._must_refresh.wait()
            await asyncio.sleep(REFRESH_DELAY_SECONDS)
            chosen = dict(islice(self._to_refresh.items(), MAX_STUDENTS_PER_REFRESH))
            for user_id in chosen:
                del self._to_refresh[user_id]
            if not self._to_refresh:
                self._must_refresh.clear()
            try:
                await self._refresh({user_id: n for user_id, n in chosen.items() if user_id not in self.students})
            except Exception as error:  # noqa: BLE001  # whatever it is, each student's next page reads the data itself
                logger.warning("students can't be read again: %s", type(error).__name__)
            await asyncio.sleep(REFRESH_PAUSE_SECONDS)

    async def _read_students(self, user_ids: Sequence[int]) -> dict[int, StudentSnapshot]:
        if len(user_ids) > 1:
            return await student_facts.find_many(self._db, user_ids)
        [user_id] = user_ids
        return {user_id: await student_facts.find(self._db, user_id)}

    async def _refresh(self, unused: Mapping[int, int]) -> None:
        if unused:
            read = partial(student_facts.find_many, self._db, list(unused))
            self._refresh_soon(await self.students.refresh(read, unused))

    def _refresh_soon(self, unused: Mapping[Hashable, int]) -> None:
        """Read these students again soon; the numbers are the refreshes since each was last used."""
        for user_id, refreshes in unused.items():
            has_room = len(self._to_refresh) < MAX_STUDENTS_TO_REFRESH
            if isinstance(user_id, int) and refreshes < MAX_UNUSED_REFRESHES and has_room:
                self._to_refresh[user_id] = refreshes
                self._must_refresh.set()

    def _note_change(self, change: UserChange) -> None:
        if change.row_id is None:
            self._clear()
            return
        row_ids = {change.row_id} if change.user_id is None else {change.row_id, change.user_id}
        for row_id in row_ids:
            if change.is_student_fact:
                self._refresh_soon(self.students.invalidate(row_id))
            else:
                self.logins.invalidate(row_id)

    def _clear(self) -> None:
        self.logins.clear()
        self.students.clear()
        self._to_refresh.clear()


@asynccontextmanager
async def open_user_cache(
    db: Database, on_invalidate: Callable[[Hashable], None] | None = None
) -> AsyncIterator[UserCache]:
    """Keep a user cache up to date while the block runs."""
    cache = UserCache(db, on_invalidate)
    async with run_in_background(cache.follow_changes(), cache.refresh_changed()):
        yield cache
