"""Workers that die are replaced, and all workers stop together; the site itself isn't needed here."""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quart_enroll.server import supervisor
from quart_enroll.server.supervisor import HEARTBEAT_SECONDS, LOCK_FILE, WORKER_VARIABLE, Supervisor, shared_folder
from tests.support.processes import TIMEOUT_SECONDS, wait_until

READY = f"""
import os, signal, socket, sys, time
from pathlib import Path
pipe, listening = (socket.socket(fileno=int(number)) for number in os.environ[{WORKER_VARIABLE!r}].split(","))
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else lambda *_: sys.exit())
Path(sys.argv[1], str(os.getpid())).touch()
pipe.settimeout({HEARTBEAT_SECONDS})
while True:
    pipe.send(b"1")
    if "blocks" in sys.argv:
        time.sleep(1000)
    while "loops" in sys.argv:
        pass
    try:
        sys.exit(pipe.recv(1))
    except TimeoutError:
        pass
"""
NEVER_STARTS = "raise SystemExit(3)"
ONLY_TWO_START = "import os, sys\nif len(os.listdir(sys.argv[1])) == 2: sys.exit(3)\n" + READY


async def supervise(
    folder: Path, program: str, act: Callable[[list[int]], None], *how: str, stop_seconds: float = TIMEOUT_SECONDS
) -> int:
    """Supervise two workers that run the program, call `act` with their ids, and stop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", program, str(folder), *how]
        one = Supervisor(command, [listening], folder, number=2, stop_seconds=stop_seconds)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            running = asyncio.create_task(one.run())
            await asyncio.to_thread(wait_until, lambda: running.done() or len(ids(folder)) == 2)
            await asyncio.to_thread(act, ids(folder))
            one.stop()
            return await running


def ids(folder: Path) -> list[int]:
    """Return the ids of all workers that have ever been ready."""
    return sorted(int(found.name) for found in folder.glob("[0-9]*"))


def nothing(pids: list[int]) -> None:
    """Leave the workers alone."""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_killed_worker_is_replaced_and_the_other_keeps_running(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def kill(pids: list[int]) -> None:
        gauges.append(tmp_path / f"gauge_livesum_{pids[0]}.db")
        gauges[0].touch()
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: len(ids(tmp_path)) == 3)
        assert is_alive(pids[1])
        killed.append(pids[0])

    killed: list[int] = []
    gauges: list[Path] = []
    assert await supervise(tmp_path, READY, kill) == 0
    assert [record.getMessage() for record in caplog.records] == [f"worker {killed[0]} was killed by signal 9"]
    assert not any(is_alive(pid) for pid in ids(tmp_path))
    assert not gauges[0].exists()  # its last values don't stay in the metrics


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("hang", ["blocks", "loops"])
async def test_a_worker_that_hangs_is_killed_and_replaced(
    hang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wait(pids: list[int]) -> None:
        wait_until(lambda: len(ids(tmp_path)) > 2)
        hanging.extend(pid for pid in pids if not is_alive(pid))

    hanging: list[int] = []
    monkeypatch.setattr(supervisor, "MAX_HANG_SECONDS", 0.3)
    assert await supervise(tmp_path, READY, wait, hang) == 0
    assert f"worker {hanging[0]} hangs: killing it" in caplog.messages


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_worker_that_was_stopped_is_killed_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(pids: list[int]) -> None:
        os.kill(pids[0], signal.SIGSTOP)
        wait_until(lambda: len(ids(tmp_path)) == 3)
        assert is_alive(pids[1])
        stopped.append(pids[0])

    stopped: list[int] = []
    assert await supervise(tmp_path, READY, stop) == 0
    assert caplog.messages[0] == f"worker {stopped[0]} was stopped by a signal: killing it"


async def test_a_worker_is_replaced_even_if_the_shared_folder_is_gone(tmp_path: Path) -> None:
    def clear_and_kill(pids: list[int]) -> None:
        shutil.rmtree(tmp_path)
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: len(ids(tmp_path)) == 1)

    assert await supervise(tmp_path, READY, clear_and_kill) == 0


async def test_when_no_worker_is_left_the_next_one_starts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def kill_one_after_the_other(pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: f"worker {pid} was killed" in caplog.text)
        wait_until(lambda: len(ids(tmp_path)) == 3)

    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 1000.0)
    monkeypatch.setattr(supervisor, "MAX_PAUSE_SECONDS", 1000.0)
    assert await supervise(tmp_path, READY, kill_one_after_the_other) == 0


async def test_a_server_whose_workers_never_start_exits_with_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await supervise(tmp_path, NEVER_STARTS, nothing) == 1
    messages = [record.getMessage() for record in caplog.records]
    assert "ended with status 3 before it was ready" in messages[0]
    assert messages[-1] == "no worker starts: stopping the server"


async def test_a_worker_that_does_not_start_again_leaves_the_healthy_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def kill(pids: list[int]) -> None:
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: "before it was ready" in caplog.text)
        assert is_alive(pids[1])

    monkeypatch.setattr(supervisor, "MAX_PAUSE_SECONDS", 0.0)
    assert await supervise(tmp_path, ONLY_TWO_START, kill) == 0


async def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await supervise(tmp_path, READY, nothing, "stubborn", stop_seconds=0.1) == 0
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"worker {pid} did not stop in time: killing it" for pid in ids(tmp_path)
    ]


async def test_a_frozen_worker_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    assert await supervise(tmp_path, READY, lambda pids: os.kill(pids[0], signal.SIGSTOP), stop_seconds=0.1) == 0
    assert not any(is_alive(pid) for pid in ids(tmp_path))


def test_folders_of_killed_servers_are_removed_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned, used, another = (tmp_path / f"quart-enroll-{name}" for name in ("abandoned", "used", "another"))
    for folder in (abandoned, used, another):
        folder.mkdir()
    (abandoned / LOCK_FILE).touch()
    with open(used / LOCK_FILE, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with shared_folder() as own, shared_folder() as other:
            assert {*tmp_path.iterdir()} == {used, another, own, other}
    assert {*tmp_path.iterdir()} == {used, another}
