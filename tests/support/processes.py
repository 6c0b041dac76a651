"""Start the site's processes for tests, and watch them from outside."""

import fcntl
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
"""How long a process may take to start or exit on a busy machine."""

QUART = (sys.executable, "-m", "quart", "--app", "asgi")
SERVER = (sys.executable, "-m", "hypercorn", "-c", "file:hypercorn_conf.py", "asgi:app")

UNREACHABLE_DATABASE: Mapping[str, object] = {
    "MONGO_URI": "mongodb://127.0.0.1:1/?replicaSet=none",
    "DATABASE_TIMEOUT": 0.1,  # otherwise a server that stops waits for the database for seconds
}
"""Settings for tests whose requests need no database."""


def environment(**given: object) -> dict[str, str]:
    """Return an environment with only the settings `given`, in capitals, and nothing from a developer's .env."""
    silent = {field.name.upper(): "" for field in fields(Config)}
    settings = {"APP_ENV": "development", "SECRET_KEY": "of no use to anybody, and long enough", **given}
    # Python caches bytecode even if the developer has disabled that: processes start a quarter faster.
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    return {**os.environ, **compiled, **silent, **{name: str(value) for name, value in settings.items()}}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def with_database(uri: str, name: str) -> str:
    """Return `uri` with another database name."""
    return urlsplit(uri)._replace(path=f"/{name}").geturl()


@contextmanager
def fresh_database(uri: str) -> Iterator[str]:
    """Yield the URI of a new database on the same MongoDB, and drop it afterwards."""
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
        """Yield a connection that a worker has already accepted."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)) as connection:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            yield connection


@contextmanager
def server(log: Path, *, command: Sequence[str] = SERVER, **settings: object) -> Iterator[Server]:
    """Serve the site as in production, on a free port, with its output in `log`."""
    port = free_port()
    environ = environment(PORT=port, **settings)
    with open(log, "wb") as output, child_process(command, output=output, environ=environ, cwd=PROJECT) as process:
        wait_for_port(process, port, log)
        yield Server(process, port)


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until `process` accepts connections."""
    for _ in range(int(TIMEOUT_SECONDS / 0.05)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
    raise AssertionError(f"The server did not start:\n{log.read_text()}")


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail after TIMEOUT_SECONDS."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.01)


def is_locked(path: Path) -> bool:
    """Tell whether any process holds a lock on the file."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def expect_exit(pids: list[int]) -> Iterator[None]:
    """Fail unless the block makes each of the processes `pids` exit. Linux only."""
    watched = [os.pidfd_open(pid) for pid in pids]
    try:
        yield
        for pid, handle in zip(pids, watched, strict=True):
            assert select.select([handle], [], [], TIMEOUT_SECONDS)[0], f"process {pid} goes on"
    finally:
        for handle in watched:
            os.close(handle)
