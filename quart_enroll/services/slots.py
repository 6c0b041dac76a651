"""Slots: how much may be done at a time, all processes of a server together.

Each process alone might have an equal share, but they do not get equally many requests: with a share of its own each,
two processes needed 10 s for 150 passwords of which one had got 100, and 8 s when it could use what the other left.

A slot is a file that somebody has locked. The system unlocks what a process leaves that is killed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

FOLDER = "PASSWORD_SLOTS"
"""The variable of the environment that tells the processes of a server in which folder their slots are."""


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
            with suppress(BlockingIOError), _locked(folder / f"door{number}", fcntl.LOCK_NB):
                return _locked(folder / f"slot{number}", fcntl.LOCK_NB)
        return None

    def _wait(self, folder: Path, number: int) -> ExitStack:
        with _locked(folder / f"door{number}"):
            return _locked(folder / f"slot{number}")


def _locked(path: Path, how: int = 0) -> ExitStack:
    """Lock the file, and return what unlocks it; raise BlockingIOError for one that is locked when that is `how`."""
    with ExitStack() as stack:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | how)
        return stack.pop_all()
