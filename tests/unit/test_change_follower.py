"""Following a change stream: what is reported, and what happens when the stream is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from quart_enroll.db import change_streams
from quart_enroll.db.change_streams import ChangeFollower


class Streams:
    """Change streams that each yield some batches, and then are lost."""

    def __init__(self, *streams: list[list[str]] | None) -> None:
        self.streams = list(streams)
        self.reported: list[str] = []
        self.was_current: list[bool] = []
        self.all_lost = asyncio.Event()
        self.follower = ChangeFollower(self.watch, on_change=self.reported.append, on_gap=self.gap, fallback="reading")

    def gap(self) -> None:
        self.reported.append("gap")
        self.was_current.append(self.follower.is_current)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[list[str]]]:
        if not self.streams:
            self.all_lost.set()
            await asyncio.Event().wait()
        batches = self.streams.pop(0)
        if batches is None:
            raise ConnectionError
        yield self.read(batches)

    async def read(self, batches: list[list[str]]) -> AsyncIterator[list[str]]:
        for batch in batches:
            yield batch
            self.was_current.append(self.follower.is_current)
        raise ConnectionError

    async def follow_all(self) -> None:
        following = asyncio.create_task(self.follower.follow())
        async with asyncio.timeout(20):
            await self.all_lost.wait()
        following.cancel()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_streams, "RECONNECT_SECONDS", 0)


async def test_a_gap_is_reported_when_a_stream_begins_and_when_it_is_lost() -> None:
    streams = Streams([["a", "b"], []], [["c"]])
    await streams.follow_all()
    assert streams.reported == ["gap", "a", "b", "gap", "gap", "c", "gap"]


async def test_it_is_current_only_after_a_response_of_an_open_stream() -> None:
    streams = Streams([[]])
    await streams.follow_all()
    assert streams.was_current == [False, True, False]


async def test_a_lost_stream_is_logged_once_until_it_responds_again(caplog: pytest.LogCaptureFixture) -> None:
    streams = Streams(None, None, [[]], None)
    await streams.follow_all()
    assert [record.message for record in caplog.records] == ["no change stream (ConnectionError): reading"] * 2
