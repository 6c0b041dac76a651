"""What `make run` runs: the whole site in one command, and nothing of it left afterwards."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local import PATIENCE, PROJECT, QUART, descendants, environment, expect_to_end, free_port, quart

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of the site in /proc")


@pytest.fixture
def project(quick_folder: Path, request: pytest.FixtureRequest) -> Path:
    """Give a checkout of its own, without a database yet."""
    copy = quick_folder / request.node.name
    for folder in ("quart_enroll", "data"):
        shutil.copytree(PROJECT / folder, copy / folder)
    for file in ("asgi.py", "config.py", "hypercorn_conf.py"):
        shutil.copy(PROJECT / file, copy)
    return copy


@contextmanager
def developing(project: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `develop` until it says that the site is ready, and for as long as the block lasts."""
    with subprocess.Popen(
        [*QUART, "develop", "--no-browser"],
        cwd=project,
        env=environment(PORT=free_port(), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        try:
            assert process.stdout is not None
            said = b""
            while b"Quart Enroll is ready" not in said:
                assert select.select([process.stdout], [], [], PATIENCE)[0], said.decode()
                more = process.stdout.read(4096)
                assert more, said.decode()
                said += more
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ending_it_ends_the_site_and_its_database(ending: signal.Signals, project: Path) -> None:
    with developing(project) as process, expect_to_end(descendants(process.pid)):
        process.send_signal(ending)
        assert process.wait(PATIENCE) == (-9 if ending == signal.SIGKILL else 0)


def test_it_fails_when_its_server_dies(project: Path) -> None:
    with developing(project) as process:
        server = next(pid for pid in descendants(process.pid) if "hypercorn" in arguments(pid))
        with expect_to_end(descendants(process.pid)):
            os.kill(server, signal.SIGKILL)
        assert process.wait(PATIENCE) == 1


def test_a_port_that_is_taken_is_named_with_the_way_out(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        done = quart("develop", "--no-browser", cwd=project, PORT=port)
    assert done.returncode == 1
    assert f"PORT={port + 1} make run" in done.stderr


def test_it_is_not_for_production(project: Path) -> None:
    done = quart("develop", cwd=project, APP_ENV="production", MONGO_URI="mongodb+srv://db.school.example/")
    assert done.returncode == 1
    assert "APP_ENV=development" in done.stderr


def arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
