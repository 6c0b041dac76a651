"""Pages that are requested again, and public ones, compared with bare Quart and the Flask site."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests.bench import browser, school_data, wrk
from tests.bench.bench_run import BARE, BenchRun, RunPlan
from tests.bench.browser import PageResponse, fetch
from tests.bench.figures import WRONG_RESPONSES, Goal, Row, Spread
from tests.bench.servers import SECRET_KEY, Site, serve_flask
from tests.bench.wrk import Request
from tests.support.student_crowd import Student

FLASK = "Flask"
UNCACHED = "rendered"
SMALL_CATALOG = "50 sections"

STUDENTS = 40
"""Students who request the pages in turn."""

BROWSER_HEADERS = browser.CHROME
UNCACHED_HEADERS = {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
"""Changes nothing about the response, but keeps it from being served from the cache."""

API_CLIENT_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "a program of the school"}

CATALOG_ROW = '<details class="course-row"'
SIGNED_IN = 'action="/logout"'


SLOW_SITE_FACTOR = 4
"""A slow site is measured this many times longer."""


class UnexpectedResponse(SystemExit):
    """A page is not the expected one, so measuring it would be pointless."""


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
        self.site.wait_until_idle()
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
        "catalog, requested again by the same students, 25 of 500 courses",
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
        "catalog, requested again by the same students, 25 of 5,000 courses",
        {
            "site": _our_site(sites, 5000, "/courses/", 10_000, CATALOG_ROW, 25),
            SMALL_CATALOG: _our_site(sites, 50, "/courses/", 10_000, CATALOG_ROW, 25),
        },
        lambda found: [_ratio_goal(found, SMALL_CATALOG, 0.9)],
        compared_by=SMALL_CATALOG,
    )
    yield Comparison(
        "home, requested again by the same students",
        {
            "site": _our_site(sites, 500, "/", 1_000),
            BARE: _bare_quart(sites),
            UNCACHED: _our_site(sites, 500, "/", 1_000, extra_headers=UNCACHED_HEADERS),
            FLASK: _flask(sites, "/", 500),
        },
        lambda found: [_ratio_goal(found, BARE, 0.85)],
    )
    yield Comparison(
        "schedule with 5 courses, requested again by the same students",
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
        headers = browser.headers_of(student.user_id, student.cookie, **extra_headers)
        first = fetch(site.port, path, headers)
        headers = browser.with_cookies(headers, first.cookies)
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
        requests.append(Request(path, browser.headers_of(student.user_id, f"session={cookie}")))
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


def measure(run: BenchRun) -> list[Row]:
    """Measure the pages of three schools of different sizes, of bare Quart and of the Flask site."""
    schools: dict[int, Site] = {}
    students: dict[int, list[Student]] = {}
    with ExitStack() as stack:
        for courses in (50, 500, 5000):
            uri = run.database(f"pages_{courses}")
            students[courses] = school_data.create(uri, courses, STUDENTS)
            schools[courses] = stack.enter_context(run.serve(uri, f"pages-{courses}"))
        school_data.copy_for_flask(run.uri, "pages_500", "flask")
        flask = stack.enter_context(serve_flask(run.folder, run.database("flask"))).wait()
        compared = list(comparisons(RunningSites(schools, students, run.bare, flask, run.folder)))
        return _measure_in_turn(compared, run.plan)


def _measure_in_turn(found: Sequence[Comparison], plan: RunPlan) -> list[Row]:
    """Warm up all sites, then measure them in turn, so that other load on the machine affects all of them."""
    compared_sites = [compared_site for comparison in found for compared_site in comparison.compared_sites.values()]
    for compared_site in compared_sites:
        compared_site.warm_up(plan.warm_up)
    for number in range(plan.rounds):
        for compared_site in compared_sites:
            compared_site.run(plan.seconds)
        print(f"  round {number + 1} of {plan.rounds}", flush=True)
    return [comparison.row() for comparison in found]
