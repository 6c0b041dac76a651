"""The number of connections to the database, and the time limit of each command."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from quart_enroll.app import create_app
from quart_enroll.db import client
from quart_enroll.db.client import Database
from quart_enroll.state import EXTENSION
from tests.integration.auth.test_permissions import STATUSES_BY_ROUTE, path_of
from tests.support.people import ADA, Browser, Clock, config, registration
from tests.support.processes import PROJECT, TIMEOUT_SECONDS, environment

COMMANDS_WITHOUT_LIMIT = {"getMore"}
"""`getMore` continues a command that has a limit, or waits for changes; the driver's own timeout applies to it."""


class TimeLimitRecorder(CommandListener):
    """Records the time limits of each kind of command in milliseconds; None stands for no limit."""

    def __init__(self) -> None:
        self.limits: dict[str, set[int | None]] = defaultdict(set)

    def started(self, event: CommandStartedEvent) -> None:
        self.limits[event.command_name].add(event.command.get("maxTimeMS"))

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


@pytest.fixture
def recorder() -> TimeLimitRecorder:
    return TimeLimitRecorder()


@pytest.fixture
async def ada(
    db: Database, mongod: str, clock: Clock, recorder: TimeLimitRecorder, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Browser]:
    monkeypatch.setattr(client, "SlowCommandLogger", lambda _: recorder)
    app = create_app(config(mongo_uri=mongod, database_timeout=3.5), clock=clock)
    async with app.test_app():
        browser = Browser(app.test_client())
        await browser.sign_in(ADA)
        yield browser


async def test_every_command_has_the_configured_time_limit(ada: Browser, recorder: TimeLimitRecorder) -> None:
    for path in (path_of(rule) for rule in STATUSES_BY_ROUTE if rule != "/logout"):
        await ada.get(path)
    for path in ("/plan/add", "/plan/enroll", "/enrollment", "/waitlist", "/enrollment/drop", "/alert", "/logout"):
        await ada.post(path, form={"courseID": "1111", "term": "Fall 2026", "section": "02"})
    await ada.post("/register", form=registration())
    assert recorder.limits.keys() >= {"find", "aggregate", "insert", "update", "delete", "findAndModify"}
    assert recorder.limits.keys() >= {"commitTransaction", "abortTransaction"}
    unlimited = {
        name: found for name, found in recorder.limits.items() if not all(limit and limit <= 3500 for limit in found)
    }
    assert unlimited.keys() <= COMMANDS_WITHOUT_LIMIT, unlimited


async def test_the_connection_pool_has_the_configured_size(mongod: str) -> None:
    app = create_app(config(mongo_uri=mongod, database_pool=7))
    async with app.test_app():
        assert app.extensions[EXTENSION].database.client.options.pool_options.max_pool_size == 7 + client.CHANGE_STREAMS


def test_the_driver_has_a_thread_for_each_connection() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import asgi, motor.frameworks.asyncio as motor; print(motor.max_workers)"],
        cwd=PROJECT,
        env=environment(DATABASE_POOL=7),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    assert result.stdout == "7\n"
