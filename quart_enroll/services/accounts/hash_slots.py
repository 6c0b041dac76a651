"""Slots: how much may be done at a time, all processes of a server together.

Each process alone might have an equal share, but they do not get equally many requests: with a share of its own each,
two processes needed 10 s for 150 passwords of which one had got 100, and 8 s when it could use what the other left.

A slot is a locked file. The system unlocks the files of a process that is killed. A process that is stopped or hangs
keeps its lock, so after a while the others go on with a new file in its place.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

FOLDER = "PASSWORD_SLOTS"
"""The variable of the environment that tells the processes of a server in which folder their slots are."""

FROZEN_SECONDS = 2.0
"""How long a slot may be held. A hash takes a tenth of a second, and a door is held for one hash at most."""

DOOR_POLL_SECONDS, SLOT_POLL_SECONDS = 0.02, 0.002
"""Pauses between two tries to lock a file; only the process at a slot's door tries the slot so often."""


class Slots:
    """As many slots as `number` says, in a folder that all processes know; without one, there is room for everybody."""

    def __init__(self, folder: str | None, number: int) -> None:
        self._folder = Path(folder) if folder else None
        self.number = number

    @contextmanager
    def take(self, own: int) -> Iterator[None]:
        """Have a slot inside: a free one, else the one with the number `own`, as soon as it is.

        In front of each slot is a door. Who waits for the slot holds it, so that nobody who has just had the slot is
        quicker: processes take turns. Without the folder, which somebody may have cleared away, nobody waits.
        """
        with ExitStack() as slot:
            if self._folder is not None:
                with suppress(OSError):
                    slot.enter_context(self._free(self._folder) or self._wait(self._folder, own))
            yield

    def _free(self, folder: Path) -> ExitStack | None:
        """Return what ends the use of a slot that is free, and for which nobody waits."""
        for number in range(self.number):
            with suppress(BlockingIOError), _locked(folder / f"door{number}"):
                return _locked(folder / f"slot{number}")
        return None

    def _wait(self, folder: Path, number: int) -> ExitStack:
        with _wait_for(folder / f"door{number}", DOOR_POLL_SECONDS):
            return _wait_for(folder / f"slot{number}", SLOT_POLL_SECONDS)


def _wait_for(path: Path, pause: float) -> ExitStack:
    """Lock the file as soon as its holder unlocks it or has held it for FROZEN_SECONDS; return what unlocks it."""
    while True:
        with suppress(BlockingIOError):
            return _locked(path)
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > FROZEN_SECONDS:
                # The holder keeps the old file, which no other process looks at. If two processes do this at the
                # same moment, one hash too many runs, once.
                path.unlink()
                continue
        time.sleep(pause)


def _locked(path: Path) -> ExitStack:
    """Lock the file and return what unlocks it; raise BlockingIOError when it is locked."""
    with ExitStack() as stack:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.utime(file)  # records since when it is held
        return stack.pop_all()
