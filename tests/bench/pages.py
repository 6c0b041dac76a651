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
from tests.bench.servers import SECRET_KEY, Site
from tests.bench.wrk import Request
from tests.support.student_crowd import Student

BARE, FLASK = "bare Quart", "Flask"
UNCACHED = "rendered"
SMALL_CATALOG = "50 sections"

BROWSER_HEADERS = {
    "Accept": "text/html,*/*;q=0.8",
    "Accept-Encoding": "gzip",
    "User-Agent": "Mozilla/5.0 Firefox/140.0",
}
UNCACHED_HEADERS = {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
"""Changes nothing about the response, but keeps it from being served from the cache."""

API_CLIENT_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "a program of the school"}

CATALOG_ROW = '<article class="course"'
SIGNED_IN = 'action="/logout"'


IDLE_SECONDS, MAX_IDLE_WAIT_SECONDS = 0.1, 10.0
"""Seconds without CPU use after which a site counts as idle, and within which it must become idle: the Flask site
finishes the requests of 64 closed connections."""

WRONG_RESPONSES = "wrong responses"

SLOW_SITE_FACTOR = 4
"""A slow site is measured this many times longer."""


class UnexpectedResponse(SystemExit):
    """A page is not the expected one, so measuring it would be pointless."""


@dataclass(frozen=True, slots=True)
class PageResponse:
    """A response; `size` is in bytes as transferred."""

    status: int
    headers: Mapping[str, str]
    cookies: Sequence[str]
    text: str
    size: int


@dataclass(slots=True)
class ComparedSite:
    """A site in a comparison, with its rate in each round.

    `wrong` counts responses that were refused, late, cut off or of the wrong size.
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
            measured = wrk.run(self.site.port, self.script, seconds * SLOW_SITE_FACTOR)
        _wait_until_idle(self.site)
        wrong = measured.refused + measured.broken + measured.timeouts
        if measured.per_second and not wrong and abs(measured.bytes_each - self.size) > 0.1 * self.size + 100:
            wrong = round(measured.per_second * seconds)
        self.wrong += wrong
        self.rates.append(0.0 if wrong else measured.per_second)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same requests to several sites; `goals` returns the goals for the results."""

    name: str
    compared_sites: dict[str, ComparedSite]
    goals: Callable[[Mapping[str, Spread]], Sequence[Goal]]
    compared_by: str = BARE
    note: str = ""

    def row(self) -> Row:
        spreads = {name: Spread(tuple(compared_site.rates)) for name, compared_site in self.compared_sites.items()}
        site, *_ = spreads
        others = {name: spread for name, spread in spreads.items() if name != site}
        wrong = {
            name: compared_site.wrong for name, compared_site in self.compared_sites.items() if compared_site.wrong
        }
        goals = [*self.goals(spreads), Goal(WRONG_RESPONSES, wrong.pop(site, 0), at_most=0)]
        notes = [self.note, *(f"{number} wrong responses from {name}" for name, number in wrong.items())]
        return Row(self.name, "pages/s", spreads[site], others, goals, "; ".join(filter(None, notes)), self.compared_by)


@dataclass(frozen=True, slots=True)
class RunningSites:
    """The running sites; `school` and `students` are by the number of courses in the database."""

    school: Mapping[int, Site]
    students: Mapping[int, Sequence[Student]]
    bare: Site
    flask: Site
    folder: Path


