"""The local mongod: started when needed, stopped afterwards, and with the same data the next time."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from quart_enroll.cli import local_mongod as module
from quart_enroll.cli.local_mongod import LocalMongodError, database_uri, local_mongod
from quart_enroll.db.replica_set import has_primary
from quart_enroll.system.usage import descendants
from tests.support.processes import PROJECT, expect_exit

OWNER = """
import sys
from pathlib import Path
from quart_enroll.cli.local_mongod import local_mongod
with local_mongod(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(quick_folder: Path, request: pytest.FixtureRequest) -> Path:
    return quick_folder / request.node.name


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the mongod of `folder` in a process that stops it when the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def write(uri: str, name: str) -> None:
    with MongoClient(uri) as client:
        client.get_default_database().people.insert_one({"name": name})


def names(uri: str) -> list[str]:
    with MongoClient(uri) as client:
        return [person["name"] for person in client.get_default_database().people.find()]


def test_the_second_start_finds_the_data_of_the_first(folder: Path) -> None:
    with local_mongod(folder) as first:
        write(first, "ada")
    with local_mongod(folder) as second:
        assert second == first
        assert names(second) == ["ada"]


def test_the_mongod_stops_with_its_context_manager(folder: Path) -> None:
    with local_mongod(folder) as uri:
        pass
    assert not has_primary(uri, timeout=0.1)


def test_the_mongod_of_another_process_is_shared_and_left_running(folder: Path) -> None:
    with another_process(folder):
        with local_mongod(folder) as uri:
            write(uri, "ada")
        assert names(uri) == ["ada"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_killing_the_owner_leaves_no_mongod_and_loses_no_data(folder: Path) -> None:
    with another_process(folder) as owner:
        with local_mongod(folder) as uri:
            write(uri, "ada")
        with expect_exit(descendants(owner.pid)):
            owner.kill()
    with local_mongod(folder) as uri:
        assert names(uri) == ["ada"]


def test_another_program_on_the_port_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELEASE_TIMEOUT_SECONDS", 0)
    with local_mongod(folder) as uri:
        pass
    with (
        closing(module.socket.create_server(("127.0.0.1", urlsplit(uri).port or 0))),
        pytest.raises(LocalMongodError, match="is used by another program"),
        local_mongod(folder),
    ):
        pass


def test_without_any_mongod_the_message_lists_the_ways_to_get_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module.sysconfig, "get_path", lambda _: str(folder))
    with pytest.raises(LocalMongodError) as error, local_mongod(folder):
        pass
    assert all(way in error.value.message for way in ("install MongoDB", "MONGO_URI", "Linux x86-64"))


def test_a_configured_database_starts_no_mongod(folder: Path) -> None:
    with database_uri("mongodb://db.school.example", folder) as uri:
        assert uri == "mongodb://db.school.example"
    assert not folder.exists()
