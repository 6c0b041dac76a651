"""How long a process needs from its start to its first response."""

import time
from contextlib import suppress

from tests.bench import browser, school_data
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.bench.servers import serve_quart_enroll

COURSES, STUDENTS = 500, 1
MAX_SECONDS = 2.0
PAUSE_SECONDS = 0.005


def measure(run: BenchRun) -> list[Row]:
    """Start a process several times, and request the catalog until it answers."""
    uri = run.database("start_up")
    school_data.create(uri, COURSES, STUDENTS)
    seconds = [_first_response_seconds(run, uri, number) for number in range(run.plan.repeats)]
    return [
        Row(
            "process start to first response",
            "s",
            Spread(tuple(seconds)),
            goals=[Goal("seconds", max(seconds), at_most=MAX_SECONDS)],
            note=f"one process, the catalog page of {COURSES} courses",
        )
    ]


def _first_response_seconds(run: BenchRun, uri: str, number: int) -> float:
    started = time.monotonic()
    with serve_quart_enroll(run.folder, uri, f"start-up-{number}", processes=1) as site:
        while True:
            with suppress(ConnectionRefusedError):
                page = browser.fetch(site.port, "/courses/", browser.CHROME)
                if page.status == 200:
                    return time.monotonic() - started
            time.sleep(PAUSE_SECONDS)
