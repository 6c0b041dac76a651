"""Tells a process that hangs from one that only has to wait for a processor, or sleeps with the whole machine.

How long a process has been silent says little: on an overloaded machine a healthy one may be silent for seconds. So
silence counts only as far as the process could have ended it: while it is stopped, while it sleeps, and for as much
processor time as it has used. Linux only; elsewhere, no process is found to hang.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

STATE, USER_TICKS, SYSTEM_TICKS = 0, 11, 12
"""Positions in /proc/PID/stat, counted from the field after the process's name."""

STOPPED, WAITING = "T", frozenset("RDt")
"""States in /proc/PID/stat: stopped by a signal; waiting for a processor, a disk or a debugger, or running."""


class HangDetector:
    """Measures for how long a silent process could have given a sign of life; `is_stopped` if by a signal."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        self.hear()

    def hear(self) -> None:
        """Record a sign of life."""
        self.seconds = 0.0
        self.is_stopped = False
        self._used_seconds: float | None = None

    def count(self, seconds: float) -> None:
        """Count another `seconds` of silence, as far as the process could have ended it."""
        if sys.platform != "linux":
            return
        with suppress(OSError):  # it has just ended
            states = {_read(thread)[STATE] for thread in self._process.glob("task/*/stat")}
            facts = _read(self._process / "stat")
            used = (int(facts[USER_TICKS]) + int(facts[SYSTEM_TICKS])) / os.sysconf("SC_CLK_TCK")
            newly_used, self._used_seconds = used - (used if self._used_seconds is None else self._used_seconds), used
            self.is_stopped = facts[STATE] == STOPPED
            self.seconds += seconds if self.is_stopped or not states & WAITING else min(newly_used, seconds)


def _read(stat: Path) -> list[str]:
    return stat.read_text().rpartition(")")[2].split()
