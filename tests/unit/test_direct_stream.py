"""A stream takes over its connection from Hypercorn, and every other server sends it the ASGI way."""

import asyncio
import gc
import logging
from contextlib import closing
from functools import partial
from typing import Any

import hypercorn.asyncio.run
import pytest
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from quart import Quart, Request, Response

from quart_enroll.fastpath import direct_stream
from quart_enroll.fastpath.asgi_connection import FastConnection
from quart_enroll.fastpath.push_stream import Channel, push_response
from quart_enroll.server.connections import ClientConnection
from tests.support.processes import TIMEOUT_SECONDS
from tests.unit.test_connections import Server, on_uvloop, serving, until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Source:
    """A stream that says hello, and then what the test writes; its timer keeps the context in which it started."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.resumed = asyncio.Event()
        self.disconnected = asyncio.Event()

    def start(self, channel: Channel) -> None:
        self.channels.append(channel)
        channel.write("hello\n")
        self.timer = asyncio.get_running_loop().call_later(3600, lambda: None)

    def resume(self) -> None:
        self.resumed.set()

    def disconnect(self) -> None:
        self.disconnected.set()
        self.timer.cancel()


def make_app(source: Source, *, fastpath: bool = True) -> Any:
    app = Quart(__name__)
    app.config["FASTPATH"] = fastpath
    if fastpath:
        app.asgi_http_class = partial(FastConnection, page_views=None, button_posts=None)  # type: ignore[assignment]

    @app.get("/")
    async def stream() -> Response:
        return push_response(source, "text/event-stream")

    return app


def is_direct(channel: Channel) -> bool:
    """Tell whether the stream has taken over its connection."""
    return isinstance(channel, direct_stream.DirectChannel)


async def read_until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return await reader.readuntil(end)


async def begin(server: Server, source: Source, request: bytes = GET) -> tuple[asyncio.StreamReader, Channel]:
    """Request the stream, read its first chunk, and return the reader and the channel."""
    reader, _ = await server.client(request)
    await read_until(reader, b"hello\n\r\n")
    return reader, source.channels[-1]


@pytest.mark.parametrize("fastpath", [True, False])
@on_uvloop
async def test_a_stream_is_the_same_both_ways(monkeypatch: pytest.MonkeyPatch, *, fastpath: bool) -> None:
    source = Source()
    async with serving(make_app(source, fastpath=fastpath), monkeypatch) as server:
        reader, _ = await server.client(GET)
        head = (await read_until(reader, b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 ")
        assert b"content-type: text/event-stream\r\n" in head
        assert b"transfer-encoding: chunked\r\n" in head
        assert b"date: " in head
        assert await read_until(reader, b"hello\n\r\n") == b"6\r\nhello\n\r\n"
        [channel] = source.channels
        assert is_direct(channel) is fastpath
        assert (b"connection: close\r\n" in head) is fastpath
        channel.write("\u00f1\n")
        assert await read_until(reader, b"\n\r\n") == "3\r\n\u00f1\n\r\n".encode()
        channel.end()
        assert await read_until(reader, b"0\r\n\r\n") == b"0\r\n\r\n"
        if fastpath:
            assert await reader.read() == b""  # closed


@pytest.mark.parametrize(
    "request_text",
    [
        GET.replace(b"1.1", b"1.0"),
        GET + GET,
        GET.replace(b"localhost\r\n", b"localhost\r\nContent-Length: 0\r\n"),
    ],
)
@on_uvloop
async def test_an_unusual_request_is_answered_the_asgi_way(
    monkeypatch: pytest.MonkeyPatch, request_text: bytes
) -> None:
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        reader, _ = await server.client(request_text)
        await read_until(reader, b"hello\n")
        [channel] = source.channels
        assert not is_direct(channel)
        channel.end()


@on_uvloop
async def test_a_head_request_starts_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        reader, _ = await server.client(GET.replace(b"GET", b"HEAD") + GET.replace(b"/ ", b"/nowhere "))
        assert b" 200 " in await read_until(reader, b"\r\n\r\n")
        assert (await read_until(reader, b"\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
    assert source.channels == []


@on_uvloop
async def test_with_an_access_log_the_stream_is_sent_the_asgi_way(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    app = make_app(source)

    async def with_log(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            send.__self__.config.accesslog = logging.getLogger("access")
        await app(scope, receive, send)

    async with serving(with_log, monkeypatch) as server:
        _, channel = await begin(server, source)
        assert not is_direct(channel)
        channel.end()


@on_uvloop
async def test_hypercorns_own_connections_send_the_stream_the_asgi_way(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        monkeypatch.setattr(hypercorn.asyncio.run, "TCPServer", TCPServer)
        reader, channel = await begin(server, source)
        assert not is_direct(channel)
        channel.end()
        await read_until(reader, b"0\r\n\r\n")


@on_uvloop
async def test_an_open_stream_keeps_nothing_of_its_request_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_forgotten() -> bool:
        gc.collect()
        kept = {HTTPStream, H11Protocol, ClientConnection, Request}
        return not any(type(one) in kept for one in gc.get_objects())  # isinstance would ask dead proxies

    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        reader, channel = await begin(server, source)
        await until(is_forgotten)
        await server.has_open(1)
        channel.write("still here\n")
        await read_until(reader, b"still here\n\r\n")
        channel.end()
        await server.has_open(0)


@on_uvloop
async def test_a_stream_ends_when_its_client_disconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        await begin(server, source)
        await server.leave()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await source.disconnected.wait()
        await server.has_open(0)


@on_uvloop
async def test_a_client_sees_that_a_stream_was_broken_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        reader, channel = await begin(server, source)
        channel.abort(ConnectionError("the database is gone"))
        assert b"0\r\n\r\n" not in await reader.read()
        await server.has_open(0)
    assert "stream broken off: ConnectionError" in caplog.text


@on_uvloop
async def test_a_slow_client_has_to_catch_up_before_it_gets_more(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        reader, channel = await begin(server, source)
        number = fill(channel)
        assert not channel.is_ready
        received = 0
        while not channel.is_ready:
            received += (await reader.read(1_000_000)).count(b"x")
        assert source.resumed.is_set()
        channel.end()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            received += (await reader.read()).count(b"x")
        assert received == number


@on_uvloop
async def test_a_client_that_reads_nothing_of_a_stream_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_stream, "MAX_SEND_SECONDS", 0.1)
    source, other_source = Source(), Source()
    async with serving(make_app(source), monkeypatch) as server, serving(make_app(other_source), monkeypatch) as other:
        reader, other_channel = await begin(other, other_source)
        with closing(server.reader_of_nothing(GET)):
            await until(lambda: bool(source.channels))
            fill(source.channels[0])
            other_channel.write("not delayed\n")
            await read_until(reader, b"not delayed\n\r\n")
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await source.disconnected.wait()
        await server.has_open(0)
        other_channel.end()


@on_uvloop
async def test_a_client_that_does_not_read_the_end_of_a_stream_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_stream, "MAX_SEND_SECONDS", 0.1)
    source = Source()
    async with serving(make_app(source), monkeypatch) as server:
        with closing(server.reader_of_nothing(GET)):
            await until(lambda: bool(source.channels))
            fill(source.channels[0])
            source.channels[0].end()
            await server.has_open(0)


def fill(channel: Channel) -> int:
    """Write more than the client's and the server's buffers can hold; return how many letters."""
    number = 0
    while channel.is_ready or number < 20_000_000:
        channel.write("x" * 100_000)
        number += 100_000
    return number
