"""Keeps several server processes running: starts them, replaces those that die or hang, and stops them together.

Each worker runs the command that started this process, and serves on the sockets that this process has opened. A
connection waits in the kernel until a worker accepts it, so none waits for a worker that hangs, except those that this
worker has accepted before. A pipe between the two processes tells the supervisor that the worker is well, and the
worker when the supervisor has died.
"""

import asyncio
import ctypes
import faulthandler
import fcntl
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from argparse import ArgumentParser
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from hypercorn.config import Config

from quart_enroll.server.hang_detector import HangDetector
from quart_enroll.system.background import run_in_background

WORKER_VARIABLE = "QUART_ENROLL_WORKER"
"""The environment variable that names a worker's pipe and the sockets it listens on."""

FOLDER_PREFIX, LOCK_FILE = "quart-enroll-", "supervisor.lock"
"""The prefix of the folders that workers share, and the file in each that its supervisor locks."""

STEADY_SECONDS = 60.0
"""How long a worker must have run to be replaced at once when it dies."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 30.0
"""Workers that die sooner are replaced after the first pause, then after twice as long each time, up to the longest.

The pauses leave the machine to the other workers. If there are none, the next one starts at once.
"""

HEARTBEAT_SECONDS = 0.25
"""The time between two signs of life of a worker, which its event loop sends."""

SILENT_SECONDS = 2 * HEARTBEAT_SECONDS
"""The time without one after which the supervisor looks at the worker."""

MAX_STOPPED_SECONDS = 1.0
"""How long a worker may be stopped by a signal before it is killed."""

MAX_HANG_SECONDS = 5.0
"""How long a serving worker may hang otherwise: blocked, or busy with one thing for so much processor time. With 20,000
sections, the longest work between two heartbeats takes 0.5 s."""

MAX_START_SECONDS = 60.0
"""The same for a worker that isn't ready yet."""

READY, LEAVING = b"1", b"0"
"""What a worker sends: that it serves; that it has served its last request."""

PR_SET_PDEATHSIG = 1
"""Linux's prctl option for the signal that a process gets when its parent dies."""

logger = logging.getLogger(__name__)


class Worker:
    """A worker's connection to its supervisor."""

    def __init__(self, pipe: int, *listening: int) -> None:
        self.binds = [f"fd://{number}" for number in listening]
        self._pipe = socket.socket(fileno=pipe)

    async def report_ready(self) -> AsyncGenerator[None, None]:
        """Tell the supervisor that this process is serving, and again and again that it still does."""
        self._tell(READY)  # before the first request, which may hang
        async with run_in_background(self._send_heartbeats()):
            yield
        self._tell(LEAVING)

    async def _send_heartbeats(self) -> None:
        while True:
            self._tell(READY)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _tell(self, what: bytes) -> None:
        with suppress(OSError):  # the supervisor has died, or has been stopped for so long that the pipe is full
            self._pipe.send(what, socket.MSG_DONTWAIT)

    def end_with_supervisor(self, folder: str) -> None:
        """Watch the supervisor from a thread; when it has died, remove the folder and end this process."""

        def watch() -> None:
            with suppress(OSError):
                self._pipe.recv(1)
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(1)

        if sys.platform == "linux":  # a stopped worker can't see the pipe close; this wakes it
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)
        threading.Thread(target=watch, daemon=True).start()
        faulthandler.register(signal.SIGUSR1)  # prints where a worker hangs before the supervisor kills it


@cache
def this_worker() -> Worker | None:
    """Return this process's connection to its supervisor; None if it has no supervisor."""
    numbers = os.environ.get(WORKER_VARIABLE)
    return Worker(*map(int, numbers.split(","))) if numbers else None


