"""The data of students who were here a moment ago is read again after a change, before they ask for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from pymongo.errors import AutoReconnect

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, logins
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.services.enrollment import student
from quart_enroll.services.live import user_cache
from quart_enroll.services.live.batch_reader import BatchReader
from quart_enroll.services.live.user_cache import UserCache
from tests.integration.cache.test_user_cache import record_queries, wait_until
from tests.support.people import ADA, BOB, FALL_MORNING, RITA, SECTIONS, Browser

KEYS = [SECTIONS[0].key, SECTIONS[2].key]


@pytest.fixture
async def cache(db: Database) -> AsyncIterator[UserCache]:
    async with user_cache.open_user_cache(db) as cache:
        await wait_until(cache.is_current)
        yield cache


class Refreshes:
    """The reads of several students: whom they were for, and a gate that holds back their results."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.user_ids: list[list[int]] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._find_many = student_facts.find_many
        monkeypatch.setattr(student_facts, "find_many", self._recorded)

    async def _recorded(self, db: Database, user_ids: Sequence[int]) -> dict[int, StudentSnapshot]:
        self.user_ids.append(list(user_ids))
        found = await self._find_many(db, user_ids)
        self.begun.set()
        await self.may_end.wait()
        return found


@pytest.fixture
def refreshes(monkeypatch: pytest.MonkeyPatch) -> Refreshes:
    return Refreshes(monkeypatch)


async def enroll(db: Database, user_id: int, number: int = 0) -> None:
    """Store a seat as another process would."""
    await enrollments.put(db, user_id, KEYS[number], FALL_MORNING, None)


def cached_seats(cache: UserCache, user_id: int) -> int | None:
    """Return how many seats the cached snapshot has, without using it; None if there is none."""
    snapshot = cache.students._results.get(user_id)
    return None if snapshot is None else len(snapshot.seats)


