"""Start the sites that are measured, each with two processes that only this machine can reach."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quart_enroll.system.process import child_process
from quart_enroll.system.usage import descendants
from tests.support.processes import PROJECT, SERVER, environment, free_port, wait_for_port

PROCESSES = 2
MEBIBYTE = 1024 * 1024
MAX_MIB = 150.0
"""The memory that a process of the site may need."""

THREADS = 16
"""Threads of each gunicorn worker: the Flask site is no faster with more or fewer."""

IDLE_SECONDS, MAX_IDLE_WAIT_SECONDS = 0.1, 10.0
"""Seconds without CPU use after which a site counts as idle, and within which it must become idle: the Flask site
finishes the requests of 64 closed connections."""

SECRET_KEY = environment()["SECRET_KEY"]
HYPERCORN = SERVER[:-1]
FLASK_PYTHON = PROJECT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Site:
    """A started site, which takes a moment until it listens; `process` is its first process."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self) -> "Site":
        """Wait until the site accepts connections."""
        wait_for_port(self.process, self.port, self.log)
        return self

    def workers(self) -> list[int]:
        """Return the ids of the first process and of those that it has started."""
        return [self.process.pid, *descendants(self.process.pid)]

    def memory(self) -> list[int]:
        """Return the memory of each process in bytes, the largest first."""
        return sorted((_status(pid, "VmRSS") for pid in self.workers()), reverse=True)

    def peak_memory(self) -> int:
        """Return the most memory in bytes that any of the processes has had so far."""
        return max(_status(pid, "VmHWM") for pid in self.workers())

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that all processes have used so far."""
        return sum(map(cpu_seconds, self.workers()))

    def wait_until_idle(self) -> None:
        """Wait until the site uses no CPU time, so that it doesn't slow down the next one."""
        cpu_seconds_before, deadline = -1.0, time.monotonic() + MAX_IDLE_WAIT_SECONDS
        while (cpu_seconds_now := self.cpu_seconds()) > cpu_seconds_before and time.monotonic() < deadline:
            cpu_seconds_before = cpu_seconds_now
            time.sleep(IDLE_SECONDS)

    def error_lines(self) -> list[str]:
        """Return the lines of the log that report errors."""
        lines = self.log.read_text(errors="replace").splitlines()
        signs = ("failed:", "status=5", "Traceback")
        return [line for line in lines if any(sign in line for sign in signs)]


@contextmanager
def serve_quart_enroll(folder: Path, uri: str, name: str, *, processes: int = PROCESSES) -> Iterator[Site]:
    """Serve the site as the Procfile does in production, but without https."""
    command = [*HYPERCORN, "asgi:app"]
    with _running(name, folder, command, MONGO_URI=uri, WEB_CONCURRENCY=processes) as site:
        yield site


@contextmanager
def serve_bare_quart(folder: Path) -> Iterator[Site]:
    """Serve a one-word response, with the same server and settings."""
    command = [*HYPERCORN, "tests.bench.bare:app"]
    uri = "mongodb://127.0.0.1:9/none"  # required by the settings, but never used
    with _running("bare", folder, command, MONGO_URI=uri, WEB_CONCURRENCY=PROCESSES) as site:
        yield site


@contextmanager
def serve_flask(folder: Path, uri: str) -> Iterator[Site]:
    """Serve the Flask site with its fastest settings."""
    command = [
        *(str(FLASK_PYTHON), "-m", "gunicorn", "--chdir", "tests/bench/flask_site", "flask_site:app"),
        *("--workers", str(PROCESSES), "--worker-class", "gthread", "--threads", str(THREADS)),
        *("--keep-alive", "95", "--backlog", "2048", "--log-level", "warning"),
    ]
    with _running("flask", folder, command, MONGO_URI=uri, WEB_CONCURRENCY=PROCESSES) as site:
        yield site


@contextmanager
def _running(name: str, folder: Path, command: Sequence[str], **settings: object) -> Iterator[Site]:
    port, log = free_port(), folder / f"{name}.log"
    environ = environment(APP_ENV="production", PORT=port, **settings)
    # The production settings listen on all network interfaces; this site must not be reachable from outside.
    command = [*command, "--bind", f"127.0.0.1:{port}"]
    with open(log, "wb") as output, child_process(command, output=output, environ=environ, cwd=PROJECT) as process:
        yield Site(name, port, process, log)


def _status(pid: int, name: str) -> int:
    """Return a size from /proc, in bytes; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that the process has used so far; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
