"""No path, query, header or form causes a 5xx response or a redirect to another site."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import h11
import pytest
from hypercorn.utils import build_and_validate_headers
from quart import Quart
from werkzeug.routing import Rule

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.state import EXTENSION
from quart_enroll.web.before_request import MAX_TARGET_LENGTH
from tests.support.people import ADA, Browser, Clock, config

SITE = "https://enroll.school.example"

PAYLOADS = [
    *("%0d%0ax", "%0d%0aSet-Cookie:%20a=b", "%0A", "%00", "%09", "%7f", "%c2%85", "%e2%80%a8"),
    *("%ff%fe", "%ed%a0%80", "%c0%af", "%e2%80%ae", "%f0%9f%98%80", "e%cc%81"),
    *("%2f", "%2f%2fevil.example", "..%2f..%2fetc%2fpasswd", "..", ".", "%5c%5cevil.example", "\\evil.example"),
    *("%", "%zz", "%25%0d", "%250d%250a", "%3f%23", "%u0041", "%20", "+", ";a=b", "@evil.example", ":"),
    *("-1", "9" * 5000, "1e999", "NaN", "%d9%a3", "%c2%b2", "{{7*7}}", "%25s%25n", "[$ne]", "<script>", "a" * 3000),
]
"""Parts of a path or a query, exactly as they are sent."""

TARGETS = [
    *("", "*", "//", "///evil.example", "//evil.example/courses", "/\\evil.example", "http://", "http://[/"),
    *("http://evil.example/courses/", "https://evil.example", "evil.example:443", "/courses%0d%0a", "/courses?%0d%0a"),
    *("/courses//", "/%2f%2fevil.example/", "/static//%2e%2e/app.py", "/static/%00", "/./courses", "/courses/./"),
    *("/api//", "/calendar/.ics", "/calendar/%0d%0a.ics", "/%0d%0ax", "/?", "/??", "/?&&==&", "?q", "#"),
]
"""Whole request targets, some of which no browser sends."""

PARAMETER_NAMES = [
    "q",
    "page",
    "term",
    "course",
    "courseID",
    "section",
    "next",
    "cursor",
    "limit",
    "credits",
    "days",
    "mine",
]
FORM_FIELDS = [
    *PARAMETER_NAMES,
    "email",
    "password",
    "first_name",
    "name",
    "language",
    "token",
    "drop",
    "add",
    "csrf_token",
    "id",
]

HEADER_NAMES = [
    *("host", "accept", "accept-language", "accept-encoding", "accept-charset", "user-agent", "cookie", "referer"),
    *("x-request-id", "x-reader", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "origin", "range"),
    *("authorization", "if-none-match", "if-modified-since", "content-type", "sec-fetch-site", "hx-request", "te"),
]
HEADER_VALUES = [
    *(b"", b" ", b"\t", b"\x80\xff", b"\xed\xa0\x80", b"%0d%0aX: y", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"\\", b'"'),
    *(b"=", b";;=;", b"a=b=c; d", b",,;q=", b"*;q=nan", b"en;q=-1", b"en;q=1e999", b"x" * 5000, b"a;" * 2000),
    *(b"http://[", b"[::1", b"Basic \xff", b"Basic !!", b"Bearer " + b"\xc3\xa9", b"Basic OjpAOg==", b"bytes=9-1"),
    *(b"QUART_AUTH=\xff; session=.eJx%00", b"Fri, 99 Foo 2026", b"9" * 5000, b'W/"', b"text/html;charset=\xff;\x7f"),
]


@dataclass
class SentResponse:
    """The response to a request, as a server would send it."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def location(self) -> str | None:
        return next((value.decode("ascii") for name, value in self.headers if name.lower() == b"location"), None)


@pytest.fixture
async def app(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Quart]:
    """The site in production, with all its caches."""
    app = create_app(config(mongo_uri=mongod, app_env="production", public_url=SITE), clock=clock)
    async with app.test_app():
        await app.extensions[EXTENSION].catalog_cache.get()
        yield app


@pytest.fixture
async def cookie(app: Quart) -> bytes:
    """Ada's cookies after signing in."""
    browser = Browser(app.test_client())
    await browser.sign_in(ADA, scheme="https")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.client.cookie_jar or ()).encode()