async def test_a_changed_student_is_read_again_before_the_next_page(
    db: Database, cache: UserCache, refreshes: Refreshes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await student.snapshot(cache, ADA.user_id)
    reads = record_queries(monkeypatch, student_facts)
    await enroll(db, ADA.user_id)
    await wait_until(lambda: cached_seats(cache, ADA.user_id) == 1)
    assert len((await student.snapshot(cache, ADA.user_id)).seats) == 1
    assert (refreshes.user_ids, reads) == ([[ADA.user_id]], [])


async def test_a_refreshed_snapshot_is_the_same_as_one_read_alone(
    db: Database, cache: UserCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user_id in (ADA.user_id, BOB.user_id):
        for number in range(2 if user_id == ADA.user_id else 1):
            await enroll(db, user_id, number)
    found = await student_facts.find_many(db, [ADA.user_id, BOB.user_id, RITA.user_id])
    assert [len(found[one].seats) for one in found] == [2, 1, 0]
    for user_id, snapshot in found.items():
        alone = await student_facts.find(db, user_id)
        fields = ("seats", "waiting", "planned", "alerts", "calendar_since", "row_ids", "fingerprint")
        assert [getattr(snapshot, name) for name in fields] == [getattr(alone, name) for name in fields]


async def test_only_students_in_the_cache_are_read_again(db: Database, cache: UserCache, refreshes: Refreshes) -> None:
    await student.snapshot(cache, ADA.user_id)
    await enroll(db, BOB.user_id)
    await enroll(db, ADA.user_id)
    await wait_until(lambda: cached_seats(cache, ADA.user_id) == 1)
    assert refreshes.user_ids == [[ADA.user_id]]
    assert BOB.user_id not in cache.students


async def test_students_who_change_together_are_read_in_one_query(
    db: Database, cache: UserCache, refreshes: Refreshes
) -> None:
    for user in (ADA, BOB):
        await student.snapshot(cache, user.user_id)
        await student.snapshot(cache, user.user_id)
    for user in (ADA, BOB, ADA):
        cache._refresh_soon(cache.students.invalidate(user.user_id))
    await wait_until(lambda: ADA.user_id in cache.students and BOB.user_id in cache.students)
    assert refreshes.user_ids == [[ADA.user_id, BOB.user_id]]


async def test_a_student_who_has_left_is_read_again_a_few_times(
    db: Database, cache: UserCache, refreshes: Refreshes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_cache, "MAX_UNUSED_REFRESHES", 2)
    await student.snapshot(cache, ADA.user_id)
    for number in range(2):
        await enroll(db, ADA.user_id, number)
        await wait_until(lambda number=number: cached_seats(cache, ADA.user_id) == number + 1)
    await db.enrollment.delete_many({"user_id": ADA.user_id})
    await wait_until(lambda: ADA.user_id not in cache.students)
    assert not cache._to_refresh
    assert refreshes.user_ids == [[ADA.user_id]] * 2
    await student.snapshot(cache, ADA.user_id)
    await enroll(db, ADA.user_id)
    await wait_until(lambda: cached_seats(cache, ADA.user_id) == 1)  # after a page, it starts again


async def test_a_change_during_the_read_leads_to_another_one(
    db: Database, cache: UserCache, refreshes: Refreshes
) -> None:
    await student.snapshot(cache, ADA.user_id)
    refreshes.may_end.clear()
    await enroll(db, ADA.user_id)
    await refreshes.begun.wait()
    await enroll(db, ADA.user_id, 1)
    [changed] = cache.students._pending_reads
    await wait_until(lambda: ADA.user_id in changed)  # the change is known, and the read is older
    assert ADA.user_id not in cache.students
    refreshes.may_end.set()
    seats = set()
    await wait_until(lambda: seats.add(cached_seats(cache, ADA.user_id)) or 2 in seats)  # type: ignore[func-returns-value]
    assert seats <= {None, 2}


async def test_the_page_of_a_student_who_is_being_read_does_not_wait(
    db: Database, cache: UserCache, refreshes: Refreshes
) -> None:
    await student.snapshot(cache, ADA.user_id)
    refreshes.may_end.clear()
    await enroll(db, ADA.user_id)
    await refreshes.begun.wait()
    own = await student.snapshot(cache, ADA.user_id)
    assert len(own.seats) == 1
    refreshes.may_end.set()
    await wait_until(lambda: not cache.students._pending_reads)
    assert cache.students.get(ADA.user_id) is own


async def test_nothing_read_before_a_gap_in_the_changes_is_cached(
    db: Database, cache: UserCache, refreshes: Refreshes
) -> None:
    await student.snapshot(cache, ADA.user_id)
    refreshes.may_end.clear()
    await enroll(db, ADA.user_id)
    await refreshes.begun.wait()
    refreshes.begun.clear()
    cache._clear()
    refreshes.may_end.set()
    await wait_until(lambda: cached_seats(cache, ADA.user_id) == 1)
    assert refreshes.begun.is_set()  # read once more
    assert len(refreshes.user_ids) == 2


async def test_students_waiting_to_be_read_are_forgotten_in_a_gap(db: Database, cache: UserCache) -> None:
    cache._refresh_soon({ADA.user_id: 0})
    cache._clear()
    assert not cache._to_refresh


async def test_when_thousands_change_the_rest_are_read_by_their_own_pages(
    db: Database, cache: UserCache, refreshes: Refreshes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_cache, "MAX_STUDENTS_TO_REFRESH", 3)
    monkeypatch.setattr(user_cache, "MAX_STUDENTS_PER_REFRESH", 2)
    cache._refresh_soon(dict.fromkeys(range(1, 6), 0))
    await wait_until(lambda: len(cache.students) == 3)
    assert refreshes.user_ids == [[1, 2], [3]]


async def test_after_a_failed_read_the_next_change_is_read_again(
    db: Database, cache: UserCache, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    failed = asyncio.Event()

    async def fail(*_: object) -> None:
        failed.set()
        raise AutoReconnect

    await student.snapshot(cache, ADA.user_id)
    with monkeypatch.context() as patch:
        patch.setattr(student_facts, "find_many", fail)
        await enroll(db, ADA.user_id)
        await failed.wait()
    assert len((await student.snapshot(cache, ADA.user_id)).seats) == 1
    await enroll(db, ADA.user_id, 1)
    await wait_until(lambda: cached_seats(cache, ADA.user_id) == 2)
    assert "students can't be read again: AutoReconnect" in log.text


async def test_students_who_are_asked_for_together_are_read_in_one_query(db: Database) -> None:
    read_together: list[list[int]] = []

    async def record(user_ids: Sequence[int]) -> dict[int, StudentSnapshot]:
        read_together.append(list(user_ids))
        return await student_facts.find_many(db, user_ids)

    reader = BatchReader(record)
    first = asyncio.create_task(reader.read(ADA.user_id))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its query has begun, so it may not answer later calls
    snapshots = await asyncio.gather(first, *(reader.read(user_id) for user_id in (ADA.user_id, 77, ADA.user_id, 78)))
    assert read_together == [[ADA.user_id], [ADA.user_id, 77, 78]]
    assert snapshots[1] is snapshots[3]
    assert [one.seats for one in snapshots[2:3] if one] == [()]


async def test_everyone_hears_that_students_could_not_be_read() -> None:
    async def fail(_: Sequence[int]) -> dict[int, StudentSnapshot]:
        raise ConnectionError

    reader = BatchReader(fail)
    results = await asyncio.gather(*(reader.read(user_id) for user_id in (77, 78, 77)), return_exceptions=True)
    assert [type(one) for one in results] == [ConnectionError] * 3


async def test_sign_ins_that_are_asked_for_together_are_read_in_one_query(
    ada: Browser, bob: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [row["_id"] async for row in db.login.find()]
    queries = record_queries(monkeypatch, logins, "find_many")
    reader = UserCache(db).login_reader
    found = await asyncio.gather(*(reader.read(key) for key in [*keys, "unknown"]))
    assert {one.user.user_id for one in found if one} == {ADA.user_id, BOB.user_id}
    assert found[-1] is None
    assert queries == [([*keys, "unknown"],)]
