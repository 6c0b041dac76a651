"""The goals of a registration day, in bare responses: those that Quart gives in the same time on the same machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import browser, servers
from tests.bench.figures import Goal
from tests.bench.prepared_requests import prepare, send_all
from tests.bench.wrk import CONNECTIONS

BARE_RESPONSES = 6000
"""Responses from which the rate of bare Quart is measured."""

SMALL_CROWD = 400
"""The largest crowd with a goal for each press; a larger one has a goal for all plans together."""

MAX_MEDIAN, MAX_P99 = 6_000, 20_000
"""Bare responses in whose time a press is answered: the median, and the 99th percentile."""

MAX_SETTLED_PER_STUDENT = 50
"""Bare responses, for each student, in whose time everything planned is settled: 100,000 for 2,000 students."""


def measure_bare(folder: Path) -> float:
    """Return the rate of bare Quart on this machine, in responses per second."""
    requests = [prepare("GET", "/", browser.CHROME)] * BARE_RESPONSES
    with servers.serve_bare_quart(folder) as bare:
        send_all(bare.wait().port, requests[: BARE_RESPONSES // 4], CONNECTIONS)
        return send_all(bare.port, requests, CONNECTIONS).per_second


def goals(presses: Sequence[dict[str, Any]], students: int, opened_at: float, bare_per_second: float) -> list[Goal]:
    """Return the goals for the first press of each device; `opened_at` is when enrollment opened."""
    settled = [one for one in presses if one["settled"]]
    seconds = max((one["at"] - opened_at for one in settled), default=float("inf"))
    what = f"bare responses until everything planned is settled, {seconds:.1f} s after the opening"
    found = [
        Goal(what, seconds * bare_per_second, at_most=MAX_SETTLED_PER_STUDENT * students),
        Goal("students whose plans are settled", len({one["user_id"] for one in settled}), at_least=students),
    ]
    if students > SMALL_CROWD:
        return found
    times = sorted(one["seconds"] for one in presses) or [float("inf")]
    return [
        _press_goal("median", times[len(times) // 2], bare_per_second, MAX_MEDIAN),
        _press_goal("99th percentile", times[len(times) * 99 // 100], bare_per_second, MAX_P99),
        *found,
    ]


def _press_goal(which: str, seconds: float, bare_per_second: float, at_most: int) -> Goal:
    what = f"bare responses until “Enroll in all” is answered after {seconds:.2f} s, {which}"
    return Goal(what, seconds * bare_per_second, at_most=at_most)