async def send_request(
    app: Quart, target: str, *headers: tuple[bytes, bytes], method: str = "GET", body: bytes | None = None
) -> SentResponse:
    """Send a request as Hypercorn would, and check that the response is valid HTTP."""
    path, _, query = target.partition("?")
    if body is not None:
        headers = (*headers, (b"content-length", str(len(body)).encode()))
    scope = {"type": "http", "asgi": {"spec_version": "2.3", "version": "3.0"}, "http_version": "1.1", "method": method}
    scope |= {"scheme": "http", "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode()}
    scope |= {"root_path": "", "headers": list(headers), "client": ("192.0.2.1", 4711), "server": None}
    scope |= {"state": {}, "extensions": {}}
    response, messages = SentResponse(), [{"type": "http.request", "body": body or b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            response.status, response.headers = message["status"], build_and_validate_headers(message["headers"])
            h11.Response(status_code=response.status, headers=response.headers)

    async with asyncio.timeout(20):
        await app(scope, receive, send)  # type: ignore[arg-type]
    return response


class ResponseChecker:
    """Checks responses and the log lines written since the test began."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self._log = log

    def check(self, response: SentResponse, request: object) -> None:
        assert 200 <= response.status < 500, request
        errors = [record for record in self._log.records if record.exc_info or record.levelno >= logging.ERROR]
        assert errors == [], request
        if (location := response.location) is not None:
            assert all("!" <= character <= "~" for character in location), request
            parts = urlsplit(location)
            assert not location.startswith(("//", "/\\")), request
            assert f"{parts.scheme}://{parts.netloc}" in ("://", SITE), request


@pytest.fixture
def checker(log: pytest.LogCaptureFixture) -> ResponseChecker:
    return ResponseChecker(log)


def rules(app: Quart) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if not rule.build_only]


def targets(app: Quart, offset: int = 0, *, step: int = 1) -> Iterator[str]:
    """Yield targets that match each rule, exactly or nearly, with each payload in one of four positions.

    Routes for staff get at most every tenth payload, because all of them refuse visitors and students in one place.
    """
    for number, rule in enumerate(rules(app)):
        stride = max(step, 10) if rule.rule.startswith(("/staff/", "/api/v1/staff/")) else step
        for position, payload in [*enumerate(PAYLOADS, number + offset)][::stride]:
            path, plain_path = rule.rule, rule.rule.replace("<term>", "Fall").replace("<path:courseID>", "1111")
            for name in rule.arguments:
                path = re.sub(rf"<(\w+:)?{name}>", payload.replace("\\", r"\\"), path)
            yield (
                path if rule.arguments else f"{plain_path}?{payload}",
                f"{path}{payload}",
                f"{plain_path}?q={payload}&{payload}={payload}",
                f"{path}?{'&'.join(f'{name}={payload}' for name in PARAMETER_NAMES)}",
            )[position % 4]


@pytest.mark.parametrize("offset", range(3))
async def test_no_path_or_query_causes_a_server_error(app: Quart, checker: ResponseChecker, offset: int) -> None:
    for target in targets(app, offset, step=3):
        checker.check(await send_request(app, target, (b"x-forwarded-proto", b"https")), target)


async def test_no_path_or_query_over_http_redirects_to_another_site(app: Quart, checker: ResponseChecker) -> None:
    for target in targets(app, step=3):
        checker.check(await send_request(app, target, (b"x-forwarded-proto", b"http")), target)


async def test_no_path_or_query_sent_by_a_student_causes_a_server_error(
    app: Quart, checker: ResponseChecker, cookie: bytes
) -> None:
    for target in targets(app, step=5):
        if not target.startswith(("/logout", "/static")):
            checker.check(await send_request(app, target, (b"cookie", cookie)), target)


@pytest.mark.parametrize("name", PARAMETER_NAMES)
async def test_no_api_parameter_causes_a_server_error(app: Quart, checker: ResponseChecker, name: str) -> None:
    for path in ("/api/v1/courses", "/api/v1/sections", "/courses/"):
        for payload in PAYLOADS:
            checker.check(await send_request(app, f"{path}?{name}={payload}"), (path, name, payload))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PROPFIND", "TRACE", "CONNECT", "X" * 500])
async def test_no_request_target_causes_a_server_error(app: Quart, checker: ResponseChecker, method: str) -> None:
    for target in TARGETS:
        for proto in (b"http", b"https", b""):
            response = await send_request(app, target, (b"x-forwarded-proto", proto), method=method)
            checker.check(response, (method, target, proto))


async def test_no_header_causes_a_server_error(app: Quart, checker: ResponseChecker, cookie: bytes) -> None:
    for path in ("/courses/", "/enrollment", "/api/v1/me"):
        for name in HEADER_NAMES:
            for number, value in enumerate(HEADER_VALUES):
                cookies = [(b"cookie", cookie)] if number % 2 and name != "cookie" else []
                response = await send_request(app, path, *cookies, (name.encode(), value))
                checker.check(response, (path, name, value))


async def test_no_form_causes_a_server_error(app: Quart, checker: ResponseChecker, cookie: bytes) -> None:
    form = (b"content-type", b"application/x-www-form-urlencoded")
    same_origin, https = (b"sec-fetch-site", b"same-origin"), (b"x-forwarded-proto", b"https")
    for rule in rules(app):
        # These would end the sign-in.
        if "POST" not in (rule.methods or ()) or rule.endpoint in ("logout", "account_sign_out"):
            continue
        for payload in PAYLOADS[::7]:
            body = "&".join(f"{name}={payload}" for name in FORM_FIELDS)[:16_000].encode()
            response = await send_request(
                app, rule.rule, form, same_origin, https, (b"cookie", cookie), method="POST", body=body
            )
            checker.check(response, (rule.rule, payload))


async def test_a_page_over_http_redirects_to_the_same_page_over_https(app: Quart) -> None:
    http = (b"x-forwarded-proto", b"http")
    for target, redirect in [
        ("/courses/Fall?q=a%20b&page=2", "/courses/Fall?q=a%20b&page=2"),
        ("/%0d%0ax", "/%0D%0Ax"),
        ("/course/a%3Fb%2Fc", "/course/a%3Fb/c"),
        ("/courses/é".replace("é", "%C3%A9"), "/courses/%C3%A9"),
    ]:
        response = await send_request(app, target, http)
        assert (response.status, response.location) == (308, SITE + redirect)


async def test_a_url_that_is_too_long_is_refused(app: Quart) -> None:
    response = await send_request(app, "/courses/?q=" + "a" * (MAX_TARGET_LENGTH - len("/courses/q=")))
    assert response.status == 200
    for target in ("/courses/?q=" + "a" * MAX_TARGET_LENGTH, "/" + "a" * MAX_TARGET_LENGTH, "/api/v1/me?" + "a" * 9000):
        assert (await send_request(app, target)).status == 414
    page = await app.test_client().get("/courses/" + 9000 * "x", headers={"X-Forwarded-Proto": "https"})
    assert "This link is too long." in await page.get_data(as_text=True)
