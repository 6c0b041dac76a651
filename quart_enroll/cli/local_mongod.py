"""Runs a local MongoDB for development and tests, with nothing to install or clean up."""

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

MONGOD_START_SECONDS = 20.0
"""How long a mongod may take to start, whether this process or another one starts it."""

RELEASE_TIMEOUT_SECONDS = 3.0
"""How long a killed mongod may keep its port and data."""

EXIT_PORT_TAKEN, EXIT_DATA_IN_USE = 48, 100
"""The exit codes of a mongod whose port or data is in use."""

# By default, a replica set reserves hundreds of megabytes for its log and journal; with these options, five. Loopback
# only and no compression, because the mongod in the development requirements lacks the latest patches.
SMALL_FOOTPRINT_OPTIONS = [
    *("--bind_ip", "127.0.0.1", "--nounixsocket", "--networkMessageCompressors", "disabled"),
    *("--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"),
    *("--wiredTigerEngineConfigString", "log=(file_max=4MB,prealloc=false)"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
]

NO_MONGOD_HELP = """There is no MongoDB on this machine. Do one of these:
  - install MongoDB 6 or newer, so that there is a `mongod` on the PATH;
  - set MONGO_URI, for example in .env, to a replica set elsewhere;
  - on Linux x86-64, install libcurl4; the mongod in requirements-dev.txt needs nothing else."""


class LocalMongodError(click.ClickException):
    """No local mongod can be started; the message says why and what to do."""


@contextmanager
def database_uri(configured: str, project: Path) -> Iterator[str]:
    """Yield `configured`, the setting MONGO_URI; if it is empty, run a local mongod and yield its URI."""
    if configured:
        yield configured
    else:
        with local_mongod(project / ".mongodb") as uri:
            yield uri


@contextmanager
def local_mongod(folder: Path) -> Iterator[str]:
    """Run a mongod with its data in `folder` during the block, and yield its URI.

    If another process is already running one there, share it and leave it running. Raises LocalMongodError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uri = _stored_uri(folder / "uri")
    with ExitStack() as stack:
        owner = stack.enter_context(open(folder / "owner", "a"))
        deadline = time.monotonic() + MONGOD_START_SECONDS
        while not _lock(owner):
            if has_primary(uri, timeout=0.5):
                break
            if time.monotonic() > deadline:
                raise LocalMongodError(f"Another process is using {folder}, but its MongoDB does not respond.")
        else:
            stack.enter_context(_running_mongod(folder, uri))
            initiate_replica_set(uri)
            if not has_primary(uri, MONGOD_START_SECONDS):
                raise LocalMongodError(f"The local MongoDB did not become ready; see its log, {folder}/mongod.log.")
        yield uri


def find_mongod() -> str:
    """Return the first mongod that starts: the one on the PATH, or that of the development requirements."""
    bundled = Path(sysconfig.get_path("purelib"), "fiftyone/db/bin/mongod")
    for mongod in (shutil.which("mongod"), str(bundled)):
        with suppress(OSError):
            if mongod and subprocess.run([mongod, "--version"], capture_output=True).returncode == 0:  # noqa: S603  # found above
                return mongod
    raise LocalMongodError(NO_MONGOD_HELP)


@contextmanager
def _running_mongod(folder: Path, uri: str) -> Iterator[None]:
    """Run a mongod that listens at `uri` and dies with this process, however it dies."""
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
            raise LocalMongodError(f"MongoDB did not start; see its log, {log}.")
        if time.monotonic() > deadline:
            raise LocalMongodError(
                f"Port {port} of the local MongoDB is used by another program. Stop that program, or remove "
                f"{folder}, and the next start creates an empty database on another port."
            )
        time.sleep(0.1)


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until mongod logs that it is listening; return False if it exits instead."""
    deadline = time.monotonic() + MONGOD_START_SECONDS
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            return False
        # Its own log, because another program may be answering on the port.
        if b"aiting for connections" in log.read_bytes():
            return True
    return False


def _stored_uri(path: Path) -> str:
    """Return the URI of this folder's mongod, always the same because a replica set remembers its port."""

    def choose() -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # A unique name distinguishes it from the mongod of another checkout.
        return f"mongodb://127.0.0.1:{port}/FLASK_Enrollment?replicaSet=enroll-{secrets.token_hex(4)}"

    return read_or_create(path, choose)


def _port_and_name(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return str(parts.port), parse_qs(parts.query)["replicaSet"][0]


def _lock(file: IO[str]) -> bool:
    """Try to lock the folder; the system unlocks it however this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
