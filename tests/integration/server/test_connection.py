"""A GET is answered without waiting for more from the client, and a stream ends when the client disconnects."""

import asyncio
from typing import Any

import pytest
from quart import Quart

from quart_enroll.web.request import _parse_cached

RESPONSE_TIMEOUT_SECONDS = 20
"""How long a response may take on a busy machine."""


class Client:
    """A client that sends one request and then nothing until it disconnects."""

    def __init__(self, app: Quart, path: str, method: str = "GET", **headers: str) -> None:
        self._app = app
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
            "headers": [(b"host", b"localhost"), *((name.encode(), text.encode()) for name, text in headers.items())],
            "client": ("192.0.2.1", 5000),
        }
        self.sent_events: list[dict[str, Any]] = []
        self.receive_called = False
        self.body_started = asyncio.Event()
        self.disconnected = asyncio.Event()

    async def send_request(self) -> None:
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            await self._app(self.scope, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, Any]:
        self.receive_called = True
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
    client.scope["headers"].append((b"cookie", b"a=\xe9"))
    await client.send_request()
    assert client.sent_events[0]["status"] == 200


async def test_an_undecodable_password_is_refused(app: Quart) -> None:
    client = Client(app, "/api/v1/me/enrollments")
    client.scope["headers"].append((b"authorization", b"Basic \xff\xfe"))
    await client.send_request()
    assert client.sent_events[0]["status"] == 401


async def test_arbitrary_cookie_values_are_not_cached(app: Quart) -> None:
    before = _parse_cached.cache.currsize
    client = Client(app, "/", cookie="; ".join(f"a{number}=b" for number in range(200)))
    await client.send_request()
    assert client.sent_events[0]["status"] == 200
    assert _parse_cached.cache.currsize == before
