"""Dynos are replaced behind a router while students enroll, as when Heroku restarts them: `make dynos`.

Each dyno is started as the Procfile says, with two processes. To stop one, all its processes get SIGTERM, the router
learns that it should send it no new requests, and another dyno starts. On Heroku, the first two happen at the same
time; here, the router always learns of it last.
"""

import asyncio
import random
import shlex
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from quart_enroll.db.client import Database
from quart_enroll.services.enrollment.batching import MAX_QUEUE_SECONDS
from tests.failure.router import find_nginx, router
from tests.failure.school import discrepancies, open_school, read_all
from tests.failure.servers import Process, start
from tests.failure.students import LastResponses, register
from tests.support.processes import PROJECT, SERVER, quart
from tests.support.student_crowd import Crowd, exchange, sign_in

STOPS = 4
STUDENTS = 40
SEATS = 15

STOP_TIMEOUT_SECONDS = 30.0
"""The time that Heroku gives a dyno to stop."""

SETTINGS = {"APP_ENV": "production", "WEB_CONCURRENCY": 2, "PASSWORD_THREADS": 1, "DATABASE_TIMEOUT": 20}
"""A longer database timeout than the default: starting dynos leave the database little of two cores."""


@pytest.mark.timeout(300)  # half a minute on two idle cores
async def test_nothing_is_lost_and_nobody_sees_an_error_when_dynos_are_replaced(
    db: Database, fresh_uri: str, tmp_path: Path
) -> None:
    if (nginx := find_nginx()) is None:
        pytest.skip("there is no nginx (on Debian and Ubuntu: apt install nginx-light)")
    courseIDs = [f"C{number:02}" for number in range(STOPS)]
    await open_school(db, courseIDs, capacity=SEATS, waitlist_capacity=SEATS)
    students = [replace(one, cookie=f"__Host-{one.cookie}") for one in await sign_in(db, range(1, STUDENTS + 1))]
    last_responses, rng = LastResponses(), random.Random()  # noqa: S311  # random moments in each run
    stopping: list[asyncio.Task[None]] = []
    with ExitStack() as stack:
        leaving, other = (start(stack, tmp_path, fresh_uri, **SETTINGS) for _ in range(2))
        for dyno in (leaving, other):
            await dyno.wait_until_listening()
        front_router = stack.enter_context(router(nginx, tmp_path / "nginx", [leaving.port, other.port]))
        await _assert_router_headers_arrive(front_router.port)
        crowd = Crowd([front_router.port])
        async with asyncio.TaskGroup() as stampede:
            previous: list[asyncio.Task[None]] = []
            for courseID in courseIDs:
                registrations = [
                    stampede.create_task(register(crowd, student, courseID, last_responses)) for student in students
                ]
                await crowd.wait_for_responses(len(crowd.responses) + rng.randrange(STUDENTS))
                assert not all(act.done() for act in registrations)
                leaving.stop()
                await front_router.route_to([other.port])
                stopping.append(stampede.create_task(_assert_stops_cleanly(leaving)))
                replacement = start(stack, tmp_path, fresh_uri, **SETTINGS)
                await replacement.wait_until_listening()
                await front_router.route_to([other.port, replacement.port])
                leaving, other = other, replacement
                await asyncio.gather(*previous)
                previous = registrations
    # A 503 after the site's own timeout is allowed: the machine may be busy with something else.
    print(crowd.report())  # noqa: T201  # shown with -s
    failed = [response for response in crowd.responses if response.status not in (303, 409)]
    assert [response for response in failed if response.response_seconds < MAX_QUEUE_SECONDS] == []
    assert crowd.cut_connections == 0
    rows = await read_all(db)
    assert last_responses.contradictions(rows) == []
    assert discrepancies(rows) == []
    checked = await asyncio.to_thread(quart, "check-seats", MONGO_URI=fresh_uri)
    assert checked.returncode == 0, checked.stdout


def test_dynos_are_started_as_the_procfile_says() -> None:
    [web] = [line for line in (PROJECT / "Procfile").read_text("utf-8").splitlines() if line.startswith("web: ")]
    assert shlex.split(web)[2:] == list(SERVER[1:])


async def _assert_stops_cleanly(dyno: Process) -> None:
    async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
        assert await asyncio.to_thread(dyno.popen.wait, STOP_TIMEOUT_SECONDS) == 0
    assert "Traceback" not in dyno.log.read_text()


async def _assert_router_headers_arrive(port: int) -> None:
    """Check that the router's headers arrive: the request came over https, and has an id."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, headers, _ = await exchange(port, request)
    assert (status, len(headers["x-request-id"])) == (200, 32)
