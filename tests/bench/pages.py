"""Pages per second, compared with a bare Quart response and the Flask site; every page has its expected size."""

import gzip
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests.bench import wrk
from tests.bench.figures import Goal, Row, Spread
from tests.bench.sites import SECRET_KEY, Site
from tests.bench.wrk import Request
from tests.support.crowd import Student

BARE, FLASK = "bare Quart", "Flask"
ANEW = "rendered"
OTHER_SIZE = "50 sections"

BROWSER = {"Accept": "text/html,*/*;q=0.8", "Accept-Encoding": "gzip", "User-Agent": "Mozilla/5.0 Firefox/140.0"}
NOT_AGAIN = {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
"""Changes nothing about the response, but keeps it from being served from the cache."""

PROGRAM = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "a program of the school"}

ROW_OF_CATALOG = '<article class="course"'
SIGNED_IN = "Sign out"


IDLE_SECONDS, MAX_IDLE_WAIT_SECONDS = 0.1, 10.0
"""Seconds without CPU use after which a site counts as idle, and within which it must become idle: the Flask site
finishes the requests of 64 closed connections."""

WRONG = "wrong responses"

LONGER_FACTOR = 4
"""How many times longer a slow site is measured."""


class WrongAnswer(SystemExit):
    """A page is not as expected, so measuring it would be pointless."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; `size` is in bytes as transferred."""

    status: int
    headers: Mapping[str, str]
    cookies: Sequence[str]
    text: str
    size: int


@dataclass(slots=True)
class Runner:
    """A site in a comparison, with its rate in each round.

    `wrong` counts the responses that were refused, late, cut off or of the wrong size.
    """

    site: Site
    script: Path
    size: int
    rates: list[float] = field(default_factory=list)
    wrong: int = 0

    def warm_up(self, seconds: float) -> None:
        """Run without recording the result."""
        self.run(seconds)
        self.rates.clear()
        self.wrong = 0

    def run(self, seconds: float) -> None:
        """Record the number of correct responses per second.

        If there are fewer than three for each connection, measure again for longer.
        """
        measured = wrk.run(self.site.port, self.script, seconds)
        if measured.per_second * seconds < 3 * wrk.CONNECTIONS:
            measured = wrk.run(self.site.port, self.script, seconds * LONGER_FACTOR)
        _wait_until_idle(self.site)
        wrong = measured.refused + measured.broken + measured.timeouts
        if measured.per_second and not wrong and abs(measured.bytes_each - self.size) > 0.1 * self.size + 100:
            wrong = round(measured.per_second * seconds)
        self.wrong += wrong
        self.rates.append(0.0 if wrong else measured.per_second)


@dataclass(frozen=True, slots=True)
class Contest:
    """The same requests to several sites; `goals` evaluates the result."""

    name: str
    runners: dict[str, Runner]
    goals: Callable[[Mapping[str, Spread]], Sequence[Goal]]
    compared_by: str = BARE
    note: str = ""

    def row(self) -> Row:
        spreads = {name: Spread(tuple(runner.rates)) for name, runner in self.runners.items()}
        site, *_ = spreads
        others = {name: spread for name, spread in spreads.items() if name != site}
        wrong = {name: runner.wrong for name, runner in self.runners.items() if runner.wrong}
        goals = [*self.goals(spreads), Goal(WRONG, wrong.pop(site, 0), at_most=0)]
        notes = [self.note, *(f"{number} wrong responses from {name}" for name, number in wrong.items())]
        return Row(self.name, "pages/s", spreads[site], others, goals, "; ".join(filter(None, notes)), self.compared_by)


@dataclass(frozen=True, slots=True)
class Sites:
    """The running sites; `school` and `students` are by the number of courses in the database."""

    school: Mapping[int, Site]
    students: Mapping[int, Sequence[Student]]
    bare: Site
    flask: Site
    folder: Path


