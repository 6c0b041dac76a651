"""Turns: while a batch runs, no other change of seats runs in any process of this server.

A batch writes hundreds of sections, so nearly every change beside it would conflict, and MongoDB would abort one of the
two. Single changes write a few sections, and run beside each other. Changes on other servers conflict, and are retried.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path

from quart_enroll.system.file_lock import locked

MAX_TURN_WAIT_SECONDS = 1.0
"""How long a change waits for one that is slow. Turns only prevent conflicts, so it may then run beside it."""

POLL_SECONDS = 0.002
"""Pause between attempts to lock a file."""


class ServerTurns:
    """The turns of this process, and with a folder that the processes of a server share, of all of them.

    Within a process, changes take turns in the order of arrival.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = Path(folder) if folder else None
        self._line = asyncio.Lock()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Run the block while no other change runs."""
        async with self._in_line():
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_TURN_WAIT_SECONDS):
                    await self._idle.wait()
            with await self._lock(shared=False):
                yield

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        """Run the block while no change runs `alone`."""
        async with self._in_line():
            lock = await self._lock(shared=True)
            self._running += 1
            self._idle.clear()
        try:
            with lock:
                yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    @asynccontextmanager
    async def _in_line(self) -> AsyncIterator[None]:
        """Hold the first place in this process's line during the block."""
        async with AsyncExitStack() as place:
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_TURN_WAIT_SECONDS):
                    await place.enter_async_context(self._line)
            yield

    async def _lock(self, *, shared: bool) -> ExitStack:
        """Lock this server's turn, and return what releases it; if the folder has been deleted, nothing.

        The process that is next in line locks a second file, so one that has just had its turn can't overtake it.
        """
        with ExitStack() as turn:
            if self._folder is not None:
                with suppress(OSError), await _wait_for(self._folder / "next-change", shared=False):
                    turn.enter_context(await _wait_for(self._folder / "change", shared=shared))
            return turn.pop_all()


async def _wait_for(path: Path, *, shared: bool) -> ExitStack:
    """Lock the file as soon as possible; return what unlocks it.

    A process that is stopped keeps its lock; after a while, the others go on with a new file.
    """
    end = time.monotonic() + MAX_TURN_WAIT_SECONDS
    while True:
        with suppress(BlockingIOError):
            return locked(path, shared=shared)
        if time.monotonic() > end:
            path.unlink(missing_ok=True)  # noqa: ASYNC240  # as quick as the other operations on this folder
        await asyncio.sleep(POLL_SECONDS)
