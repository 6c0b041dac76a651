"""How long lists of 50,000 students take, whatever staff search, filter and sort, and whichever page they open."""

import asyncio
import random
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import product
from statistics import median
from urllib.parse import urlencode

from quart_enroll.db.client import Database, open_database
from quart_enroll.db.collections.users import to_row
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import STUDENT_ONLY, Role
from quart_enroll.domain.scopes import Scope
from tests.bench import browser
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.bench.school_data import in_production
from tests.support.api_clients import token
from tests.support.school import build
from tests.support.student_crowd import sign_in_device

STUDENTS, INSTRUCTORS, ADVISEES = 50_000, 1500, 300
REGISTRAR_ID, ADVISOR_ID, FIRST_INSTRUCTOR_ID, FIRST_STUDENT_ID = 1, 2, 1001, 10_001
MAX_MS = 50.0
ROWS_PER_BATCH = 1000
SYLLABLES = [
    "an",
    "ma",
    "ri",
    "el",
    "jo",
    "na",
    "le",
    "ka",
    "to",
    "mi",
    "sa",
    "be",
    "ra",
    "lu",
    "ne",
    "vi",
    "do",
    "ha",
    "pe",
    "su",
    "mü",
    "gö",
]

SEARCHES = ("", "m", "ma", "mari", "makale", "students.school", "s a", "el ma", "a students", "20117", "nobody")
"""From one letter, with which thousands of names begin, to a word that no name has."""

LISTS: Mapping[str, tuple[str, ...]] = {
    "/staff/students": ("user_id", "-user_id", "name", "-name", "email", "-email"),
    "/staff/people": ("user_id", "-user_id", "name", "-name"),
    "/staff/people?role=student": ("user_id", "-user_id", "name", "-name"),
    "/staff/people?role=staff": ("user_id", "-user_id", "name", "-name"),
    "/user": ("user_id", "name"),
}
"""The sorts of each list."""

PAGES = (1, 5, 500, 1000)
APIS = ("/api/v1/staff/students", "/api/v1/staff/people", "/api/v1/staff/people?role=student")


def measure(run: BenchRun) -> list[Row]:
    """Request each list with each search, sort and page."""
    uri = run.database("staff_lists")
    headers = asyncio.run(_create_school(uri))
    with run.serve(uri, "staff-lists", processes=1) as site, closing(HTTPConnection("127.0.0.1", site.port)) as client:
        requests = list(_requests(headers))
        found: dict[str, list[float]] = {name: [] for name, _, _ in requests}
        for _ in range(1 + run.plan.rounds):
            for name, path, sent in requests:
                found[name].append(_milliseconds(client, path, sent))
    medians = {name: median(times[1:]) for name, times in found.items()}  # the first round fills caches
    slowest = max(medians, key=lambda name: medians[name])
    return [
        Row(
            f"lists of {STUDENTS:,} students",
            "ms",
            Spread(tuple(medians.values())),
            goals=[Goal("ms for the slowest kind of request", medians[slowest], at_most=MAX_MS)],
            note=f"{len(medians)} kinds of requests; the slowest is {slowest}",
        )
    ]


def _requests(headers: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield each kind of request with its name, URL and headers."""
    for reader, (path, sorts), q in product(("registrar", "advisor"), LISTS.items(), SEARCHES):
        if reader == "registrar" or path == "/staff/students":
            for sort, page in product(sorts, PAGES):
                url = _url(path, q=q, sort=sort, page=page)
                yield f"{url} by the {reader}", url, headers[reader]
    for path, q in product(APIS, SEARCHES):
        url = _url(path, q=q)
        yield url, url, headers["program"]


def _url(path: str, **parameters: object) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode(parameters)}"


def _milliseconds(client: HTTPConnection, path: str, headers: Mapping[str, str]) -> float:
    started = time.perf_counter()
    response = browser.fetch_over(client, path, headers)
    seconds = time.perf_counter() - started
    if response.status != 200:
        sys.exit(f"{path}: {response.status} instead of 200: {response.text[:500]}")
    return 1000 * seconds


async def _create_school(uri: str) -> dict[str, Mapping[str, str]]:
    """Create the school; return the headers of the registrar's and the advisor's browsers, and of a program."""
    async with open_database(uri, 20) as db:
        await build(db)
        await _add_people(db)
        signed_in = in_production(await sign_in_device(db, [REGISTRAR_ID, ADVISOR_ID], 1))
        registrar, advisor = [browser.headers_of(0, one.cookie) for one in signed_in]
        now = datetime.now(UTC)
        text = await token(db, _person(REGISTRAR_ID), Scope.STAFF_READ, now=now, expires_at=now + timedelta(days=1))
    return {"registrar": registrar, "advisor": advisor, "program": {"Authorization": f"Bearer {text}"}}


async def _add_people(db: Database) -> None:
    user_ids = [
        *(REGISTRAR_ID, ADVISOR_ID),
        *range(FIRST_INSTRUCTOR_ID, FIRST_INSTRUCTOR_ID + INSTRUCTORS),
        *range(FIRST_STUDENT_ID, FIRST_STUDENT_ID + STUDENTS),
    ]
    for first in range(0, len(user_ids), ROWS_PER_BATCH):
        people = map(_person, user_ids[first : first + ROWS_PER_BATCH])
        await db.user.insert_many([to_row(one) | {"password": "!"} for one in people])


def _person(user_id: int) -> User:
    """Return an invented person, always the same one for a user_id."""
    chance = random.Random(user_id)  # noqa: S311  # no secret
    first, last = ["".join(chance.choices(SYLLABLES, k=chance.choice((2, 3, 3, 4)))).title() for _ in range(2)]
    staff_roles = {REGISTRAR_ID: Role.REGISTRAR, ADVISOR_ID: Role.ADVISOR}
    is_student = user_id >= FIRST_STUDENT_ID
    return User(
        user_id,
        f"{first}.{last}{user_id}@{'students.' if is_student else ''}school.example".lower(),
        first,
        last,
        STUDENT_ONLY if is_student else frozenset({staff_roles.get(user_id, Role.INSTRUCTOR)}),
        advisors=(ADVISOR_ID,) if 0 <= user_id - FIRST_STUDENT_ID < ADVISEES else (),
    )
