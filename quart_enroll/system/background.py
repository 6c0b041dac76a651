"""Tasks that run beside the requests for as long as the site serves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from quart_enroll.system.clock import Clock

LONGEST_PAUSE_SECONDS = 60.0
"""How long at most until a task that waits for a date does its work: the date may have changed."""

SHORTEST_PAUSE_SECONDS = 1.0

logger = logging.getLogger(__name__)


@asynccontextmanager
async def run_in_background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run each coroutine as a task while the block runs, then cancel the tasks and wait until they have ended."""
    tasks = {asyncio.create_task(coroutine) for coroutine in coroutines}
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def work_at_dates(name: str, work: Callable[[], Awaitable[datetime | None]], clock: Clock) -> None:
    """Do the work at once and then again and again, until cancelled.

    It returns when it has to be done next; it is done at least every LONGEST_PAUSE_SECONDS. After an error, which is
    logged with the name, it is tried again.
    """
    while True:
        pause = LONGEST_PAUSE_SECONDS
        try:
            if next_date := await work():
                pause = min(max((next_date - clock()).total_seconds(), SHORTEST_PAUSE_SECONDS), pause)
        except Exception as error:  # noqa: BLE001  # the database may be unavailable for a while
            logger.warning("%s: %s; the next check is in %g s", name, type(error).__name__, pause)
        await asyncio.sleep(pause)
