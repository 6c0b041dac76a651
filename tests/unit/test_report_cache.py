"""The cache of reports: one computation for all readers, within a share of a core."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from quart_enroll.services.staff.report_cache import COMPUTING_SHARE, IN_USE_SECONDS, MIN_AGE_SECONDS, ReportCache


class Time:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def computing(time: Time, seconds: float, calls: list[float]) -> Callable[[], Awaitable[Sequence[int]]]:
    async def compute() -> Sequence[int]:
        calls.append(time.now)
        time.now += seconds
        await asyncio.sleep(0)
        return (len(calls),)

    return compute


async def test_all_who_ask_at_the_same_time_share_one_computation() -> None:
    calls: list[float] = []
    cache = ReportCache(time := Time())
    found = await asyncio.gather(*(cache.get_or_compute("a", computing(time, 0.01, calls)) for _ in range(20)))
    assert {id(one) for one in found} == {id(found[0])}
    assert len(calls) == 1


async def test_a_quick_report_is_kept_for_a_few_seconds() -> None:
    calls: list[float] = []
    cache = ReportCache(time := Time())
    compute = computing(time, 0.001, calls)
    for age, computed in ((0, 1), (MIN_AGE_SECONDS - 0.1, 1), (0.2, 2)):
        time.now += age
        await cache.get_or_compute("a", compute)
        assert len(calls) == computed


async def test_slow_reports_in_use_take_no_more_than_the_share_together() -> None:
    calls: list[float] = []
    cache = ReportCache(time := Time())
    costs = {"a": 0.1, "b": 0.3}
    for _ in range(2000):
        time.now += 1
        for key, cost in costs.items():
            await cache.get_or_compute(key, computing(time, cost, calls))
    elapsed = time.now - 1000
    assert 0.5 * COMPUTING_SHARE < len(calls) / 2 * sum(costs.values()) / elapsed <= COMPUTING_SHARE * 1.02


async def test_a_report_that_is_no_longer_read_does_not_slow_down_the_others() -> None:
    cache = ReportCache(time := Time())
    await cache.get_or_compute("slow", computing(time, 2, []))
    assert cache.lifetime == 2 / COMPUTING_SHARE
    time.now += IN_USE_SECONDS
    assert cache.lifetime == MIN_AGE_SECONDS


async def test_a_failed_computation_is_tried_again() -> None:
    cache = ReportCache(time := Time())

    async def fail() -> Sequence[int]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await cache.get_or_compute("a", fail)
    assert (await cache.get_or_compute("a", computing(time, 0.1, []))).rows == (1,)