def comparisons(sites: RunningSites) -> Iterator[Comparison]:
    """Yield the comparisons to measure."""
    ours = sites.school[500]
    catalog = _our_site(sites, 500, "/courses/", 10_000, CATALOG_ROW, 25)
    flask_catalog = _flask(sites, "/courses/", 100_000, "<tr>", 501)
    yield Comparison(
        "catalog, signed in, 25 of 500 courses",
        {
            "site": catalog,
            BARE: _bare_quart(sites),
            UNCACHED: _our_site(sites, 500, "/courses/", 10_000, CATALOG_ROW, 25, UNCACHED_HEADERS),
            FLASK: flask_catalog,
        },
        lambda found: [_ratio_goal(found, BARE, 0.8), _ratio_goal(found, FLASK, 30)],
        note=f"{catalog.size:,} bytes; the Flask site shows all 500: {flask_catalog.size:,} bytes",
    )
    yield Comparison(
        "catalog, signed in, 25 of 5,000 courses",
        {
            "site": _our_site(sites, 5000, "/courses/", 10_000, CATALOG_ROW, 25),
            SMALL_CATALOG: _our_site(sites, 50, "/courses/", 10_000, CATALOG_ROW, 25),
        },
        lambda found: [_ratio_goal(found, SMALL_CATALOG, 0.9)],
        compared_by=SMALL_CATALOG,
    )
    yield Comparison(
        "home, signed in",
        {
            "site": _our_site(sites, 500, "/", 1_000),
            BARE: _bare_quart(sites),
            UNCACHED: _our_site(sites, 500, "/", 1_000, extra_headers=UNCACHED_HEADERS),
            FLASK: _flask(sites, "/", 500),
        },
        lambda found: [_ratio_goal(found, BARE, 0.85)],
    )
    yield Comparison(
        "schedule with 5 courses",
        {
            "site": _our_site(sites, 500, "/enrollment", 5_000, 'action="/enrollment/drop?', 5),
            BARE: _bare_quart(sites),
            UNCACHED: _our_site(sites, 500, "/enrollment", 5_000, 'action="/enrollment/drop?', 5, UNCACHED_HEADERS),
            FLASK: _flask(sites, "/enrollment", 1_000, "<tr>", 6),
        },
        lambda found: [_ratio_goal(found, FLASK, 2)],
    )
    for name, path, headers, flask in (
        (
            "/api/, 500 courses",
            "/api/",
            API_CLIENT_HEADERS,
            _flask(sites, "/api/", 50_000, "courseID", 500, signed_in_marker=None),
        ),
        ("/api/v1/courses", "/api/v1/courses", API_CLIENT_HEADERS, None),
        ("catalog, not signed in", "/courses/", BROWSER_HEADERS, None),
    ):
        yield from _cached_comparisons(sites, ours, name, path, headers, flask)


def _cached_comparisons(
    sites: RunningSites, site: Site, name: str, path: str, headers: Mapping[str, str], flask: ComparedSite | None
) -> Iterator[Comparison]:
    """Yield two comparisons of a response that is the same for every visitor: with status 200 and with 304."""
    # The first response of each process is not compressed yet.
    page = min((fetch(site.port, path, headers) for _ in range(8)), key=lambda page: page.size)
    _check_page(page, path, 200, 1_000)
    whole = {"site": _compared_site(sites, site, [Request(path, headers)], page.size), BARE: _bare_quart(sites)}
    yield Comparison(
        f"{name}: 200",
        whole | ({FLASK: flask} if flask else {}),
        lambda found: [_ratio_goal(found, BARE, 2)],
        note=f"{page.size:,} bytes{', compressed' if 'content-encoding' in page.headers else ''}",
    )
    conditional_headers = {**headers, "If-None-Match": page.headers.get("etag", '"none"')}
    repeated = fetch(site.port, path, conditional_headers)
    compared_site = _compared_site(sites, site, [Request(path, conditional_headers)], repeated.size)
    yield Comparison(
        f"{name}: 304",
        {"site": compared_site, BARE: _bare_quart(sites)},
        lambda found: [
            Goal("share of responses that are 304", float(repeated.status == 304), at_least=1),
            _ratio_goal(found, BARE, 2),
        ],
        note="" if repeated.status == 304 else f"no ETag, so the response is {repeated.status}",
    )


def _ratio_goal(found: Mapping[str, Spread], other: str, at_least: float) -> Goal:
    return Goal(f"ratio to {other}", found["site"].to(found[other]).median, at_least=at_least)


