"""Turns: a batch runs alone on its server, single changes run beside each other, and nobody waits long for either."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from quart_enroll.services.enrollment import server_turns
from quart_enroll.services.enrollment.server_turns import ServerTurns
from quart_enroll.system.file_lock import locked
from tests.support.processes import TIMEOUT_SECONDS, is_locked


@pytest.fixture(params=["one process", "two processes"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ServerTurns, ServerTurns]:
    """The turns of two changes: locks belong to an open file, so one process can simulate two."""
    if request.param == "one process":
        return (turns := ServerTurns(None)), turns
    return ServerTurns(str(tmp_path)), ServerTurns(str(tmp_path))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not condition():  # noqa: ASYNC110  # a file lock announces nothing
            await asyncio.sleep(0)


async def test_single_changes_run_beside_each_other(pair: tuple[ServerTurns, ServerTurns]) -> None:
    one, other = pair
    async with asyncio.timeout(TIMEOUT_SECONDS), one.beside_others(), other.beside_others():
        pass


@pytest.mark.parametrize("alone", [(True, True), (True, False), (False, True)], ids=str)
async def test_nothing_runs_beside_a_batch(
    pair: tuple[ServerTurns, ServerTurns], alone: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_turns, "MAX_TURN_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(server_turns, "MAX_TURN_WAIT_SECONDS", TIMEOUT_SECONDS)
    order: list[str] = []

    async def follow() -> None:
        order.append("second waits")
        async with take(pair[1], alone=alone[1]):
            order.append("second runs")

    async with take(pair[0], alone=alone[0]):
        second = asyncio.ensure_future(follow())
        await until(lambda: bool(order))
        for _ in range(20):
            await asyncio.sleep(0)
        order.append("first ends")
    await second
    assert order == ["second waits", "first ends", "second runs"]


async def test_a_process_that_waits_comes_before_the_one_that_just_had_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_turns, "MAX_TURN_SECONDS", TIMEOUT_SECONDS)
    monkeypatch.setattr(server_turns, "MAX_TURN_WAIT_SECONDS", TIMEOUT_SECONDS)
    one, other, order = ServerTurns(str(tmp_path)), ServerTurns(str(tmp_path)), []

    async def wait() -> None:
        async with other.alone():
            order.append("waited")

    async with one.alone():
        waiting = asyncio.ensure_future(wait())
        await until(lambda: is_locked(tmp_path / "next-change"))
    async with one.alone():
        order.append("had its turn")
    await waiting
    assert order == ["waited", "had its turn"]


@pytest.mark.parametrize("name", ["next-change", "change"])
async def test_a_stopped_process_delays_the_others_only_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_turns, "MAX_TURN_WAIT_SECONDS", 0.01)
    turns = ServerTurns(str(tmp_path))
    with locked(tmp_path / name):
        async with asyncio.timeout(TIMEOUT_SECONDS), turns.alone():
            pass
        monkeypatch.setattr(server_turns, "MAX_TURN_WAIT_SECONDS", TIMEOUT_SECONDS)
        async with asyncio.timeout(TIMEOUT_SECONDS / 2), turns.alone():
            pass


@pytest.mark.parametrize("alone", [(True, True), (True, False), (False, True)], ids=str)
async def test_nobody_waits_for_a_change_that_is_too_slow(
    pair: tuple[ServerTurns, ServerTurns], alone: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_turns, "MAX_TURN_SECONDS", 0.01)
    monkeypatch.setattr(server_turns, "MAX_TURN_WAIT_SECONDS", 2 * TIMEOUT_SECONDS)
    async with asyncio.timeout(TIMEOUT_SECONDS), take(pair[0], alone=alone[0]), take(pair[1], alone=alone[1]):
        pass


async def test_without_its_folder_nothing_waits(tmp_path: Path) -> None:
    turns = ServerTurns(str(tmp_path / "deleted"))
    async with asyncio.timeout(TIMEOUT_SECONDS), turns.alone():
        pass


def take(turns: ServerTurns, *, alone: bool) -> AbstractAsyncContextManager[None]:
    return turns.alone() if alone else turns.beside_others()
