"""Background tasks that wait for dates."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from quart_enroll.system.background import LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS, work_at_dates

NOW = datetime(2026, 8, 1, tzinfo=UTC)


class Over(BaseException):
    """Ends the task, which goes on after any other error."""


async def _pauses(monkeypatch: pytest.MonkeyPatch, results: list[datetime | Exception | None]) -> list[float]:
    """Return how long the task pauses after each of the results of its work."""
    pauses: list[float] = []
    coming: Iterator[datetime | Exception | None] = iter(results)

    async def work() -> datetime | None:
        result = next(coming)
        if isinstance(result, Exception):
            raise result
        return result

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == len(results):
            raise Over

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(Over):
        await work_at_dates("holds", work, lambda: NOW)
    return pauses


async def test_work_is_done_again_at_its_date(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = [NOW + timedelta(seconds=20), NOW - timedelta(days=1), NOW + timedelta(days=1), None]
    assert await _pauses(monkeypatch, [*dates]) == [
        20,
        SHORTEST_PAUSE_SECONDS,
        LONGEST_PAUSE_SECONDS,
        LONGEST_PAUSE_SECONDS,
    ]


async def test_work_is_done_again_after_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert await _pauses(monkeypatch, [OSError("no database"), None]) == [LONGEST_PAUSE_SECONDS] * 2
    assert caplog.messages == ["holds: OSError; the next check is in 60 s"]
