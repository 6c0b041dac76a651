"""Bodies that are too large, sent to a real server process."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import TIMEOUT_SECONDS, Server, server

BYTES_PER_MEGABYTE = 1024 * 1024
REQUEST_HEAD = (
    b"POST /register HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)


@pytest.fixture(scope="module")
def site(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("bodies") / "log", MONGO_URI=mongod) as running:
        yield running


def _peak_memory(pid: int) -> int:
    """Return the peak memory of the process so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _send(port: int, head: bytes, chunk: bytes, chunk_count: int) -> bytes:
    """Send a request until the server responds, and return the beginning of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
        try:
            connection.sendall(REQUEST_HEAD + head)
            for _ in range(chunk_count):
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server refuses without reading everything
        return connection.recv(1000)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory in /proc")
@pytest.mark.parametrize(
    ("head", "chunk"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 0x10000 + b"\r\n"),
        (b"Content-Length: 62914560\r\n\r\n", b"x" * 0x10000),
    ],
    ids=["chunked", "content-length"],
)
def test_a_60_mb_body_is_refused_and_not_held_in_memory(site: Server, head: bytes, chunk: bytes) -> None:
    memory_before = _peak_memory(site.process.pid)
    response = _send(site.port, head, chunk, 960)
    assert response.startswith(b"HTTP/1.1 413")
    assert _peak_memory(site.process.pid) - memory_before < 10 * BYTES_PER_MEGABYTE
