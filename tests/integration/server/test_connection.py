"""Reads are answered without waiting for the client, and streams end when the client disconnects."""

import asyncio
from typing import Any

import pytest
from quart import Quart

from quart_enroll.web.request import _parse_cached

MAX_WAIT_SECONDS = 20
"""How long a response may take on a busy machine."""


class Client:
    """A client that sends a request, and then nothing until it disconnects."""

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
        self.sent: list[dict[str, Any]] = []
        self.is_heard = False
        self.heard_something = asyncio.Event()
        self.hangs_up = asyncio.Event()

    async def ask(self) -> None:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            await self._app(self.scope, self._receive, self._send)  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, Any]:
        self.is_heard = True
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Any) -> None:
        self.sent.append(event)
        if event.get("body"):
            self.heard_something.set()

    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/static/site.css"])
async def test_a_page_is_sent_to_a_client_that_half_closed_the_connection(app: Quart, path: str) -> None:
    client = Client(app, path)
    await client.ask()
    headers = dict(client.sent[0]["headers"])
    assert len(client.body()) == int(headers[b"content-length"])
    assert client.sent[-1].get("more_body") is False


@pytest.mark.parametrize(("version", "is_heard"), [("1.1", False), ("2", True)])
async def test_a_disconnect_over_http_2_is_noticed(app: Quart, version: str, *, is_heard: bool) -> None:
    client = Client(app, "/")
    client.scope["http_version"] = version
    await client.ask()
    assert client.sent[0]["status"] == 200
    assert client.is_heard is is_heard  # else the server would keep it, and wait for it when it stops


async def test_a_stream_ends_when_the_client_disconnects(app: Quart) -> None:
    client = Client(app, "/live")
    asking = asyncio.create_task(client.ask())
    await asyncio.wait_for(client.heard_something.wait(), MAX_WAIT_SECONDS)
    assert not asking.done()
    client.hangs_up.set()
    await asking


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/site.css"])
async def test_a_cookie_that_is_not_text_is_ignored(app: Quart, path: str) -> None:
    client = Client(app, path)
    client.scope["headers"].append((b"cookie", b"a=\xe9"))
    await client.ask()
    assert client.sent[0]["status"] == 200


async def test_a_password_that_is_not_text_is_wrong(app: Quart) -> None:
    client = Client(app, "/api/v1/me/enrollments")
    client.scope["headers"].append((b"authorization", b"Basic \xff\xfe"))
    await client.ask()
    assert client.sent[0]["status"] == 401


async def test_made_up_values_are_not_cached(app: Quart) -> None:
    before = _parse_cached.cache.currsize
    client = Client(app, "/", cookie="; ".join(f"a{number}=b" for number in range(200)))
    await client.ask()
    assert client.sent[0]["status"] == 200
    assert _parse_cached.cache.currsize == before
