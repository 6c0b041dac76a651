"""Bodies that are too large, sent to a real server process."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import TIMEOUT_SECONDS, Server, server

MEGABYTE = 1024 * 1024
HEAD = (
    b"POST /register HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)


@pytest.fixture(scope="module")
def site(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("bodies") / "log", MONGO_URI=mongod) as running:
        yield running


def _memory(pid: int) -> int:
    """Return the highest number of bytes that the process has held in memory so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _send(port: int, head: bytes, block: bytes, blocks: int) -> bytes:
    """Send a request until the server responds, and return the beginning of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
        try:
            connection.sendall(HEAD + head)
            for _ in range(blocks):
                connection.sendall(block)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has closed the connection
        return connection.recv(1000)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory in /proc")
@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 0x10000 + b"\r\n"),
        (b"Content-Length: 62914560\r\n\r\n", b"x" * 0x10000),
    ],
    ids=["chunked", "announced"],
)
def test_a_body_of_60_mb_is_refused_and_not_held_in_memory(site: Server, head: bytes, block: bytes) -> None:
    before = _memory(site.process.pid)
    answer = _send(site.port, head, block, 960)
    assert answer.startswith(b"HTTP/1.1 413")
    assert _memory(site.process.pid) - before < 10 * MEGABYTE
