"""Server processes of the site, started and stopped while students send requests."""

import asyncio
import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from quart_enroll.system.process import child_process
from quart_enroll.system.usage import descendants
from tests.support.processes import PROJECT, SERVER, environment, free_port

START_TIMEOUT_SECONDS = 60.0
"""For a process on a busy machine."""


@dataclass(frozen=True)
class Process:
    """A server process of the site, with its workers if it has any."""

    popen: subprocess.Popen[bytes]
    port: int
    log: Path

    def kill(self) -> None:
        """Kill it as a power failure would, with nothing finished."""
        os.kill(self.popen.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask all its processes to stop, as Heroku does."""
        for pid in (self.popen.pid, *descendants(self.popen.pid)):
            os.kill(pid, signal.SIGTERM)

    async def wait_until_listening(self) -> None:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self.popen.poll() is None:
            with suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"The server did not start:\n{self.log.read_text()}")


def start(stack: ExitStack, folder: Path, uri: str, **settings: object) -> Process:
    """Start a server of the site for the lifetime of the stack; it takes a moment until it listens."""
    port = free_port()
    log = folder / f"server-{port}.log"
    environ = environment(PORT=port, MONGO_URI=uri, **settings)
    with open(log, "wb") as output:  # the process keeps its own copy
        running = child_process(SERVER, output=output, environ=environ, cwd=PROJECT)
        return Process(stack.enter_context(running), port, log)
