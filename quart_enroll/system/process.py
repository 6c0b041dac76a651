"""Processes that never outlive the one that started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# Linux sends the child a signal when its parent is gone, even by kill -9. The child asks for it itself before
# it becomes the program: done between fork and exec (`preexec_fn`), it could hang a parent with threads.
_ASK_AND_RUN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[1]))  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[2]):  # else the parent was quicker
    os.execvp(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def child_process(
    command: Sequence[str],
    *,
    output: IO[bytes] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    orphaned: signal.Signals = signal.SIGTERM,
    patience: float = 30,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` for as long as the block lasts; on Linux it gets signal `orphaned` if this thread dies.

    Its process group is its own: Ctrl-C reaches this process, which stops the child in good order at the end
    of the block; after `patience` seconds, or a second Ctrl-C, the whole group is killed.
    """
    if sys.platform == "linux":
        ask = [sys.executable, "-ISc", _ASK_AND_RUN, str(int(orphaned)), str(os.getpid())]
        command = [*ask, *command]
    process = subprocess.Popen(  # noqa: S603  # our own commands only
        command,
        env=environ,
        cwd=cwd,
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output and subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(patience)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
