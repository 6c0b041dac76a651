"""Change streams while the database is busy with other work."""

import asyncio
import threading

import pytest
from motor.frameworks import asyncio as motor
from pymongo.monitoring import CommandStartedEvent

from quart_enroll.db import change_streams, client

TIMEOUT_SECONDS = 20


async def test_a_stream_responds_while_requests_wait_for_every_thread_and_connection(
    mongod: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_continue = threading.Event()

    def delay(_: client.SlowCommandLogger, event: CommandStartedEvent) -> None:
        if event.command_name == "buildInfo":
            may_continue.wait()

    monkeypatch.setattr(client.SlowCommandLogger, "started", delay)
    async with client.open_database(mongod, 3 * TIMEOUT_SECONDS, pool=motor.max_workers) as db:
        waiting = asyncio.gather(*(db.command("buildInfo") for _ in range(motor.max_workers)))
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), change_streams.watch_users(db) as batches:
                assert await anext(batches) == []
            assert not waiting.done()
        finally:
            may_continue.set()
            await waiting