def contests(sites: Sites) -> Iterator[Contest]:
    """Yield the comparisons to measure."""
    ours = sites.school[500]
    catalog = _ours(sites, 500, "/courses/", 10_000, ROW_OF_CATALOG, 25)
    flask_catalog = _flask(sites, "/courses/", 100_000, "<tr>", 501)
    yield Contest(
        "catalog, signed in, 25 of 500 courses",
        {
            "site": catalog,
            BARE: _bare(sites),
            ANEW: _ours(sites, 500, "/courses/", 10_000, ROW_OF_CATALOG, 25, NOT_AGAIN),
            FLASK: flask_catalog,
        },
        lambda found: [_to(found, BARE, 0.8), _to(found, FLASK, 30)],
        note=f"{catalog.size:,} bytes; the Flask site shows all 500: {flask_catalog.size:,} bytes",
    )
    yield Contest(
        "catalog, signed in, 25 of 5,000 courses",
        {
            "site": _ours(sites, 5000, "/courses/", 10_000, ROW_OF_CATALOG, 25),
            OTHER_SIZE: _ours(sites, 50, "/courses/", 10_000, ROW_OF_CATALOG, 25),
        },
        lambda found: [_to(found, OTHER_SIZE, 0.9)],
        compared_by=OTHER_SIZE,
    )
    yield Contest(
        "home, signed in",
        {
            "site": _ours(sites, 500, "/", 1_000),
            BARE: _bare(sites),
            ANEW: _ours(sites, 500, "/", 1_000, more=NOT_AGAIN),
            FLASK: _flask(sites, "/", 500),
        },
        lambda found: [_to(found, BARE, 0.85)],
    )
    yield Contest(
        "schedule with 5 courses",
        {
            "site": _ours(sites, 500, "/enrollment", 5_000, 'action="/enrollment/drop"', 5),
            BARE: _bare(sites),
            ANEW: _ours(sites, 500, "/enrollment", 5_000, 'action="/enrollment/drop"', 5, NOT_AGAIN),
            FLASK: _flask(sites, "/enrollment", 1_000, "<tr>", 6),
        },
        lambda found: [_to(found, FLASK, 2)],
    )
    for name, path, headers, flask in (
        ("/api/, 500 courses", "/api/", PROGRAM, _flask(sites, "/api/", 50_000, "courseID", 500, who=None)),
        ("/api/v1/courses", "/api/v1/courses", PROGRAM, None),
        ("catalog, not signed in", "/courses/", BROWSER, None),
    ):
        yield from _prepared(sites, ours, name, path, headers, flask)


def _prepared(
    sites: Sites, site: Site, name: str, path: str, headers: Mapping[str, str], flask: Runner | None
) -> Iterator[Contest]:
    """Yield two comparisons of a response that is the same for everybody: 200 and 304."""
    # The first response of each process is not compressed yet.
    answer = min((visit(site.port, path, headers) for _ in range(8)), key=lambda answer: answer.size)
    _check(answer, path, 200, 1_000)
    whole = {"site": _runner(sites, site, [Request(path, headers)], answer.size), BARE: _bare(sites)}
    yield Contest(
        f"{name}: 200",
        whole | ({FLASK: flask} if flask else {}),
        lambda found: [_to(found, BARE, 2)],
        note=f"{answer.size:,} bytes{', compressed' if 'content-encoding' in answer.headers else ''}",
    )
    known = {**headers, "If-None-Match": answer.headers.get("etag", '"none"')}
    again = visit(site.port, path, known)
    runner = _runner(sites, site, [Request(path, known)], again.size)
    yield Contest(
        f"{name}: 304",
        {"site": runner, BARE: _bare(sites)},
        lambda found: [
            Goal("share of responses that are 304", float(again.status == 304), at_least=1),
            _to(found, BARE, 2),
        ],
        note="" if again.status == 304 else f"no ETag, so the response is {again.status}",
    )


def _to(found: Mapping[str, Spread], other: str, at_least: float) -> Goal:
    return Goal(f"ratio to {other}", found["site"].to(found[other]).median, at_least=at_least)


