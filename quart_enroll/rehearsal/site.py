"""The site's own server processes, on a port that only this machine can reach."""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

from quart_enroll.rehearsal.browser import HOST, Browser
from quart_enroll.system.process import child_process

START_SECONDS = 60.0
"""How long the site may take until it is ready."""

LOG_LINES_SHOWN = 15


class SiteFailed(Exception):
    """The site's processes did not start, or ended too early; the message has the end of their log."""


class RehearsedSite:
    """The running site: its port, its first process, and its log."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.pid = process.pid
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raise SiteFailed if the processes have ended."""
        if (status := self._process.poll()) is not None:
            lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            raise SiteFailed(
                "\n".join([f"The site’s processes ended with status {status}. Their log ends with:", *lines])
            )

    async def wait_until_ready(self) -> None:
        """Wait until the site answers and its database is ready; raise SiteFailed."""
        browser = Browser(self.port, HOST, lambda _: None)
        deadline = monotonic() + START_SECONDS
        while (await browser.get("/readyz", "")).status != 200:
            self.check()
            if monotonic() > deadline:
                raise SiteFailed(f"The site was not ready within {START_SECONDS:g} seconds.")
            await asyncio.sleep(0.1)
        browser.close()


@asynccontextmanager
async def serve(
    command: Sequence[str], settings: Mapping[str, str], project: Path, folder: Path
) -> AsyncIterator[RehearsedSite]:
    """Run the site with `command` and its own settings, except for `settings`, during the block.

    The log is in `folder`. While the site stops, this process closes the students' connections, for which the site
    would wait otherwise.
    """
    port = _free_port()
    environ = {**os.environ, **settings, "PORT": str(port)}
    log = folder / "site.log"
    bound = [*command, "--bind", f"{HOST}:{port}"]  # in production, the settings listen on all interfaces
    with ExitStack() as stopping:
        output = stopping.enter_context(log.open("wb"))
        process = stopping.enter_context(child_process(bound, output=output, environ=environ, cwd=project))
        try:
            site = RehearsedSite(port, process, log)
            await site.wait_until_ready()
            yield site
        finally:
            await asyncio.to_thread(stopping.close)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])