class Supervisor:
    """Keeps `number` workers running, each started with `command`, on the sockets `listening`.

    They share `folder`. When the server stops, workers that take longer than `stop_seconds` are killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        listening: Sequence[socket.socket],
        folder: Path,
        *,
        number: int,
        stop_seconds: float,
    ) -> None:
        self._command = command
        self._listening = listening
        self._folder = folder
        self._number = number
        self._stop_seconds = stop_seconds
        self._processes: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()
        self._has_served = False
        self._status = 0

    async def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return the exit status.

        It is 1 if none of the first workers starts, or if no worker is left and the next one doesn't start.
        """
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(ending, self.stop)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._number):
                group.create_task(self._keep_running())
            await self._stopping.wait()
            for one in self._listening:  # once the workers do the same, new connections are refused
                one.close()
            for process in self._processes:
                _send(process, signal.SIGTERM)
            killing = loop.call_later(self._stop_seconds, self._kill)
        killing.cancel()
        return self._status

    def stop(self) -> None:
        """Begin to stop all workers."""
        self._stopping.set()

    async def _keep_running(self) -> None:
        """Run a worker, and a new one whenever it dies."""
        loop, pause = asyncio.get_running_loop(), 0.0
        while not self._stopping.is_set():
            began = loop.time()
            was_ready = await self._run_one()
            if not was_ready and not (self._has_served and self._processes) and not self._stopping.is_set():
                logger.critical("no worker starts: stopping the server")
                self._status = 1
                self.stop()
            is_steady = loop.time() - began >= STEADY_SECONDS
            pause = 0.0 if is_steady else min(max(FIRST_PAUSE_SECONDS, 2 * pause), MAX_PAUSE_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause if self._processes else 0.0)

    async def _run_one(self) -> bool:
        """Run a worker until it ends, log why it ended, and return whether it was ever ready."""
        own_end, worker_end = socket.socketpair()
        with own_end:
            with worker_end:
                sockets = [one.fileno() for one in (worker_end, *self._listening)]
                environ = {**os.environ, WORKER_VARIABLE: ",".join(map(str, sockets))}
                try:
                    self._folder.mkdir(mode=0o700, exist_ok=True)  # a program that tidies up /tmp may have removed it
                    process = await asyncio.create_subprocess_exec(*self._command, pass_fds=sockets, env=environ)
                except OSError as error:  # no memory, or too many processes
                    logger.error("can't start a worker: %s", error)
                    return False
            self._processes.add(process)
            if self._stopping.is_set():
                _send(process, signal.SIGTERM)
            own_end.setblocking(False)
            was_ready = await self._watch(process, own_end)
            status = await process.wait()
            self._processes.discard(process)
        for gauge in self._folder.glob(f"gauge_live*_{process.pid}.db"):  # or Prometheus would keep adding them up
            gauge.unlink(missing_ok=True)
        if not self._stopping.is_set():
            end = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            logger.error("worker %d %s%s", process.pid, end, "" if was_ready else " before it was ready")
        return was_ready

    async def _watch(self, process: asyncio.subprocess.Process, pipe: socket.socket) -> bool:
        """Watch a worker until it ends; kill it if it hangs. Return whether it was ever ready."""
        hang, allowed, was_ready = HangDetector(process.pid), MAX_START_SECONDS, False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SILENT_SECONDS):
                    said = await asyncio.get_running_loop().sock_recv(pipe, 1024)
                if not said:
                    return was_ready
                hang.hear()
                self._has_served = was_ready = True
                allowed = self._stop_seconds if said.endswith(LEAVING) else MAX_HANG_SECONDS
                continue
            hang.count(SILENT_SECONDS)  # even if this process was suspended meanwhile
            if hang.is_stopped and hang.seconds >= MAX_STOPPED_SECONDS:
                logger.error("worker %d was stopped by a signal: killing it", process.pid)
                break
            if hang.seconds >= allowed:
                logger.error("worker %d hangs: killing it", process.pid)
                _send(process, signal.SIGUSR1)
                await asyncio.sleep(HEARTBEAT_SECONDS)
                break
        _send(process, signal.SIGKILL)
        return was_ready

    def _kill(self) -> None:
        for process in self._processes:
            logger.error("worker %d did not stop in time: killing it", process.pid)
            _send(process, signal.SIGKILL)


def supervise(binds: list[str], folder: Path, *, number: int, stop_seconds: float) -> int:
    """Run the command of this process in `number` workers that share `folder`; return the server's exit status.

    They serve on `binds` unless the command itself has binds. Call this before anything else: it doesn't return until
    the server has stopped.
    """
    options = ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("-b", "--bind", action="append")
    given, rest = options.parse_known_args(sys.argv[1:])
    python = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]  # its own options, and what it runs
    listening = Config.from_mapping(bind=given.bind or binds).create_sockets().insecure_sockets
    command = [sys.executable, *python, *rest]
    return asyncio.run(Supervisor(command, listening, folder, number=number, stop_seconds=stop_seconds).run())


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Create a folder for the duration of the block, and remove folders of servers killed with all their workers."""
    for lock in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/{LOCK_FILE}"):
        with suppress(OSError):  # it belongs to another user, or is in use
            if lock.lstat().st_uid == os.getuid():
                with open(lock) as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    try:
        with open(folder / "new", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            (folder / "new").rename(folder / LOCK_FILE)  # so that nobody ever sees it unlocked
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _send(process: asyncio.subprocess.Process, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(what)
