"""Fixtures for all tests."""

import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partialmethod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jinja2 import BytecodeCache, nodes
from jinja2.bccache import Bucket
from pymongo import MongoClient
from werkzeug.routing import Rule

from quart_enroll.app import create_app
from quart_enroll.cli.local_mongod import LocalMongodError, local_mongod
from quart_enroll.observability import logging_setup
from quart_enroll.web.jinja_environment import PageEnvironment
from quart_enroll.web.overrides import check
from tests.support.processes import fresh_database

MAX_WORKERS = 4
"""Processes that share out the tests, each with a mongod of its own."""

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")  # `pytest --hypothesis-profile default` tries random examples

MIN_FREE_BYTES = 2 * 1024**3
"""The memory that the tests' databases may need."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-caches", action="store_true", help="test the site without fast path and fragment cache")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "caches: tests the fast path or the fragment cache itself")
    if config.getoption("--without-caches"):
        create_app.__kwdefaults__.update(fastpath=False, fragment_cache=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--without-caches"):
        for item in items:
            if item.get_closest_marker("caches"):
                item.add_marker(pytest.mark.skip(reason="runs with caches only"))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all modules and tests again and again.

    Otherwise it takes a twelfth of the time. Nearly all objects live no longer than a test, and a test has 50,000.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores, because a third of the time goes by waiting for child processes."""
    return min(MAX_WORKERS, (os.cpu_count() or 1) + 1)


@pytest.fixture(scope="session")
def quick_folder() -> Iterator[Path]:
    """Yield a folder for temporary databases, in memory if there is enough of it, else on disk."""
    memory = Path("/dev/shm")  # noqa: S108  # the folder created in it has a random name
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MIN_FREE_BYTES
    with tempfile.TemporaryDirectory(prefix="quart-enroll-", dir=memory if has_room else None) as folder:
        yield Path(folder)


class CompiledTemplates(BytecodeCache):
    """Keeps the code of templates in memory."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once() -> Iterator[None]:
    """Compile each template once for all apps: compiling takes longer than most tests."""
    bytecode = CompiledTemplates()
    parsed: dict[tuple[str, str], nodes.Template] = {}
    parse = PageEnvironment.parse

    def parse_once(self: PageEnvironment, source: str, name: str, filename: str) -> nodes.Template:
        if (source, name) not in parsed:
            parsed[source, name] = parse(self, source, name, filename)
        return parsed[source, name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PageEnvironment, "__init__", partialmethod(PageEnvironment.__init__, bytecode_cache=bytecode))
        patch.setattr(PageEnvironment, "parse", parse_once)
        patch.setattr(check, "find_undeclared_variables", cache(check.find_undeclared_variables))
        yield


COMPILED_ATTRIBUTES = ("arguments", "_parts", "_trace", "_converters", "_build", "_build_unknown")
"""What Werkzeug's `Rule.compile` sets."""


@pytest.fixture(scope="session", autouse=True)
def routes_compiled_once() -> Iterator[None]:
    """Compile each URL rule once for all apps: Werkzeug takes longer to do it for each app than a test for a page."""
    compiled: dict[tuple[str, str], dict[str, Any]] = {}
    compile_rule = Rule.compile

    def compile_once(rule: Rule) -> None:
        key = (rule.rule, str(rule.defaults))
        if key not in compiled:
            compile_rule(rule)
            compiled[key] = {name: vars(rule)[name] for name in COMPILED_ATTRIBUTES}
        vars(rule).update(compiled[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compile_once)
        yield


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Yield the log, formatted as on Heroku."""
    previous_formatter = caplog.handler.formatter
    caplog.handler.setFormatter(logging_setup.make_formatter(plain=False))
    with caplog.at_level(logging.INFO):
        yield caplog
    caplog.handler.setFormatter(previous_formatter)


@pytest.fixture(scope="session")
def mongod(quick_folder: Path) -> Iterator[str]:
    """Yield the URI of a new database on the MongoDB of MONGO_URI, or else on a mongod started for this run."""
    with ExitStack() as stack:
        try:
            uri = os.environ.get("MONGO_URI") or stack.enter_context(_mongod_for_tests(quick_folder / "mongodb"))
        except LocalMongodError as error:
            pytest.exit(error.message, returncode=1)
        # Tests empty their database, so it is never the one that MONGO_URI names.
        yield stack.enter_context(fresh_database(uri))


@contextmanager
def _mongod_for_tests(folder: Path) -> Iterator[str]:
    """Run a mongod that does not remove expired rows: the tests' clock shows another day.

    It does not wait for its journal either, which takes a third of the CPU time of a small write. The journal matters
    only if the mongod dies, and tests that kill one start their own.
    """
    with local_mongod(folder) as uri, MongoClient[dict[str, Any]](uri) as client:
        client.admin.command("setParameter", 1, ttlMonitorEnabled=False)
        current = client.admin.command("replSetGetConfig")["config"]
        changes = {"version": current["version"] + 1, "writeConcernMajorityJournalDefault": False}
        client.admin.command("replSetReconfig", current | changes)
        yield uri


@pytest.fixture(scope="module")
def module_uri(mongod: str) -> Iterator[str]:
    """Yield the URI of a database that is new to the module, and whose indexes its tests share."""
    with fresh_database(mongod) as uri:
        yield uri


@pytest.fixture
def fresh_uri(mongod: str) -> Iterator[str]:
    """Yield the URI of an empty database of the test's own."""
    with fresh_database(mongod) as uri:
        yield uri
