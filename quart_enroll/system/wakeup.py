"""Lets a background task begin at once instead of at its next check."""

import asyncio
from contextlib import suppress


class Wakeup:
    """Wakes a task that otherwise checks only now and then whether there is something to do."""

    def __init__(self) -> None:
        self._called, self._idle = asyncio.Event(), asyncio.Event()

    def call(self) -> None:
        """Wake the task."""
        self._idle.clear()
        self._called.set()

    async def wait(self, seconds: float) -> None:
        """Wait until someone calls, or for that many seconds."""
        if not self._called.is_set():
            self._idle.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._called.wait(), seconds)
        self._called.clear()

    async def settle(self) -> None:
        """Wait until the task has done what it was called for."""
        await self._idle.wait()
