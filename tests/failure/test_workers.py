"""Workers that are killed or hang, and a server whose supervisor is killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from quart_enroll.system.usage import descendants
from tests.support.processes import (
    PROJECT,
    SERVER,
    TIMEOUT_SECONDS,
    UNREACHABLE_DATABASE,
    Server,
    environment,
    expect_exit,
    server,
    wait_until,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")

FORM = b"email=ada%40school.example&password=x"


def open_files(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


@dataclass(frozen=True)
class Workers:
    """A server with two workers, one of which each test replaces; `/hang` blocks the worker that gets the request."""

    site: Server
    log: Path

    def pids(self) -> list[int]:
        """Return the process ids of two workers that are serving."""
        wait_until(lambda: self.started() >= 2)
        return descendants(self.site.process.pid)

    def started(self) -> int:
        """Return how many workers have ever served."""
        return self.log.read_text().count("Running on")

    def send_requests_until_replaced(self, before: int) -> None:
        """Send requests on new connections until a worker more than `before` is serving; each must be answered."""

        def is_replaced() -> bool:
            with self.site.connection():
                return self.started() > before

        wait_until(is_replaced)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    log = tmp_path_factory.mktemp("workers") / "log"
    command = [*SERVER[:-1], "tests.failure.hanging_site:app"]
    with server(log, command=command, WEB_CONCURRENCY=2, **UNREACHABLE_DATABASE) as site:
        yield Workers(site, log)
        site.process.terminate()
        assert site.process.wait(TIMEOUT_SECONDS) == 0


def test_when_a_worker_is_killed_the_other_responds_and_a_new_one_replaces_it(workers: Workers) -> None:
    previous = {pid: open_files(pid) for pid in workers.pids()}
    before = workers.started()
    with ExitStack() as stack:
        requests = [stack.enter_context(workers.site.connection()) for _ in range(8)]
        for request in requests:
            request.putrequest("POST", "/login")
            request.putheader("Content-Length", str(len(FORM)))
            request.putheader("Content-Type", "application/x-www-form-urlencoded")
            request.endheaders(FORM[:10])
        healthy, leaving = sorted(
            previous, key=lambda pid: previous[pid] - open_files(pid)
        )  # the one with most connections
        os.kill(leaving, signal.SIGKILL)
        wait_until(lambda: f"worker {leaving} was killed by signal 9" in workers.log.read_text())
        assert any(map(is_answered, requests))
    wait_until(lambda: workers.started() == before + 1)
    assert set(workers.pids()) > {healthy}
    with workers.site.connection() as connection:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200


def test_a_stopped_worker_holds_up_nobody_and_is_replaced(workers: Workers) -> None:
    stopped, before = workers.pids()[0], workers.started()
    os.kill(stopped, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{stopped}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    workers.send_requests_until_replaced(before)
    assert f"worker {stopped} was stopped by a signal: killing it" in workers.log.read_text()


def test_a_worker_that_hangs_holds_up_nobody_else_and_is_replaced(workers: Workers) -> None:
    workers.pids()
    before = workers.started()
    with workers.site.connection() as connection:
        connection.request("GET", "/hang")
        wait_until(lambda: "hanging" in workers.log.read_text())
        workers.send_requests_until_replaced(before)
        with pytest.raises(ConnectionError):
            connection.getresponse()
    output = workers.log.read_text()
    assert "hangs: killing it" in output
    assert 'hanging_site.py", line' in output  # where it hung


def is_answered(request: HTTPConnection) -> bool:
    with suppress(OSError, HTTPException):
        request.send(FORM[10:])
        return request.getresponse().status > 0
    return False


@pytest.mark.parametrize("number", [1, 2])
def test_a_server_that_cannot_start_exits_with_an_error(number: int) -> None:
    ended = subprocess.run(
        [*SERVER[:-1], "asgi:nobody"],
        cwd=PROJECT,
        env=environment(WEB_CONCURRENCY=number, **UNREACHABLE_DATABASE),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert "application not found" in ended.stderr


def test_when_the_supervisor_is_killed_workers_end_and_leave_no_folder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with server(log, WEB_CONCURRENCY=2, TMPDIR=tmp_path, **UNREACHABLE_DATABASE) as site:
        pids = Workers(site, log).pids()
        os.kill(pids[0], signal.SIGSTOP)  # even a frozen worker ends
        with expect_exit(pids):
            site.process.kill()
            site.process.wait(TIMEOUT_SECONDS)
        socket.create_server(("127.0.0.1", site.port)).close()
    assert [found.name for found in tmp_path.iterdir()] == ["log"]


def test_a_disconnected_client_frees_its_socket(tmp_path: Path) -> None:
    with server(tmp_path / "log", **UNREACHABLE_DATABASE) as site:
        with site.connection():
            pass
        with ExitStack() as stack:
            previous = open_files(site.process.pid)
            for _ in range(50):
                stack.enter_context(site.connection())
            assert open_files(site.process.pid) > previous + 40
        wait_until(lambda: open_files(site.process.pid) <= previous)


def test_a_server_raises_its_file_descriptor_limit_as_far_as_allowed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    limited = f"ulimit -Sn 500; ulimit -Hn 4000; exec {sys.executable} -m hypercorn -c file:hypercorn_conf.py asgi:app"
    with server(log, command=("sh", "-c", limited), **UNREACHABLE_DATABASE) as site, site.connection():
        limits = Path(f"/proc/{site.process.pid}/limits").read_text()
    assert limits.partition("Max open files")[2].split()[:2] == ["4000", "4000"]
    assert "4000 file descriptors are too few for 5000 open pages in each process" in log.read_text()
