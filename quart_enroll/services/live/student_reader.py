"""Read what is stored about students who are asked for at the same moment in one query.

A query for one student costs as much as a page, one for ten students little more. While a query runs, the next students
are collected; otherwise a query begins at once, so that nobody waits for others.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice

from quart_enroll.db.client import Database
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.student import StudentSnapshot

MAX_STUDENTS_PER_READ = 100
"""Most students who are read in one query."""


class StudentReader:
    """Reads students for one process. A query begins after the call of each student whom it reads."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[int, asyncio.Future[StudentSnapshot]] = {}
        self._running: asyncio.Task[None] | None = None

    async def read(self, user_id: int) -> StudentSnapshot:
        """Return what is stored about the student now; raise one of client.DATABASE_UNAVAILABLE."""
        found = self._waiting.get(user_id)
        if found is None:
            found = self._waiting[user_id] = asyncio.get_running_loop().create_future()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._read_waiting())
        return await asyncio.shield(found)  # others may wait for the same student

    async def _read_waiting(self) -> None:
        while self._waiting:
            reading = {user_id: self._waiting[user_id] for user_id in islice(self._waiting, MAX_STUDENTS_PER_READ)}
            for user_id in reading:
                del self._waiting[user_id]
            try:
                snapshots = await self._read(list(reading))
            except Exception as error:  # noqa: BLE001  # each caller gets it
                for found in reading.values():
                    found.set_exception(error)
                    found.exception()  # retrieved, because the callers may have gone
            else:
                for user_id, found in reading.items():
                    found.set_result(snapshots[user_id])

    async def _read(self, user_ids: Sequence[int]) -> dict[int, StudentSnapshot]:
        if len(user_ids) > 1:
            return await student_facts.find_many(self._db, user_ids)
        [user_id] = user_ids
        return {user_id: await student_facts.find(self._db, user_id)}
