"""The school of the crowds that enroll, and the check that the seats are exactly those that students were told of."""

import asyncio
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode, urlsplit

from quart_enroll.db.client import open_database
from tests.bench import browser
from tests.bench.figures import FAILED_RESPONSES, Goal
from tests.bench.prepared_requests import Exchange, Sent, prepare, send_all
from tests.bench.school_data import FALL, in_production
from tests.bench.servers import Site
from tests.failure.school import open_school
from tests.support.processes import quart
from tests.support.student_crowd import Student, sign_in

SECTIONS = 200
FIRST_STUDENT_ID = 10_001
MAX_CONNECTIONS = 128

TOKEN_FIELD = b"csrf_token=" + b"a" * 120
"""The body of a press. The site doesn't check this token, because the browser says that the request is its own."""

MAX_ERROR_LENGTH = 2000
"""Characters of the findings of `check-seats` that are shown."""

Seat = tuple[int, str]
"""A student's user_id and the courseID."""

_MESSAGES = re.compile(r'<div class="alert [^>]*>(.*?)</div>', re.DOTALL)
_ENROLLED = re.compile(r"[Yy]ou’re (?:now )?enrolled in Course (C\d+)")


class InconsistentSeats(SystemExit):
    """A seat was given twice, or a student has no seat although the site confirmed it."""


@dataclass(frozen=True, slots=True)
class Press:
    """A student's request to change something: the path and the fields of the button."""

    student: Student
    path: str
    fields: Mapping[str, str]


async def create_school(uri: str, students: int, *, sections: int, seats: int, planned: int = 0) -> list[Student]:
    """Create a school with one-credit courses, and return signed-in students, each with that many planned courses."""
    async with open_database(uri, 20) as db:
        await open_school(db, [f"C{number}" for number in range(sections)], capacity=seats, waitlist_capacity=1000)
        crowd = in_production(await sign_in(db, range(FIRST_STUDENT_ID, FIRST_STUDENT_ID + students)))
        if planned:
            now = datetime.now(UTC)
            common = {"term": FALL, "section": "01", "added_at": now, "expires_at": now + timedelta(days=200)}
            await db.plan.insert_many(
                common | {"user_id": one.user_id, "courseID": courseID, "place": place}
                for one in crowd
                for place, courseID in enumerate(planned_courses(one, sections, planned), 1)
            )
        return crowd


def planned_courses(student: Student, sections: int, planned: int) -> list[str]:
    """Return the courses that the student plans, the same in each run."""
    rng = random.Random(student.user_id)  # noqa: S311  # no secret
    return [f"C{number}" for number in rng.sample(range(sections), planned)]


def enroll_press(student: Student, courseID: str) -> Press:
    return Press(student, "/enrollment", {"courseID": courseID, "term": FALL, "section": "01"})


def plan_press(student: Student) -> Press:
    return Press(student, "/plan/enroll", {"term": FALL})


def send(site: Site, presses: Sequence[Press], connections: int, delays: Sequence[float] = ()) -> Sent:
    """Send all requests as the students' browsers would: a button has its fields in its URL."""
    requests = []
    for one in presses:
        headers = browser.headers_of(one.student.user_id, one.student.cookie, Origin="http://127.0.0.1")
        requests.append(prepare("POST", f"{one.path}?{urlencode(one.fields)}", headers, TOKEN_FIELD))
    return send_all(site.port, requests, connections, delays)


def read_outcomes(site: Site, presses: Sequence[Press], sent: Sent) -> set[Seat]:
    """Let each student's browser follow the redirect; return the seats that the messages there confirm."""
    requests = []
    for one, exchange in zip(presses, sent.exchanges, strict=True):
        if exchange.status != 303:
            raise InconsistentSeats(f"{one.path} was answered with {exchange.status}: {exchange.body[:500]!r}")
        location = urlsplit(exchange.headers["location"])._replace(scheme="", netloc="").geturl()
        headers = browser.with_cookies(browser.headers_of(one.student.user_id, one.student.cookie), exchange.cookies)
        requests.append(prepare("GET", location, headers))
    pages = send_all(site.port, requests, MAX_CONNECTIONS)
    return {
        (one.student.user_id, courseID)
        for one, page in zip(presses, pages.exchanges, strict=True)
        for courseID in _confirmed(page)
    }


def _confirmed(page: Exchange) -> Iterable[str]:
    text = browser.decode(page.body, page.headers.get("content-encoding", ""))
    return _ENROLLED.findall(unescape(" ".join(_MESSAGES.findall(text))))


def check_enrollments(uri: str, confirmed: set[Seat], *, recounts: bool = True) -> None:
    """Compare the seats that students were told of with those in the database, and let the site recount everything."""

    async def read() -> set[Seat]:
        async with open_database(uri, 20) as db:
            rows = db.enrollment.find({"status": "enrolled", "term": FALL})
            return {(row["user_id"], row["courseID"]) async for row in rows}

    enrolled = asyncio.run(read())
    if enrolled != confirmed:
        raise InconsistentSeats(
            f"Confirmed but not enrolled: {sorted(confirmed - enrolled)[:5]}; "
            f"enrolled but not confirmed: {sorted(enrolled - confirmed)[:5]}."
        )
    if recounts:
        check_seats(uri)


def check_seats(uri: str) -> None:
    """Run `quart check-seats`, and exit if it finds a discrepancy."""
    measured = quart("check-seats", MONGO_URI=uri)
    if measured.returncode:
        raise InconsistentSeats(f"check-seats found: {(measured.stdout + measured.stderr)[:MAX_ERROR_LENGTH]}")


def open_pages(site: Site, crowd: Sequence[Student], path: str) -> None:
    """Let everyone look at the page from which they enroll, as they all do before the opening."""
    requests = [prepare("GET", path, browser.headers_of(one.user_id, one.cookie)) for one in crowd]
    sent = send_all(site.port, requests, MAX_CONNECTIONS)
    if wrong := [one for one in sent.exchanges if one.status != 200]:
        raise SystemExit(f"{path} was answered with {wrong[0].status} {len(wrong)} times: {wrong[0].head!r}")


def no_failures(sent: Sequence[Sent]) -> Goal:
    """Return the goal that no request got a 5xx or no response."""
    return Goal(FAILED_RESPONSES, sum(one.count(500, 600) + one.count(0, 1) for one in sent), at_most=0)


def client_share(sent: Sequence[Sent]) -> str:
    """Return the share of a core that the client took, which must not be what limits the rate."""
    share = sum(one.cpu_seconds for one in sent) / sum(one.seconds for one in sent)
    return f"the client takes {100 * share:.0f}% of a core"


def p99(sent: Sequence[Sent]) -> float:
    """Return the 99th percentile of the response times, in seconds."""
    seconds = sorted(one.seconds for each in sent for one in each.exchanges)
    return seconds[len(seconds) * 99 // 100]