def _our_site(
    sites: RunningSites,
    courses: int,
    path: str,
    min_bytes: int,
    marker: str = SIGNED_IN,
    min_count: int = 1,
    extra_headers: Mapping[str, str] = MappingProxyType({}),
) -> ComparedSite:
    """Fetch and check each student's page once; the measured requests send the cookies of that response too."""
    site, requests, sizes = sites.school[courses], [], []
    for student in sites.students[courses]:
        headers = {**BROWSER_HEADERS, **extra_headers, "Cookie": student.cookie, "Sec-Fetch-Site": "same-origin"}
        first = fetch(site.port, path, headers)
        headers["Cookie"] = "; ".join([student.cookie, *(cookie.partition(";")[0] for cookie in first.cookies)])
        requests.append(Request(path, headers))
        sizes.append(fetch(site.port, path, headers).size)
        _check_page(first, path, 200, min_bytes, SIGNED_IN, 1)
        _check_page(first, path, 200, min_bytes, marker, min_count)
    return _compared_site(sites, site, requests, sum(sizes) // len(sizes))


def _flask(
    sites: RunningSites,
    path: str,
    min_bytes: int,
    marker: str = SIGNED_IN,
    min_count: int = 1,
    signed_in_marker: str | None = SIGNED_IN,
) -> ComparedSite:
    signer = SecureCookieSessionInterface().get_signing_serializer(_flask_app())
    assert signer is not None
    requests = []
    for student in sites.students[500]:
        cookie = signer.dumps({"user_id": student.user_id, "username": "Stu"})
        requests.append(Request(path, BROWSER_HEADERS | {"Cookie": f"session={cookie}"}))
    page = fetch(sites.flask.port, path, requests[0].headers)
    _check_page(page, path, 200, min_bytes, marker, min_count)
    if signed_in_marker:
        _check_page(page, path, 200, min_bytes, signed_in_marker, 1)
    return _compared_site(sites, sites.flask, requests, page.size)


def _flask_app() -> Flask:
    """Return an application that signs cookies with the Flask site's key."""
    app = Flask("flask_site")
    app.secret_key = SECRET_KEY
    return app


def _bare_quart(sites: RunningSites) -> ComparedSite:
    page = fetch(sites.bare.port, "/", BROWSER_HEADERS)
    _check_page(page, "/", 200, 5, "Hello", 1)
    return _compared_site(sites, sites.bare, [Request("/", BROWSER_HEADERS)], page.size)


def _compared_site(sites: RunningSites, site: Site, requests: Sequence[Request], size: int) -> ComparedSite:
    name = f"requests-{len(list(sites.folder.glob('requests-*.lua')))}"
    return ComparedSite(site, wrk.write_script(sites.folder, name, requests), size)


def _check_page(
    page: PageResponse, path: str, status: int, min_bytes: int, marker: str = "", min_count: int = 1
) -> None:
    """Raise UnexpectedResponse if this is not the page: an error page would be faster."""
    if page.status != status:
        raise UnexpectedResponse(f"{path} was answered with {page.status} instead of {status}: {page.text[:500]}")
    if len(page.text.encode()) < min_bytes:
        raise UnexpectedResponse(f"{path} has {len(page.text)} bytes, and must have at least {min_bytes}")
    if marker and page.text.count(marker) < min_count:
        raise UnexpectedResponse(
            f"{path} has “{marker}” {page.text.count(marker)} times, and must have it {min_count} times"
        )


def fetch(port: int, path: str, headers: Mapping[str, str]) -> PageResponse:
    """Send one request, and return the whole response."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read()
        pairs = response.getheaders()
    header_values = {name.lower(): value for name, value in pairs}
    size = len("HTTP/1.1 200 \r\n\r\n") + sum(len(name) + len(value) + 4 for name, value in pairs) + len(body)
    text = gzip.decompress(body) if header_values.get("content-encoding") == "gzip" else body
    cookies = [value for name, value in pairs if name.lower() == "set-cookie"]
    return PageResponse(response.status, header_values, cookies, text.decode(), size)


def _wait_until_idle(site: Site) -> None:
    """Wait until the site uses no CPU time, so that it doesn't slow down the next one."""
    cpu_seconds_before, deadline = -1.0, time.monotonic() + MAX_IDLE_WAIT_SECONDS
    while (cpu_seconds_now := site.cpu_seconds()) > cpu_seconds_before and time.monotonic() < deadline:
        cpu_seconds_before = cpu_seconds_now
        time.sleep(IDLE_SECONDS)


def measure(found: Sequence[Comparison], rounds: int, seconds: float, warm_up: float) -> list[Row]:
    """Warm up all sites, then measure them in turn, so that other load on the machine affects all of them."""
    compared_sites = [compared_site for comparison in found for compared_site in comparison.compared_sites.values()]
    for compared_site in compared_sites:
        compared_site.warm_up(warm_up)
    for number in range(rounds):
        for compared_site in compared_sites:
            compared_site.run(seconds)
        print(f"  round {number + 1} of {rounds}", flush=True)
    return [comparison.row() for comparison in found]
