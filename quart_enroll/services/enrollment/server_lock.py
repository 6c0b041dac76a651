"""A readers-writer lock for all processes of a server: while a batch runs, no other change of seats does.

A batch writes hundreds of sections, so nearly every change beside it would conflict, and MongoDB would abort one of the
two. Single changes write a few sections, and run beside each other. Changes on other servers conflict, and are retried.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

from quart_enroll.system.file_lock import locked

MAX_SERVER_LOCK_SECONDS = 4.0
"""How long a change holds the lock. The lock only prevents conflicts, so others may then run beside a slow change.
With all cores in use, a batch of a hundred plans takes more than a second."""

MAX_SERVER_LOCK_WAIT_SECONDS = 5.0
"""How long a change waits for the one before it: longer than the lock is held, unless that one's process is stopped."""

POLL_SECONDS = 0.002
"""Pause between attempts to lock a file."""


class ServerLock:
    """The lock of this process, and with a folder that the processes of a server share, of all of them.

    Within a process, changes get it in the order of arrival.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = Path(folder) if folder else None
        self._line = asyncio.Lock()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Run the block while no other change runs."""
        with ExitStack() as held:
            await self._wait_in_line(held)
            with suppress(TimeoutError):
                async with asyncio.timeout(MAX_SERVER_LOCK_WAIT_SECONDS):
                    await self._idle.wait()
            held.enter_context(await self._lock_file(shared=False))
            with _limit(held):
                yield

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Run the block beside other such changes, while none holds the lock exclusively."""
        with ExitStack() as held:
            with ExitStack() as place:
                await self._wait_in_line(place)
                held.enter_context(await self._lock_file(shared=True))
                self._running += 1
                self._idle.clear()
                held.callback(self._end)
            with _limit(held):
                yield

    def _end(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    async def _wait_in_line(self, place: ExitStack) -> None:
        """Wait for the first place in this process's line, which `place` gives up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_SERVER_LOCK_WAIT_SECONDS):
                await self._line.acquire()
                place.callback(self._line.release)

    async def _lock_file(self, *, shared: bool) -> ExitStack:
        """Lock the server's file, and return what unlocks it; if the folder has been deleted, nothing.

        The process that is next in line locks a second file, so one that has just held the lock can't overtake it.
        """
        with ExitStack() as held:
            if self._folder is not None:
                with suppress(OSError), await _wait_for(self._folder / "next-change", shared=False):
                    held.enter_context(await _wait_for(self._folder / "change", shared=shared))
            return held.pop_all()


@contextmanager
def _limit(held: ExitStack) -> Iterator[None]:
    """Release the lock after MAX_SERVER_LOCK_SECONDS if the block takes longer."""
    timer = asyncio.get_running_loop().call_later(MAX_SERVER_LOCK_SECONDS, held.close)
    try:
        yield
    finally:
        timer.cancel()


async def _wait_for(path: Path, *, shared: bool) -> ExitStack:
    """Lock the file as soon as possible; return what unlocks it.

    A process that is stopped keeps its lock; after a while, the others go on with a new file.
    """
    while True:
        with suppress(BlockingIOError):
            return locked(path, shared=shared)
        _replace_if_stopped(path)
        await asyncio.sleep(POLL_SECONDS)


def _replace_if_stopped(path: Path) -> None:
    """Remove the file if it was locked for so long that the process must be stopped; `locked` sets the file's time."""
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > MAX_SERVER_LOCK_WAIT_SECONDS:
            path.unlink()
