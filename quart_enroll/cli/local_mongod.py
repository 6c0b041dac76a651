"""A MongoDB of one's own on this machine, for development and tests: nothing to install or to clean up."""

import fcntl
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import click

from quart_enroll.db.replica_set import has_primary, initiate_replica_set
from quart_enroll.system.files import read_or_create
from quart_enroll.system.process import child_process

START_TIMEOUT_SECONDS = 20.0
"""Seconds for a mongod to start, or for another process to bring up the one it has begun to start."""

RELEASE_TIMEOUT_SECONDS = 3.0
"""Seconds for a mongod that was killed to let go of its port and its data."""

EXIT_PORT_TAKEN, EXIT_DATA_IN_USE = 48, 100
"""How a mongod exits that can't have its port or its data."""

# A replica set reserves hundreds of megabytes for its log and journal by itself; these make it five. Loopback
# only, and no compression: the mongod of the development requirements lacks the newest patches.
SMALL_FOOTPRINT_OPTIONS = [
    *("--bind_ip", "127.0.0.1", "--nounixsocket", "--networkMessageCompressors", "disabled"),
    *("--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"),
    *("--wiredTigerEngineConfigString", "log=(file_max=4MB,prealloc=false)"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
]

NO_MONGOD_HELP = """There is no MongoDB on this machine. Any one of these helps:
  - install MongoDB 6 or newer, so that there is a `mongod` on the PATH;
  - set MONGO_URI, for instance in .env, to a replica set that you have elsewhere;
  - on Linux x86-64, install libcurl4: requirements-dev.txt brings a mongod that needs nothing else."""


class LocalMongodError(click.ClickException):
    """The local mongod can't be had; the message says why, and what helps."""


@contextmanager
def database_uri(configured: str, project: Path) -> Iterator[str]:
    """Give `configured`, the setting MONGO_URI; without it, the address of the local mongod of `project`."""
    if configured:
        yield configured
    else:
        with local_mongod(project / ".mongodb") as uri:
            yield uri


@contextmanager
def local_mongod(folder: Path) -> Iterator[str]:
    """Run a mongod with its data in `folder` for as long as the block lasts, and give its address.

    A mongod that another process runs there is shared, and left running. Raises LocalMongodError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uri = _stored_uri(folder / "uri")
    with ExitStack() as stack:
        owner = stack.enter_context(open(folder / "owner", "a"))
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not _lock(owner):
            if has_primary(uri, timeout=0.5):
                break
            if time.monotonic() > deadline:
                raise LocalMongodError(f"Another process has {folder}, but its MongoDB does not answer.")
        else:
            stack.enter_context(_running_mongod(folder, uri))
            initiate_replica_set(uri)
            if not has_primary(uri, START_TIMEOUT_SECONDS):
                raise LocalMongodError(f"The local MongoDB does not get ready; its log is {folder}/mongod.log.")
        yield uri


def find_mongod() -> str:
    """Return the mongod on the PATH, else that of the development requirements: the first that starts."""
    bundled = Path(sysconfig.get_path("purelib"), "fiftyone/db/bin/mongod")
    for mongod in (shutil.which("mongod"), str(bundled)):
        with suppress(OSError):
            if mongod and subprocess.run([mongod, "--version"], capture_output=True).returncode == 0:  # noqa: S603  # found above
                return mongod
    raise LocalMongodError(NO_MONGOD_HELP)


@contextmanager
def _running_mongod(folder: Path, uri: str) -> Iterator[None]:
    """Run a mongod that listens at `uri`; it dies with this process, however that dies."""
    data, log = folder / "data", folder / "mongod.log"
    data.mkdir(exist_ok=True)
    port, replica_set = _port_and_name(uri)
    command = [find_mongod(), "--dbpath", str(data), "--port", port, "--replSet", replica_set, *SMALL_FOOTPRINT_OPTIONS]
    deadline = time.monotonic() + RELEASE_TIMEOUT_SECONDS
    while True:
        with open(log, "wb") as output, child_process(command, output=output, orphaned=signal.SIGKILL) as process:
            if _listens(process, log):
                yield
                return
        if process.returncode not in (EXIT_PORT_TAKEN, EXIT_DATA_IN_USE):
            raise LocalMongodError(f"MongoDB did not start; its log is {log}.")
        if time.monotonic() > deadline:
            raise LocalMongodError(
                f"Port {port} of the local MongoDB is taken by another program. Stop that program; or remove "
                f"{folder}, and the next start makes an empty database on another port."
            )
        time.sleep(0.1)


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until mongod says that it listens, and return False when it ends instead."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            return False
        # Its own word: a connection could be answered by a stranger who has the port.
        if b"aiting for connections" in log.read_bytes():
            return True
    return False


def _stored_uri(path: Path) -> str:
    """Return the address of this folder's mongod, the same each time: a replica set remembers its port."""

    def choose() -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # A name of its own keeps it apart from the mongod of another checkout.
        return f"mongodb://127.0.0.1:{port}/FLASK_Enrollment?replicaSet=enroll-{secrets.token_hex(4)}"

    return read_or_create(path, choose)


def _port_and_name(uri: str) -> tuple[str, str]:
    address = urlsplit(uri)
    return str(address.port), parse_qs(address.query)["replicaSet"][0]


def _lock(file: IO[str]) -> bool:
    """Try to become the owner of the folder; however this process ends, the system takes that back."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
