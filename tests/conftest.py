"""What every test may ask for."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partialmethod
from pathlib import Path

import pytest
from hypothesis import settings
from jinja2 import FileSystemBytecodeCache
from pymongo import MongoClient

from quart_enroll.cli.local_mongod import LocalMongodError, local_mongod
from quart_enroll.observability import logging_setup
from quart_enroll.web.jinja_environment import PageEnvironment
from tests.support.processes import fresh_database

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")  # `pytest --hypothesis-profile default` looks for examples at random

ROOM = 2 * 1024**3
"""Bytes that the databases of all tests may need."""


@pytest.fixture(scope="session")
def quick_folder() -> Iterator[Path]:
    """Give a folder in memory where there is room, for databases that are thrown away; else on disk."""
    memory = Path("/dev/shm")  # noqa: S108  # only asked about; the folder itself has a random name
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    with tempfile.TemporaryDirectory(prefix="quart-enroll-", dir=memory if roomy else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what Jinja makes of a template for the next test: compiling takes longer than most tests."""
    kept = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PageEnvironment, "__init__", partialmethod(PageEnvironment.__init__, bytecode_cache=kept))
        yield


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Give the log; its text is as Heroku gets it."""
    before = caplog.handler.formatter
    caplog.handler.setFormatter(logging_setup.make_formatter(plain=False))
    with caplog.at_level(logging.INFO):
        yield caplog
    caplog.handler.setFormatter(before)


@pytest.fixture(scope="session")
def mongod(quick_folder: Path) -> Iterator[str]:
    """Give the address of a database for tests on a real MongoDB: MONGO_URI's, else one made for the run."""
    with ExitStack() as stack:
        try:
            uri = os.environ.get("MONGO_URI") or stack.enter_context(_timeless_mongod(quick_folder / "mongodb"))
        except LocalMongodError as error:
            pytest.exit(error.message, returncode=1)
        # Tests empty it: never the one that MONGO_URI names.
        yield stack.enter_context(fresh_database(uri))


@contextmanager
def _timeless_mongod(folder: Path) -> Iterator[str]:
    """Run a mongod that removes no row because of its age: by the clock of the tests it is another day."""
    with local_mongod(folder) as uri, MongoClient[dict[str, object]](uri) as client:
        client.admin.command("setParameter", 1, ttlMonitorEnabled=False)
        yield uri


@pytest.fixture
def fresh_uri(mongod: str) -> Iterator[str]:
    """Give the address of an empty database of the test's own."""
    with fresh_database(mongod) as uri:
        yield uri
