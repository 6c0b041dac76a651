"""The port of the site that is running on this machine."""

import socket
from pathlib import Path

import pytest

from quart_enroll.cli import command_context
from quart_enroll.cli.command_context import announced_port, running_port


@pytest.fixture(autouse=True)
def port_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / ".mongodb" / "port"
    monkeypatch.setattr(command_context, "PORT_FILE", path)
    return path


def test_links_use_the_configured_url_when_no_site_runs() -> None:
    assert running_port(8000) == 8000


def test_links_use_the_url_of_the_running_site(port_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as site:
        port = site.getsockname()[1]
        with announced_port(port):
            assert running_port(8000) == port
        assert running_port(8000) == 8000
    assert not port_file.exists()


@pytest.mark.parametrize("left", ["", "a port", "0"])
def test_the_file_left_by_a_killed_site_is_ignored(port_file: Path, left: str) -> None:
    port_file.parent.mkdir()
    port_file.write_text(left)
    assert running_port(8000) == 8000


def test_a_port_on_which_nothing_listens_is_ignored(port_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    port_file.parent.mkdir()
    port_file.write_text(str(port))
    assert running_port(8000) == 8000
