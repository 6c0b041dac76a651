"""`make run` and `quart run`: one command starts the whole site, and no process is left afterwards."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from quart_enroll.app import create_app
from quart_enroll.system.usage import descendants
from tests.support.people import config
from tests.support.processes import PROJECT, QUART, SERVER, TIMEOUT_SECONDS, environment, expect_exit, free_port, quart

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of the site in /proc")


@pytest.fixture
def project(quick_folder: Path, request: pytest.FixtureRequest) -> Path:
    """Return a checkout of the test's own, without a database yet."""
    checkout = quick_folder / request.node.name
    checkout.mkdir()
    for name in (".quartenv", "asgi.py", "config.py", "data", "hypercorn_conf.py", "quart_enroll"):
        (checkout / name).symlink_to(PROJECT / name)
    return checkout


@contextmanager
def _started(command: Sequence[str], project: Path, **settings: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command,
        cwd=project,
        env=environment(PYTHONUNBUFFERED="1", **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], ready: bytes) -> str:
    """Return the output of the process until it was ready."""
    assert process.stdout is not None
    output = b""
    while ready not in output:
        assert select.select([process.stdout], [], [], TIMEOUT_SECONDS)[0], output.decode()
        chunk = process.stdout.read(4096)
        assert chunk, output.decode()
        output += chunk
    return output.decode()


@contextmanager
def developing(project: Path, port: int | None = None) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `develop`, as `make run` does."""
    with _started([*QUART, "develop", "--no-browser"], project, PORT=port or free_port()) as process:
        yield process, _wait_until_ready(process, b"Quart Enroll is ready")


def test_develop_prints_one_line_per_step_and_leaves_no_process_however_it_ends(project: Path) -> None:
    """The same database serves every start: creating it takes longer than all else here."""
    port = free_port()
    with developing(project, port) as (process, output), expect_exit(descendants(process.pid)):
        first, *others = output.splitlines()
        assert first.startswith("Preparing the database.")
        assert not [line for line in others if "index" in line or "validator" in line]
        link = quart("password-link", "--email", "ada@school.example", cwd=project)
        assert link.stdout.startswith(f"http://localhost:{port}/password/reset/"), link.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_SECONDS) == 0
    assert not (project / ".mongodb" / "port").exists()

    for stop_signal, status in ((signal.SIGTERM, 0), (signal.SIGKILL, -9)):
        with developing(project) as (process, _), expect_exit(descendants(process.pid)):
            process.send_signal(stop_signal)
            assert process.wait(TIMEOUT_SECONDS) == status

    with developing(project) as (process, _):
        server = next(pid for pid in descendants(process.pid) if "hypercorn" in arguments(pid))
        with expect_exit(descendants(process.pid)):
            os.kill(server, signal.SIGKILL)
        assert process.wait(TIMEOUT_SECONDS) == 1


def test_a_port_in_use_is_named_with_a_suggestion() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other_program:
        port = other_program.getsockname()[1]
        result = create_app(config(port=port)).test_cli_runner().invoke(args=["develop", "--no-browser"])
    assert result.exit_code == 1
    assert f"PORT={port + 1} make run" in result.output


def test_develop_refuses_production() -> None:
    production = config(app_env="production", mongo_uri="mongodb+srv://db.school.example/")
    result = create_app(production).test_cli_runner().invoke(args=["develop"])
    assert result.exit_code == 1
    assert "APP_ENV=development" in result.output


def test_a_failed_upgrade_is_shown(project: Path, fresh_uri: str) -> None:
    uri = fresh_uri.replace("mongodb://", "mongodb://nobody:wrong@")
    result = quart("develop", "--no-browser", cwd=project, PORT=free_port(), MONGO_URI=uri)
    assert result.returncode == 1
    assert "rejected the user name or password" in result.stderr
    assert "`upgrade-db` failed, so the site was not started." in result.stderr


def test_two_sites_that_start_at_once_share_a_new_local_database(project: Path) -> None:
    with ExitStack() as stack:
        ports = [free_port(), free_port()]
        sites = [
            stack.enter_context(_started((sys.executable, "-m", "quart", "run"), project, QUART_RUN_PORT=port))
            for port in ports
        ]
        outputs = [_wait_until_ready(site, b'event="Running on') for site in sites]
        hint = "the local database was empty: `quart seed --demo` fills it"
        assert sum(hint in output for output in outputs) == 1
        for port in ports:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_SECONDS) as response:
                assert response.status == 200
        assert quart("check-seats", cwd=project).returncode == 0  # uses the same database
        with expect_exit([pid for site in sites for pid in descendants(site.pid)]):
            for site in reversed(sites):  # the first one runs the database
                site.terminate()
                assert site.wait(TIMEOUT_SECONDS) == 0


def test_quart_lists_the_routes(project: Path) -> None:
    command = (sys.executable, "-m", "quart", "routes")
    result = subprocess.run(command, cwd=project, env=environment(), text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "/courses/<" in result.stdout


@pytest.mark.parametrize("command", [(sys.executable, "-m", "quart", "run"), SERVER])
def test_a_fresh_checkout_names_the_missing_settings(project: Path, command: Sequence[str]) -> None:
    environ = environment(APP_ENV="", SECRET_KEY="")
    result = subprocess.run(command, cwd=project, env=environ, text=True, capture_output=True, check=False)
    assert result.returncode != 0
    assert len(result.stderr.splitlines()) == 1
    assert "set APP_ENV=development" in result.stderr


@pytest.mark.parametrize("command", [(sys.executable, "-m", "quart", "run"), SERVER])
def test_without_a_mongod_the_start_fails_with_a_hint(project: Path, command: Sequence[str]) -> None:
    (project / "sitecustomize.py").write_text("import sysconfig; sysconfig.get_path = lambda *_, **__: '/nowhere'")
    environ = environment(PORT=free_port(), PYTHONPATH=project, PATH="/nowhere")
    result = subprocess.run(command, cwd=project, env=environ, text=True, capture_output=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("MONGO_URI is not set. There is no MongoDB on this machine.")
    assert "Traceback" not in result.stderr


def arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