def _ours(
    sites: Sites,
    courses: int,
    path: str,
    least: int,
    word: str = SIGNED_IN,
    times: int = 1,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Runner:
    """Let each student look at the page once, and check it; then they go on with the cookies that they got."""
    site, requests, sizes = sites.school[courses], [], []
    for student in sites.students[courses]:
        headers = {**BROWSER, **more, "Cookie": student.cookie, "Sec-Fetch-Site": "same-origin"}
        first = visit(site.port, path, headers)
        headers["Cookie"] = "; ".join([student.cookie, *(cookie.partition(";")[0] for cookie in first.cookies)])
        requests.append(Request(path, headers))
        sizes.append(visit(site.port, path, headers).size)
        _check(first, path, 200, least, SIGNED_IN, 1)
        _check(first, path, 200, least, word, times)
    return _runner(sites, site, requests, sum(sizes) // len(sizes))


def _flask(
    sites: Sites, path: str, least: int, word: str = SIGNED_IN, times: int = 1, who: str | None = SIGNED_IN
) -> Runner:
    signer = SecureCookieSessionInterface().get_signing_serializer(_flask_app())
    assert signer is not None
    requests = []
    for student in sites.students[500]:
        cookie = signer.dumps({"user_id": student.user_id, "username": "Stu"})
        requests.append(Request(path, BROWSER | {"Cookie": f"session={cookie}"}))
    answer = visit(sites.flask.port, path, requests[0].headers)
    _check(answer, path, 200, least, word, times)
    if who:
        _check(answer, path, 200, least, who, 1)
    return _runner(sites, sites.flask, requests, answer.size)


def _flask_app() -> Flask:
    """Return an application that signs as the Flask site does."""
    app = Flask("flask_site")
    app.secret_key = SECRET_KEY
    return app


def _bare(sites: Sites) -> Runner:
    answer = visit(sites.bare.port, "/", BROWSER)
    _check(answer, "/", 200, 5, "Hello", 1)
    return _runner(sites, sites.bare, [Request("/", BROWSER)], answer.size)


def _runner(sites: Sites, site: Site, requests: Sequence[Request], size: int) -> Runner:
    name = f"requests-{len(list(sites.folder.glob('requests-*.lua')))}"
    return Runner(site, wrk.write_script(sites.folder, name, requests), size)


def _check(answer: Answer, path: str, status: int, least: int, word: str = "", times: int = 1) -> None:
    """Raise WrongAnswer for a response that is not the whole page, so that no site wins by sending less."""
    if answer.status != status:
        raise WrongAnswer(f"{path} was answered with {answer.status} instead of {status}: {answer.text[:500]}")
    if len(answer.text.encode()) < least:
        raise WrongAnswer(f"{path} has {len(answer.text)} bytes, and must have at least {least}")
    if word and answer.text.count(word) < times:
        raise WrongAnswer(f"{path} has “{word}” {answer.text.count(word)} times, and must have it {times} times")


def visit(port: int, path: str, headers: Mapping[str, str]) -> Answer:
    """Send one request and return the complete response."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read()
        pairs = response.getheaders()
    named = {name.lower(): value for name, value in pairs}
    size = len("HTTP/1.1 200 \r\n\r\n") + sum(len(name) + len(value) + 4 for name, value in pairs) + len(body)
    text = gzip.decompress(body) if named.get("content-encoding") == "gzip" else body
    cookies = [value for name, value in pairs if name.lower() == "set-cookie"]
    return Answer(response.status, named, cookies, text.decode(), size)


def _wait_until_idle(site: Site) -> None:
    """Wait until the site is idle, so that it takes no CPU time from the next one."""
    worked, until = -1.0, time.monotonic() + MAX_IDLE_WAIT_SECONDS
    while (so_far := site.cpu_seconds()) > worked and time.monotonic() < until:
        worked = so_far
        time.sleep(IDLE_SECONDS)


def measure(found: Sequence[Contest], rounds: int, seconds: float, warm_up: float) -> list[Row]:
    """Warm up all sites, then measure them in turn, so that other load on the machine affects all of them."""
    runners = [runner for contest in found for runner in contest.runners.values()]
    for runner in runners:
        runner.warm_up(warm_up)
    for number in range(rounds):
        for runner in runners:
            runner.run(seconds)
        print(f"  round {number + 1} of {rounds}", flush=True)
    return [contest.row() for contest in found]
