"""nginx in the role of Heroku's router: the same headers and 30-second limit, and no request is ever sent twice."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from quart_enroll.system.process import child_process
from tests.support.processes import free_port, wait_for_port
from tests.support.student_crowd import exchange

CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {root}
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream dynos {{ {dynos} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location = /which-configuration {{ return 200 "{number}"; }}
    location / {{
      proxy_pass http://dynos;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Port 443;
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header Via "1.1 heroku-router";
      proxy_connect_timeout 5s;
      proxy_read_timeout 30s;
      proxy_next_upstream off;
      proxy_buffering off;
    }}
  }}
}}
"""


def find_nginx() -> str | None:
    """Return the path of nginx, or None; Debian installs it outside the usual PATH."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@dataclass
class Router:
    """A router that listens on `port` and forwards requests to the servers on the ports `dynos`."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    dynos: list[int] = field(default_factory=list)
    number: int = 0

    async def route_to(self, dynos: Iterable[int]) -> None:
        """Forward new requests only to these servers; requests in progress stay where they are."""
        self.dynos, self.number = list(dynos), self.number + 1
        _write(self.folder, self.port, self.dynos, self.number)
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while await self._current_configuration() != self.number:  # noqa: ASYNC110  # nginx does not report when it has read it
                await asyncio.sleep(0.01)

    async def _current_configuration(self) -> int:
        """Return the number of the configuration that applies to new connections."""
        request = b"GET /which-configuration HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with suppress(OSError):
            return int((await exchange(self.port, request))[2])
        return -1


@contextmanager
def router(nginx: str, folder: Path, dynos: Iterable[int]) -> Iterator[Router]:
    """Run the router during the block."""
    folder.mkdir()
    port, log = free_port(), folder / "output"
    _write(folder, port, dynos, 0)
    command = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]
    with ExitStack() as stack:
        output = stack.enter_context(open(log, "wb"))
        process = stack.enter_context(child_process(command, output=output))
        wait_for_port(process, port, log)
        yield Router(process, folder, port, list(dynos))


def _write(folder: Path, port: int, dynos: Iterable[int], number: int) -> None:
    servers = " ".join(f"server 127.0.0.1:{dyno} max_fails=0;" for dyno in dynos)
    root = "user root;" if os.geteuid() == 0 else ""  # otherwise its worker may not enter the folder of a test
    text = CONFIGURATION.format(folder=folder, root=root, dynos=servers, port=port, number=number)
    (folder / "nginx.conf").write_text(text)
