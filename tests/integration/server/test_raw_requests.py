"""Requests as no browser sends them, byte by byte: pipelined, with ambiguous lengths, slow, or forged."""

import asyncio
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from quart_enroll.db.client import open_database
from quart_enroll.db.collections import enrollments
from tests.failure.school import FALL, open_school
from tests.support.processes import TIMEOUT_SECONDS, fresh_database, server
from tests.support.student_crowd import sign_in

COURSES = [f"C{number:02}" for number in range(10)]
FORM, SAME_ORIGIN = "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin"
CHUNKED = "Transfer-Encoding: chunked"


@dataclass
class Site:
    """The site, with ada signed in; each test takes another course."""

    port: int
    uri: str
    cookie: str
    unused: list[str]

    def request(
        self, method: str, path: str, *headers: str, body: bytes = b"", version: str = "1.1", last: bool = True
    ) -> bytes:
        """Return a request of ada's; the last one on its connection closes it."""
        head = [f"{method} {path} HTTP/{version}", "Host: localhost", f"Cookie: {self.cookie}", *headers]
        return "\r\n".join([*head, *["Connection: close"] * last, "", ""]).encode() + body

    def post(self, courseID: str, *headers: str, last: bool = True) -> bytes:
        """Return ada's request for a seat."""
        body = form(courseID)
        return self.request("POST", "/enrollment", FORM, *headers, f"Content-Length: {len(body)}", body=body, last=last)

    def exchange(self, *parts: bytes) -> bytes:
        """Send the parts in packets of their own, and return everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                connection.sendall(part)
            with connection.makefile("rb") as response:
                return response.read()

    def courses(self) -> set[str]:
        """Return the courses in which ada has a seat."""

        async def read() -> set[str]:
            async with open_database(self.uri, 20) as db:
                return {seat.courseID for seat in await enrollments.find_in_term(db, 1, FALL)}

        return asyncio.run(read())


@pytest.fixture(scope="module")
def site(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    async def fill(uri: str) -> str:
        async with open_database(uri, 20) as db:
            await open_school(db, COURSES, capacity=5, waitlist_capacity=5)
            [ada] = await sign_in(db, [1])
            return ada.cookie

    with fresh_database(mongod) as uri:
        cookie = asyncio.run(fill(uri))
        with server(tmp_path_factory.mktemp("raw") / "log", MONGO_URI=uri) as running:
            yield Site(running.port, uri, cookie, [*COURSES])


def form(courseID: str) -> bytes:
    return urlencode({"courseID": courseID, "term": FALL}).encode()


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def statuses(output: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", output)]


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    course = site.unused.pop()
    change = site.post(course, SAME_ORIGIN, last=False)
    output = site.exchange(site.request("GET", "/courses/", last=False) + change + site.request("GET", "/enrollment"))
    assert statuses(output) == [200, 303, 200]
    assert course in site.courses()
    assert f"Course {course}".encode() in output.rpartition(b"HTTP/1.1 200")[2]


@pytest.mark.parametrize("headers", [[], ["Accept-Encoding: gzip"], ["Range: bytes=0-9"]])
def test_the_response_to_head_has_no_body(headers: Sequence[str], site: Site) -> None:
    output = site.exchange(site.request("HEAD", "/courses/", *headers, last=False) + site.request("GET", "/healthz"))
    head, _, rest = output.partition(b"\r\n\r\n")
    assert statuses(head) == [200]
    assert rest.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "lengths",
    [
        ["Content-Length: 27", "Content-Length: 5"],
        ["Content-Length: -5"],
        ["Content-Length: +27"],
        ["Content-Length: 0x1b"],
        ["Content-Length: 27", CHUNKED],
        [CHUNKED, CHUNKED],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: gzip, chunked"],
    ],
)
def test_a_body_whose_end_is_ambiguous_is_refused(lengths: Sequence[str], site: Site) -> None:
    course = site.unused[0]
    smuggled = site.request("POST", "/enrollment", FORM, SAME_ORIGIN, *lengths, body=form(course), last=False)
    output = site.exchange(smuggled + site.post(course, SAME_ORIGIN))
    assert statuses(output) in ([400], [501])  # the connection is closed, so nothing after it is read as a request
    assert course not in site.courses()


@pytest.mark.parametrize("how", ["chunked", "in parts", "after 100 Continue", "HTTP/1.0"])
def test_a_change_is_made_however_its_body_arrives(how: str, site: Site) -> None:
    course = site.unused.pop()
    whole, body = site.post(course, SAME_ORIGIN), form(course)
    length = f"Content-Length: {len(body)}"
    parts = {
        "chunked": [site.request("POST", "/enrollment", FORM, SAME_ORIGIN, CHUNKED, body=chunked(body))],
        "in parts": [whole[:-3], whole[-3:-2], whole[-2:-1], whole[-1:]],
        "after 100 Continue": [site.post(course, SAME_ORIGIN, "Expect: 100-continue")],
        "HTTP/1.0": [site.request("POST", "/enrollment", FORM, SAME_ORIGIN, length, body=body, version="1.0")],
    }[how]
    assert statuses(site.exchange(*parts))[-1] == 303
    assert course in site.courses()


def test_a_chunked_body_that_is_too_large_is_refused_although_it_arrives_at_once(site: Site) -> None:
    body = chunked(form(site.unused[0]) + b"&x=" + b"x" * 40_000)
    output = site.exchange(site.request("POST", "/enrollment", FORM, SAME_ORIGIN, CHUNKED, body=body))
    assert statuses(output) == [413]
    assert site.unused[0] not in site.courses()


@pytest.mark.parametrize(
    "origin",
    [
        [],
        ["Origin: null"],
        ["Origin: https://evil.example"],
        ["Sec-Fetch-Site: cross-site"],
        ["Sec-Fetch-Site: same-site"],
        ["Sec-Fetch-Site: none"],
        ["Sec-Fetch-Site: cross-site", SAME_ORIGIN],
    ],
)
def test_a_change_from_another_site_is_refused(origin: Sequence[str], site: Site) -> None:
    assert statuses(site.exchange(site.post(site.unused[0], *origin))) == [400]
    assert site.unused[0] not in site.courses()


@pytest.mark.parametrize("request_id", ["a\nSet-Cookie: planted=1", "a%0d%0aSet-Cookie: planted=1", "x" * 5000, "é"])
def test_a_request_id_cannot_add_headers(request_id: str, site: Site) -> None:
    output = site.exchange(site.request("GET", "/courses/", f"X-Request-ID: {request_id}"))
    assert statuses(output) == [200]
    head = output.partition(b"\r\n\r\n")[0].lower()
    assert b"planted" not in head
    assert len(re.findall(rb"\r\nx-request-id: [\w-]{1,200}(?=\r\n)", head + b"\r\n")) == 1
