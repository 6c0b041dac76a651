"""How much memory a process needs with a large catalog, and whether it keeps growing."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from pymongo import MongoClient

from tests.bench import browser, school_data, unique_requests, wrk
from tests.bench.bench_run import BenchRun
from tests.bench.figures import WRONG_RESPONSES, Goal, Row, Spread
from tests.bench.school_data import course
from tests.bench.servers import MAX_MIB, MEBIBYTE, Site
from tests.bench.wrk import Request
from tests.support.student_crowd import Student

MAX_GROWTH = 1.03
"""The maximum ratio of the memory in the last third of the time to that in the second."""

COURSES, STUDENTS = 5000, 40

LOAD_SECONDS = 5.0
"""Seconds of load between two measurements; before each, a section changes, so that cached pages are rendered again."""

SEARCH_WORDS = ("algebra 1", "biology", "teacher 0", "draw", "nothing of that name", "history 12", "law 10", "french")


def measure(run: BenchRun) -> list[Row]:
    """Measure one process of a large school; SOAK sets for how many seconds."""
    uri, seconds = run.database("memory"), float(os.environ.get("SOAK") or run.plan.memory_seconds)
    students = school_data.create(uri, COURSES, STUDENTS)
    with run.serve(uri, "memory", processes=1) as site:
        memory_row = _measure(uri, site, students, seconds, run.folder)
        return [memory_row, unique_requests.measure(site, students, min(run.plan.memory_seconds, 40))]


def _measure(uri: str, site: Site, students: Sequence[Student], seconds: float, folder: Path) -> Row:
    """Request pages of every kind from one process, and measure its memory meanwhile."""
    script = wrk.write_script(folder, "memory", [request for student in students for request in _requests(student)])
    mebibytes: list[float] = []
    wrong = 0
    started = time.monotonic()
    with MongoClient[dict[str, Any]](uri) as client:
        sections = client.get_default_database().section
        while time.monotonic() < started + seconds or len(mebibytes) < 6:
            sections.update_one({"courseID": course(len(mebibytes) % COURSES).courseID}, {"$inc": {"capacity": 1}})
            measured = wrk.run(site.port, script, min(LOAD_SECONDS, seconds / 6), connections=16)
            wrong += measured.refused + measured.broken + measured.timeouts
            mebibytes.append(site.memory()[0] / MEBIBYTE)
    third = len(mebibytes) // 3
    growth = median(mebibytes[-third:]) / median(mebibytes[third : 2 * third])
    return Row(
        "memory of one process, 5,000 sections",
        "MiB",
        Spread(tuple(mebibytes[-third:])),
        goals=[
            Goal("MiB at most", max(mebibytes), at_most=MAX_MIB),
            Goal("last third of the time to the second", growth, at_most=MAX_GROWTH),
            Goal(WRONG_RESPONSES, wrong, at_most=0),
        ],
        note=f"after {seconds:.0f} s of load",
    )


def _requests(student: Student) -> list[Request]:
    """Return the requests of a student: catalog pages (together, students cover all), searches, own pages, the API."""
    headers = browser.headers_of(student.user_id, student.cookie)
    number = student.user_id
    searches = [f"/courses/?{urlencode({'q': word, 'page': number % 5 + 1})}" for word in SEARCH_WORDS]
    catalog_pages = [f"/courses/?page={(5 * number + turn) % 200 + 1}" for turn in range(5)]
    catalog = [*catalog_pages, f"/course/{course(number % COURSES).courseID}"]
    return [Request(path, headers) for path in ["/", "/enrollment", "/plan", "/api/v1/courses", *catalog, *searches]]
