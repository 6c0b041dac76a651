"""What tests start on this machine: the site's own processes, seen from outside."""

import fcntl
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from pymongo import MongoClient

from config import Config
from quart_enroll.system.process import child_process

PROJECT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 60.0
"""Seconds that a start or an end may take on a busy machine."""

QUART = (sys.executable, "-m", "quart", "--app", "asgi")
SERVER = (sys.executable, "-m", "hypercorn", "-c", "file:hypercorn_conf.py", "asgi:app")


def environment(**given: object) -> dict[str, str]:
    """Return an environment with the settings `given`, in capitals, and no others: no developer's .env."""
    silent = {field.name.upper(): "" for field in fields(Config)}
    settings = {"APP_ENV": "development", "SECRET_KEY": "of no use to anybody, and long enough", **given}
    # Python keeps what it compiles, even where the developer forbids that: a start then takes a quarter less time.
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    return {**os.environ, **compiled, **silent, **{name: str(value) for name, value in settings.items()}}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def with_database(uri: str, name: str) -> str:
    """Return `uri` with another database: each test that writes has one of its own."""
    return urlsplit(uri)._replace(path=f"/{name}").geturl()


@contextmanager
def fresh_database(uri: str) -> Iterator[str]:
    """Give the address of a database that nobody else has, on the same MongoDB; it is gone afterwards."""
    name = f"enroll_test_{secrets.token_hex(6)}"
    try:
        yield with_database(uri, name)
    finally:
        with MongoClient[dict[str, object]](uri) as client:
            client.drop_database(name)


def quart(*command: str, cwd: Path = PROJECT, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run `quart --app asgi` with `command`."""
    return subprocess.run(
        [*QUART, *command],
        cwd=cwd,
        env=environment(**settings),
        text=True,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    @contextmanager
    def connection(self) -> Iterator[HTTPConnection]:
        """Give a connection that a worker has taken up already."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)) as connection:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            yield connection


@contextmanager
def server(log: Path, *, command: Sequence[str] = SERVER, **settings: object) -> Iterator[Server]:
    """Serve the site as in production, on a free port, its output in `log`."""
    port = free_port()
    environ = environment(PORT=port, **settings)
    with open(log, "wb") as output, child_process(command, output=output, environ=environ, cwd=PROJECT) as process:
        wait_for_port(process, port, log)
        yield Server(process, port)


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until `process` takes connections."""
    for _ in range(int(TIMEOUT_SECONDS / 0.05)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
    raise AssertionError(f"The server did not start:\n{log.read_text()}")


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes that `pid` has started, and those that they have. Linux only."""
    children = [
        int(found) for listed in Path(f"/proc/{pid}/task").glob("*/children") for found in listed.read_text().split()
    ]
    return [*children, *(below for found in children for below in descendants(found))]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.001)


def is_locked(path: Path) -> bool:
    """Tell whether somebody, of this process or another one, has locked the file."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def expect_exit(pids: list[int]) -> Iterator[None]:
    """Watch the processes `pids`, and fail unless the block makes every one of them end. Linux only."""
    watched = [os.pidfd_open(pid) for pid in pids]
    try:
        yield
        for pid, handle in zip(pids, watched, strict=True):
            assert select.select([handle], [], [], TIMEOUT_SECONDS)[0], f"process {pid} goes on"
    finally:
        for handle in watched:
            os.close(handle)
