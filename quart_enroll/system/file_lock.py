"""Locks on files, for processes that share a folder. The system unlocks the files of a process that is killed."""

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path


def locked(path: Path, *, shared: bool = False) -> ExitStack:
    """Lock the file and return what unlocks it; raise BlockingIOError if it is already locked.

    Several may hold a `shared` lock. The lock belongs to this call, so one process can exclude itself.
    """
    with ExitStack() as stack:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, file)
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        os.utime(file)  # records when it was locked
        return stack.pop_all()
