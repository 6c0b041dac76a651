"""The server lock: a batch runs alone on its server, single changes run beside each other, and no change waits long."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from quart_enroll.services.enrollment import server_lock
from quart_enroll.services.enrollment.server_lock import ServerLock
from quart_enroll.system.file_lock import locked
from tests.support.processes import TIMEOUT_SECONDS, is_locked


@pytest.fixture(params=["one process", "two processes"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ServerLock, ServerLock]:
    """The locks of two changes: locks belong to an open file, so one process can simulate two."""
    if request.param == "one process":
        return (lock := ServerLock(None)), lock
    return ServerLock(str(tmp_path)), ServerLock(str(tmp_path))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition():  # noqa: ASYNC110  # a file lock announces nothing
            await asyncio.sleep(0)


async def test_single_changes_run_beside_each_other(pair: tuple[ServerLock, ServerLock]) -> None:
    one, other = pair
    async with asyncio.timeout(TIMEOUT_SECONDS), one.shared(), other.shared():
        pass


@pytest.mark.parametrize("exclusive", [(True, True), (True, False), (False, True)], ids=str)
async def test_nothing_runs_beside_a_batch(
    pair: tuple[ServerLock, ServerLock], exclusive: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", TIMEOUT_SECONDS)
    order: list[str] = []

    async def follow() -> None:
        order.append("second waits")
        async with take(pair[1], exclusive=exclusive[1]):
            order.append("second runs")

    async with take(pair[0], exclusive=exclusive[0]):
        second = asyncio.ensure_future(follow())
        await until(lambda: bool(order))
        for _ in range(20):
            await asyncio.sleep(0)
        order.append("first ends")
    await second
    assert order == ["second waits", "first ends", "second runs"]


async def test_a_process_that_waits_comes_before_the_one_that_just_held_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", TIMEOUT_SECONDS)
    one, other, order = ServerLock(str(tmp_path)), ServerLock(str(tmp_path)), []

    async def wait() -> None:
        async with other.exclusive():
            order.append("waited")

    async with one.exclusive():
        waiting = asyncio.ensure_future(wait())
        await until(lambda: is_locked(tmp_path / "next-change"))
    async with one.exclusive():
        order.append("had its turn")
    await waiting
    assert order == ["waited", "had its turn"]


@pytest.mark.parametrize("name", ["next-change", "change"])
async def test_a_stopped_process_delays_the_others_only_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", 0.01)
    lock = ServerLock(str(tmp_path))
    with locked(tmp_path / name):
        async with asyncio.timeout(TIMEOUT_SECONDS), lock.exclusive():
            pass
        monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", TIMEOUT_SECONDS)
        async with asyncio.timeout(TIMEOUT_SECONDS / 2), lock.exclusive():
            pass


@pytest.mark.parametrize("exclusive", [(True, True), (True, False), (False, True)], ids=str)
async def test_nobody_waits_for_a_change_that_is_too_slow(
    pair: tuple[ServerLock, ServerLock], exclusive: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_SECONDS", 0.01)
    monkeypatch.setattr(server_lock, "MAX_SERVER_LOCK_WAIT_SECONDS", 2 * TIMEOUT_SECONDS)
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        take(pair[0], exclusive=exclusive[0]),
        take(pair[1], exclusive=exclusive[1]),
    ):
        pass


async def test_without_its_folder_nothing_waits(tmp_path: Path) -> None:
    lock = ServerLock(str(tmp_path / "deleted"))
    async with asyncio.timeout(TIMEOUT_SECONDS), lock.exclusive():
        pass


def take(lock: ServerLock, *, exclusive: bool) -> AbstractAsyncContextManager[None]:
    return lock.exclusive() if exclusive else lock.shared()
