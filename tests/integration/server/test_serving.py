"""How the server processes start and stop."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from quart_enroll.db.client import open_database
from quart_enroll.services.accounts.hash_slots import HashSlots
from quart_enroll.system.usage import descendants
from tests.support import school
from tests.support.processes import (
    PROJECT,
    QUART,
    SERVER,
    TIMEOUT_SECONDS,
    UNREACHABLE_DATABASE,
    Server,
    environment,
    is_locked,
    server,
    wait_until,
)

SLOW_PASSWORD_METHOD = "scrypt:65536:8:1"  # a sixth of a second per hash, and ten times that on a busy machine
NAMES = ["Ada", "Bob", "Chioma", "Dilan", "Eva"]


@pytest.fixture
def database(fresh_uri: str) -> str:
    """Return the URI of a database of the test's own, with all indexes and validators."""

    async def build() -> None:
        async with open_database(fresh_uri, 20) as db:
            await school.build(db)

    asyncio.run(build())
    return fresh_uri


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
@pytest.mark.parametrize(("workers", "stop_signal"), [(1, signal.SIGINT), (1, signal.SIGTERM), (2, signal.SIGTERM)])
def test_requests_in_flight_are_answered_and_streams_end_when_every_process_is_told_to_stop(
    workers: int, stop_signal: signal.Signals, database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    settings = {"MONGO_URI": database, "PASSWORD_METHOD": SLOW_PASSWORD_METHOD, "PASSWORD_THREADS": 1}  # one at a time
    with server(log, WEB_CONCURRENCY=workers, **settings) as site, ExitStack() as stack:
        streams = []
        for _ in range(8):  # enough for each worker to get one
            connection = stack.enter_context(site.connection())
            connection.request("GET", "/live?term=Fall+2026")
            streams.append(connection.getresponse())
            assert streams[-1].readline().startswith(b"retry: ")
        connections = [stack.enter_context(site.connection()) for _ in NAMES]
        for name, connection in zip(NAMES, connections, strict=True):
            connection.request("POST", "/register", registration(name), headers=SAME_ORIGIN_FORM_HEADERS)
        answered, _, _ = select.select([connection.sock for connection in connections], [], [], TIMEOUT_SECONDS)
        assert 0 < len(answered) < len(NAMES)

        for pid in (site.process.pid, *descendants(site.process.pid)):
            os.kill(pid, stop_signal)

        assert [connection.getresponse().status for connection in connections] == [303] * len(NAMES)
        for stream in streams:  # a stream that is cut off, as after graceful_timeout, is an IncompleteRead
            assert b"retry: " in stream.read()
        assert site.process.wait(TIMEOUT_SECONDS) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopping_server_serves_what_a_router_still_sends(workers: int, tmp_path: Path) -> None:
    settings = {"APP_ENV": "production", "WEB_CONCURRENCY": workers, **UNREACHABLE_DATABASE}
    with (
        server(tmp_path / "log", **settings) as site,
        site.connection() as idle,
    ):
        for pid in (site.process.pid, *descendants(site.process.pid)):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: is_closed_after_response(site))
        idle.request("GET", "/healthz")
        response = idle.getresponse()
        assert (response.status, response.headers["connection"]) == (200, "close")
        assert site.process.wait(TIMEOUT_SECONDS) == 0
        with pytest.raises(ConnectionRefusedError):
            HTTPConnection("127.0.0.1", site.port).connect()


def is_closed_after_response(site: Server) -> bool:
    """Tell whether the server closes a new connection after a response."""
    with closing(HTTPConnection("127.0.0.1", site.port, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        assert response.status == 200
        return response.headers["connection"] == "close"


@pytest.mark.skipif(sys.platform != "linux", reason="reads a worker's environment in /proc")
def test_workers_share_the_hashing_slots_and_allocate_hashing_memory_in_huge_pages(
    database: str, tmp_path: Path
) -> None:
    with server(tmp_path / "log", WEB_CONCURRENCY=2, PASSWORD_THREADS=1, MONGO_URI=database) as site:
        environ = worker_environment(site)
        assert environ["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
        folder = Path(environ["PASSWORD_SLOTS"])
        slots = HashSlots(str(folder), 2)
        with site.connection() as connection:
            with slots.take(0), slots.take(1):  # one per worker: now all slots are taken
                connection.request("POST", "/register", registration("Ada"), headers=SAME_ORIGIN_FORM_HEADERS)
                wait_until(lambda: is_locked(folder / "next0") or is_locked(folder / "next1"))
            assert connection.getresponse().status == 303
    assert not folder.exists()


@pytest.mark.parametrize(
    ("command", "workers"),
    [(SERVER, 1), (SERVER, 2), ((*QUART, "seed"), 1)],
    ids=["server", "server with workers", "command"],
)
def test_an_invalid_setting_stops_the_start_with_an_error_message(command: tuple[str, ...], workers: int) -> None:
    result = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment(DATABASE_TIMEOUT="soon", WEB_CONCURRENCY=workers),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        "DATABASE_TIMEOUT must be a number from 0.1 to 25. "
        "(Seconds to wait for the database before a page reports that it didn't answer.)\n"
    )


SAME_ORIGIN_FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


def worker_environment(site: Server) -> dict[str, str]:
    """Return the environment of a worker."""
    pairs = Path(f"/proc/{descendants(site.process.pid)[-1]}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def registration(name: str) -> str:
    return urlencode(
        {
            "email": f"{name.lower()}@school.example",
            "password": "let me learn",
            "password_confirm": "let me learn",
            "first_name": name,
            "last_name": "Winters",
        }
    )


def test_workers_share_metrics_as_long_as_their_folder_exists_and_leave_none_behind(tmp_path: Path) -> None:
    token, log = "of-no-use-to-anybody", tmp_path / "log"
    with server(log, WEB_CONCURRENCY=2, METRICS_TOKEN=token, TMPDIR=tmp_path, **UNREACHABLE_DATABASE) as site:
        for _ in range(20):  # each on its own connection, so that both workers get some
            with site.connection():
                pass
        status, metrics = read_metrics(site, token)
        assert status == 200
        assert 'endpoint="healthz",method="GET",status="200"} 21.0' in metrics
        [folder] = tmp_path.glob("quart-enroll-*")
        assert len(list(folder.glob("counter_*.db"))) == 2
        shutil.rmtree(folder)  # as cleanup programs do
        status, _ = read_metrics(site, token)
        assert status == 200
    assert list(tmp_path.glob("quart-enroll-*")) == []
    assert [line for line in log.read_text().splitlines() if not line.startswith("at=")] == []


def read_metrics(site: Server, token: str) -> tuple[int, str]:
    """Return the status and the body of the metrics."""
    with site.connection() as connection:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
