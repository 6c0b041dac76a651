"""A time limit is set only for work that waits, and changes nothing else about it."""

import asyncio

import pytest

from quart_enroll.system import time_limit
from quart_enroll.system.time_limit import run_within


async def at_once() -> str:
    return "done"


async def after_turns(turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


async def test_work_that_does_not_wait_sets_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit.asyncio, "timeout", None)
    assert await run_within(1, at_once()) == "done"


@pytest.mark.parametrize("turns", [1, 2, 50])
async def test_work_that_waits_is_finished(turns: int) -> None:
    assert await run_within(5, after_turns(turns)) == turns


async def test_work_that_waits_for_a_result_gets_it() -> None:
    future = asyncio.get_running_loop().create_future()

    async def work() -> list[str]:
        return [await future, await future]

    asyncio.get_running_loop().call_soon(future.set_result, "result")
    assert await run_within(5, work()) == ["result", "result"]


async def test_work_that_waits_too_long_is_cancelled() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    with pytest.raises(TimeoutError):
        await run_within(0, work())
    assert ended == ["work"]


@pytest.mark.parametrize("turns", [0, 2])
async def test_an_error_of_the_work_is_raised(turns: int) -> None:
    async def work() -> None:
        await after_turns(turns)
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        await run_within(5, work())


async def test_a_cancellation_reaches_the_work() -> None:
    reached = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            reached.set()
            raise

    task = asyncio.create_task(run_within(5, work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached.is_set()


async def test_work_may_go_on_after_an_error_that_it_handles() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return await at_once()
        return "never"

    assert await run_within(5, work()) == "done"
