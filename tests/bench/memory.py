"""The memory that a process needs with a large catalog, and whether it stays level."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any
from urllib.parse import urlencode

from pymongo import MongoClient

from tests.bench import pages, wrk
from tests.bench.figures import Goal, Row, Spread
from tests.bench.schools import course
from tests.bench.sites import Site
from tests.bench.wrk import Request
from tests.support.crowd import Student

MEBIBYTE = 1024 * 1024
LARGEST = 150.0
MAX_GROWTH_FACTOR = 1.03
"""How much more memory the last third of the time may need than the second."""

SLICE_SECONDS = 5.0
"""Seconds of load between two measurements; before each, a section changes, so that cached pages are rendered again."""

WORDS = ("algebra 1", "biology", "teacher 0", "draw", "nothing of that name", "history 12", "law 10", "french")


def measure(uri: str, site: Site, students: Sequence[Student], seconds: float, folder: Any) -> Row:
    """Request pages of every kind from one process, and measure its memory meanwhile."""
    script = wrk.write_script(folder, "memory", [one for student in students for one in _student_requests(student)])
    found: list[float] = []
    wrong = 0
    began = time.monotonic()
    with MongoClient[dict[str, Any]](uri) as client:
        sections = client.get_default_database().section
        while time.monotonic() < began + seconds or len(found) < 6:
            sections.update_one({"courseID": course(len(found) % 5000).courseID}, {"$inc": {"capacity": 1}})
            measured = wrk.run(site.port, script, min(SLICE_SECONDS, seconds / 6), connections=16)
            wrong += measured.refused + measured.broken + measured.timeouts
            found.append(site.memory()[0] / MEBIBYTE)
    third = len(found) // 3
    growth = median(found[-third:]) / median(found[third : 2 * third])
    return Row(
        "memory of one process, 5,000 sections",
        "MiB",
        Spread(tuple(found[-third:])),
        goals=[
            Goal("MiB at most", max(found), at_most=LARGEST),
            Goal("last third of the time to the second", growth, at_most=MAX_GROWTH_FACTOR),
            Goal(pages.WRONG, wrong, at_most=0),
        ],
        note=f"after {seconds:.0f} s of load",
    )


def _student_requests(student: Student) -> list[Request]:
    """Return the requests of a student: catalog pages (together, students request all), searches, own pages, the
    API."""
    headers = pages.BROWSER | {"Cookie": student.cookie, "Sec-Fetch-Site": "same-origin"}
    number = student.user_id
    searches = [f"/courses/?{urlencode({'q': word, 'page': number % 5 + 1})}" for word in WORDS]
    everywhere = [f"/courses/?page={(5 * number + turn) % 200 + 1}" for turn in range(5)]
    catalog = [*everywhere, f"/course/{course(number % 5000).courseID}"]
    return [Request(path, headers) for path in ["/", "/enrollment", "/plan", "/api/v1/courses", *catalog, *searches]]
