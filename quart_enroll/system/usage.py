"""What processes use, as far as Linux tells; on other systems nothing is known."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds that processes have used so far, and the resident memory of each in bytes."""

    cpu_seconds: float
    memory: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """The processor's name, the cores that this process may use, and bytes of memory; 0 if it isn't known."""

    model: str
    cores: int
    memory: int


def read_usage(pid: int) -> Usage | None:
    """Return what the process and all its descendants use; None if that can't be read."""
    found = [one for one in map(_read, [pid, *descendants(pid)]) if one is not None]
    return Usage(sum(cpu for cpu, _ in found), tuple(memory for _, memory in found)) if found else None


def read_busy_seconds() -> float | None:
    """Return the seconds that all cores of the machine have worked so far, added up; None if that can't be read."""
    try:
        first = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, *interrupts = map(int, first.split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Return the ids of all descendants of the process."""
    children: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the process has just ended
            children += map(int, listed.read_text().split())
    return [*children, *(below for child in children for below in descendants(child))]


def read_machine() -> Machine:
    """Return the machine's facts; the memory is the limit of this process's container, if it has one."""
    memory = 0
    with suppress(OSError, ValueError, AttributeError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # "max" means no limit
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(_model(), cores, memory)


def _read(pid: int) -> tuple[float, int] | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    cpu_seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return cpu_seconds, int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def _model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
