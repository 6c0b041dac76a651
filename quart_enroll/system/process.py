"""Child processes that never outlive their parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# Linux sends the child a signal when its parent dies, even from kill -9. The child requests it itself before it becomes
# the program; doing that between fork and exec (`preexec_fn`) could hang a parent that has threads.
_REQUEST_SIGNAL_AND_RUN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, int(sys.argv[1]))  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[2]):  # otherwise the parent has already died
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
    stop_seconds: float = 30,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` during the block; on Linux it gets the signal `orphaned` if this thread dies.

    It has its own process group, so Ctrl-C reaches only this process, which stops the child at the end of the block.
    After `stop_seconds`, or at a second Ctrl-C, the whole group is killed.
    """
    if sys.platform == "linux":
        launcher = [sys.executable, "-ISc", _REQUEST_SIGNAL_AND_RUN, str(int(orphaned)), str(os.getpid())]
        command = [*launcher, *command]
    process = subprocess.Popen(  # noqa: S603  # only the site's own commands
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
            process.wait(stop_seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
