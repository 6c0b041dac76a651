"""The cache of users: entries are removed when their rows change or the budget is exceeded."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass

import pytest

from quart_enroll import bounded_cache
from quart_enroll.services.live.query_cache import QueryCache


@dataclass
class Answer:
    row_ids: frozenset[Hashable] | None = frozenset({"her row", 1})
    size: int = 1000


class Stored:
    """A database that counts its reads, and can be slow."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Answer()
        self.reads = 0
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self) -> Answer:
        self.reads += 1
        self.begun.set()
        await self.may_answer.wait()
        return self.answer


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> QueryCache[Answer]:
    """A cache with room for two results."""
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "students", 5500)
    return QueryCache("students", lambda: True)


async def test_a_loaded_entry_is_cached(memory: QueryCache[Answer]) -> None:
    stored = Stored()
    assert await memory.get_or_read("ada", stored.read) is await memory.get_or_read("ada", stored.read)
    assert stored.reads == 1


@pytest.mark.parametrize("changed", ["ada", "her row", 1])
async def test_an_entry_is_dropped_when_any_of_its_rows_changes(memory: QueryCache[Answer], changed: Hashable) -> None:
    stored = Stored()
    await memory.get_or_read("ada", stored.read)
    memory.invalidate("another row")
    await memory.get_or_read("ada", stored.read)
    memory.invalidate(changed)
    await memory.get_or_read("ada", stored.read)
    assert stored.reads == 2


@pytest.mark.parametrize("changed", ["ada", "her row", 1])
async def test_listeners_are_told_whose_entry_was_dropped(changed: Hashable) -> None:
    invalidated: list[Hashable] = []
    memory: QueryCache[Answer] = QueryCache("students", lambda: True, on_invalidate=invalidated.append)
    await memory.get_or_read("ada", Stored().read)
    assert invalidated == []
    memory.invalidate(changed)
    assert "ada" in invalidated


@pytest.mark.parametrize("changed", ["ada", "her row", 1, None])
async def test_an_entry_that_changed_while_loading_is_not_cached(memory: QueryCache[Answer], changed: Hashable) -> None:
    stored = Stored()
    stored.may_answer.clear()
    reading = asyncio.create_task(memory.get_or_read("ada", stored.read))
    await stored.begun.wait()
    if changed is None:
        memory.clear()
    else:
        memory.invalidate(changed)
    stored.may_answer.set()
    assert await reading is stored.answer
    assert len(memory) == 0


async def test_another_users_change_while_loading_does_not_matter(memory: QueryCache[Answer]) -> None:
    stored = Stored()
    stored.may_answer.clear()
    reading = asyncio.create_task(memory.get_or_read("ada", stored.read))
    await stored.begun.wait()
    memory.invalidate("his row")
    stored.may_answer.set()
    await reading
    assert len(memory) == 1


async def test_the_least_recently_used_user_is_dropped(memory: QueryCache[Answer]) -> None:
    stored = Stored()
    for who in ("ada", "bob", "ada", "rita"):
        await memory.get_or_read(who, stored.read)
    assert stored.reads == 3
    await memory.get_or_read("ada", stored.read)
    assert (stored.reads, len(memory)) == (3, 2)
    await memory.get_or_read("bob", stored.read)
    assert stored.reads == 4


async def test_an_entry_larger_than_the_budget_is_not_cached(memory: QueryCache[Answer]) -> None:
    stored = Stored(Answer(size=10_000))
    for _ in range(2):
        await memory.get_or_read("ada", stored.read)
    assert (stored.reads, len(memory), dict(memory._keys_by_row)) == (2, 0, {})


async def test_an_uncacheable_entry_is_loaded_each_time(memory: QueryCache[Answer]) -> None:
    stored = Stored(Answer(row_ids=None))
    for _ in range(2):
        await memory.get_or_read("ada", stored.read)
    assert (stored.reads, len(memory)) == (2, 0)


async def test_without_a_change_stream_nothing_is_cached() -> None:
    listens = True
    memory = QueryCache[Answer]("students", lambda: listens)
    stored = Stored()
    await memory.get_or_read("ada", stored.read)
    listens = False
    for _ in range(2):
        await memory.get_or_read("ada", stored.read)
    assert stored.reads == 3


async def test_a_failed_load_leaves_nothing_behind(memory: QueryCache[Answer]) -> None:
    async def fail() -> Answer:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await memory.get_or_read("ada", fail)
    assert memory._pending_reads == []
    await memory.get_or_read("ada", Stored().read)
    memory.invalidate(1)
    assert (len(memory), dict(memory._keys_by_row)) == (0, {})
