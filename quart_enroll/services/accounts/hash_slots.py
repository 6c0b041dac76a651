"""Slots that limit how many passwords are hashed at a time by all processes of a server together.

Processes don't get equally many requests. With a fixed share each, two processes needed 10 s for 150 passwords of which
one had received 100; with shared slots they needed 8 s.

A slot is a locked file. The system unlocks the files of a process that is killed. A process that is stopped or hangs
keeps its lock, so after a while the others replace the file with a new one.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from quart_enroll.system.file_lock import locked

SLOTS_FOLDER_VARIABLE = "PASSWORD_SLOTS"
"""The environment variable that names the folder that a server's processes share."""

MAX_LOCK_SECONDS = 2.0
"""How long a file may stay locked. A hash takes a tenth of a second, and a place in line lasts one hash at most."""

LINE_POLL_SECONDS, SLOT_POLL_SECONDS = 0.02, 0.002
"""Pauses between attempts to lock a file. Only the process that is next in line tries the slot so often."""


def slots_per_process(threads: int, processes: int) -> int:
    """Return how many slots each of a server's processes contributes; `threads` 0 divides the cores evenly."""
    return threads or max(1, (os.cpu_count() or 1) // processes)


class HashSlots:
    """`number` slots in a folder that all processes share; without a folder, no limit."""

    def __init__(self, folder: str | None, number: int) -> None:
        self._folder = Path(folder) if folder else None
        self.number = number

    @contextmanager
    def take(self, own: int) -> Iterator[None]:
        """Hold a slot during the block: a free one, or else number `own` as soon as it is free.

        To wait for a slot, a process first locks the file that makes it next in line. A process that has just used the
        slot therefore can't overtake it. If the folder has been deleted, there is no limit.
        """
        with ExitStack() as slot:
            if self._folder is not None:
                with suppress(OSError):
                    slot.enter_context(self._take_free(self._folder) or self._wait(self._folder, own))
            yield

    def _take_free(self, folder: Path) -> ExitStack | None:
        """Lock a slot that is free and that no process is waiting for; return what unlocks it."""
        for number in range(self.number):
            with suppress(BlockingIOError), locked(folder / f"next{number}"):
                return locked(folder / f"slot{number}")
        return None

    def _wait(self, folder: Path, number: int) -> ExitStack:
        with _wait_for(folder / f"next{number}", LINE_POLL_SECONDS):
            return _wait_for(folder / f"slot{number}", SLOT_POLL_SECONDS)


def _wait_for(path: Path, pause: float) -> ExitStack:
    """Lock the file once it is unlocked or has been locked for MAX_LOCK_SECONDS; return what unlocks it."""
    while True:
        with suppress(BlockingIOError):
            return locked(path)
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > MAX_LOCK_SECONDS:
                # The holder keeps the old file, which no other process looks at. If two processes do this at the
                # same moment, one hash too many runs, once.
                path.unlink()
                continue
        time.sleep(pause)
