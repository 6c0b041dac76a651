"""A complete request is answered without waiting for more from the client; a stream ends when it disconnects."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.web.request import _parse_cached
from tests.support.people import Browser, seats_taken

RESPONSE_TIMEOUT_SECONDS = 20
"""How long a response may take on a busy machine."""


class Client:
    """A client that sends one request, its body in these parts, and then nothing until it disconnects."""

    def __init__(self, app: Quart, path: str, method: str = "GET", body: Sequence[bytes] = (), **headers: str) -> None:
        self._app = app
        self._body = list(body)
        self.body_arrives = asyncio.Event()
        self.headers = [(b"host", b"localhost"), *((name.encode(), text.encode()) for name, text in headers.items())]
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": self.headers,
            "client": ("192.0.2.1", 5000),
        }
        self.sent_events: list[dict[str, Any]] = []
        self.receive_called = False
        self.waits_for_disconnect = False
        self.body_started = asyncio.Event()
        self.disconnected = asyncio.Event()

    async def send_request(self) -> None:
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            await self._app(self.scope, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, Any]:
        self.receive_called = True
        if self._body:
            await self.body_arrives.wait()
            part = self._body.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._body)}
        self.waits_for_disconnect = True
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Any) -> None:
        self.sent_events.append(event)
        if event.get("body"):
            self.body_started.set()

    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent_events)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/site.css"])
async def test_a_page_is_sent_to_a_client_that_half_closed_the_connection(app: Quart, path: str) -> None:
    client = Client(app, path)
    await client.send_request()
    headers = dict(client.sent_events[0]["headers"])
    assert len(client.body()) == int(headers[b"content-length"])
    assert client.sent_events[-1].get("more_body") is False


@pytest.mark.caches
@pytest.mark.parametrize(("version", "receive_called"), [("1.1", False), ("2", True)])
async def test_a_disconnect_over_http_2_is_noticed(app: Quart, version: str, *, receive_called: bool) -> None:
    client = Client(app, "/")
    client.scope["http_version"] = version
    await client.send_request()
    assert client.sent_events[0]["status"] == 200
    assert client.receive_called is receive_called  # or a closed HTTP/2 stream would delay the shutdown


async def test_a_stream_ends_when_the_client_disconnects(app: Quart) -> None:
    client = Client(app, "/live")
    request = asyncio.create_task(client.send_request())
    await asyncio.wait_for(client.body_started.wait(), RESPONSE_TIMEOUT_SECONDS)
    assert not request.done()
    client.disconnected.set()
    await request


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/site.css"])
async def test_an_undecodable_cookie_is_ignored(app: Quart, path: str) -> None:
    client = Client(app, path)
    client.headers.append((b"cookie", b"a=\xe9"))
    await client.send_request()
    assert client.sent_events[0]["status"] == 200


async def test_an_undecodable_password_is_refused(app: Quart) -> None:
    client = Client(app, "/api/v1/me/enrollments")
    client.headers.append((b"authorization", b"Basic \xff\xfe"))
    await client.send_request()
    assert client.sent_events[0]["status"] == 401


async def test_arbitrary_cookie_values_are_not_cached(app: Quart) -> None:
    before = _parse_cached.cache.currsize
    client = Client(app, "/", cookie="; ".join(f"a{number}=b" for number in range(200)))
    await client.send_request()
    assert client.sent_events[0]["status"] == 200
    assert _parse_cached.cache.currsize == before


# A change with a body

ENROLL = b"courseID=1111&term=Fall+2026&section=01"


def _enroll(app: Quart, ada: Browser, *body: bytes, length: int = len(ENROLL), path: str = "/enrollment") -> Client:
    """Return a client that enrolls ada in a section with this body."""
    client = Client(app, path, "POST", body)
    [cookie] = [one for one in ada.client.cookie_jar or () if one.name == "QUART_AUTH"]
    client.headers += [
        (b"cookie", f"{cookie.name}={cookie.value}".encode()),
        (b"sec-fetch-site", b"same-origin"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", str(length).encode()),
    ]
    return client


@pytest.mark.caches
async def test_a_change_whose_body_has_arrived_does_not_wait_for_the_client(
    app: Quart, ada: Browser, db: Database
) -> None:
    client = _enroll(app, ada, ENROLL)
    client.body_arrives.set()
    await client.send_request()
    assert client.sent_events[0]["status"] == 303
    assert await seats_taken(db, "1111") == 1
    assert not client.waits_for_disconnect


@pytest.mark.parametrize("parts", [(ENROLL[:9], ENROLL[9:]), (ENROLL[:9], ENROLL[9:], b""), (ENROLL, b"")])
@pytest.mark.parametrize("arrives_at_once", [True, False])
async def test_a_change_whose_body_arrives_in_parts_is_made(
    app: Quart, ada: Browser, db: Database, parts: Sequence[bytes], *, arrives_at_once: bool
) -> None:
    client = _enroll(app, ada, *parts)
    if arrives_at_once:
        client.body_arrives.set()
    request = asyncio.create_task(client.send_request())
    asyncio.get_running_loop().call_later(0.05, client.body_arrives.set)
    await request
    assert client.sent_events[0]["status"] == 303
    assert await seats_taken(db, "1111") == 1


async def test_a_change_whose_body_never_arrives_is_refused(app: Quart, ada: Browser, db: Database) -> None:
    app.config["BODY_TIMEOUT"] = 0.05
    client = _enroll(app, ada, ENROLL)
    await client.send_request()
    assert client.sent_events[0]["status"] == 408
    assert await seats_taken(db, "1111") == 0


async def test_a_client_that_disconnects_before_its_body_is_complete_changes_nothing(
    app: Quart, ada: Browser, db: Database
) -> None:
    client = _enroll(app, ada)
    client.disconnected.set()
    await client.send_request()
    assert client.sent_events == []
    assert await seats_taken(db, "1111") == 0


@pytest.mark.parametrize("length", [len(ENROLL), 20_000])
async def test_a_change_with_too_large_a_body_is_refused(app: Quart, ada: Browser, db: Database, length: int) -> None:
    client = _enroll(app, ada, ENROLL + b"&x=" + b"x" * 20_000, length=length)
    client.body_arrives.set()
    await client.send_request()
    assert client.sent_events[0]["status"] == 413
    assert await seats_taken(db, "1111") == 0
