"""Sockets of clients that have gone or don't read are closed, and changes to other protocols are refused."""

import asyncio
import resource
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from functools import wraps
from typing import Any

import hypercorn.asyncio.run
import pytest
import uvloop
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config, Sockets

from quart_enroll.server import connections
from quart_enroll.server.connections import ClientConnections
from quart_enroll.services.live import updates
from quart_enroll.web.uploads import ADMIT_KEY
from tests.support.processes import TIMEOUT_SECONDS

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
FORM = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)

App = Callable[[Any, Any, Any], Awaitable[None]]


def on_uvloop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test on the event loop that serves the site."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class Server:
    """Hypercorn with the site's connections, on a free port."""

    def __init__(self, connections: ClientConnections, port: int, stop: asyncio.Event) -> None:
        self.connections, self.port, self.stop = connections, port, stop
        self._writers: list[asyncio.StreamWriter] = []

    async def client(self, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, and send that."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        writer.write(said)
        return reader, writer

    async def leave(self) -> None:
        """Disconnect all clients that are still connected."""
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def reader_of_nothing(self, said: bytes) -> socket.socket:
        """Connect, send that, and read nothing of the response."""
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(said)
        return client

    async def has_open(self, number: int) -> None:
        """Wait until so many connections are open."""
        await until(lambda: self.connections._open == number)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not is_so():  # noqa: ASYNC110  # the site needs no event for it
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(
    app: App, monkeypatch: pytest.MonkeyPatch, limit: int = 100, keep_alive_timeout: float = 1000
) -> AsyncIterator[Server]:
    """Serve the application as Hypercorn does in each process."""
    connections, stop = ClientConnections(limit), asyncio.Event()
    monkeypatch.setattr(hypercorn.asyncio.run, "TCPServer", connections)
    config = Config.from_mapping(keep_alive_timeout=keep_alive_timeout, graceful_timeout=1000, errorlog=None)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serve = hypercorn.asyncio.run.worker_serve(
            ASGIWrapper(app), config, sockets=Sockets([], [listening], []), shutdown_trigger=stop.wait
        )
        task = asyncio.create_task(serve)
        server = Server(connections, listening.getsockname()[1], stop)
        try:
            yield server
        finally:
            await server.leave()
            stop.set()
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await task


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer each request once all of it has arrived."""
    if scope["type"] == "http":
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            await answer(send, b"hello")


async def forever(scope: Any, receive: Any, send: Any) -> None:
    """Begin a response that ends when the client has disconnected."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass


async def flood(scope: Any, receive: Any, send: Any) -> None:
    """Send a response larger than all buffers between server and client."""
    if scope["type"] == "http":
        await answer(send, bytes(50_000_000))


async def answer(send: Any, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (hello, GET),
        (hello, GET + GET),
        (hello, FORM),
        (hello, b""),
        (hello, GET[:20]),
        (hello, FORM[:-1]),
        (forever, GET),
        (forever, GET + GET),
        (forever, GET.replace(b"\r\n\r\n", b"\r\n" + H2C + b"\r\n")),
    ],
)
@pytest.mark.parametrize("how", ["closes", "closes one half", "resets"])
@on_uvloop
async def test_a_disconnected_client_leaves_no_socket(
    app: App, said: bytes, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(app, monkeypatch) as server:
        reader, writer = await server.client(said)
        await server.has_open(1)
        if said.endswith(b"\r\n\r\n"):
            await reader.readuntil(b"hello")
        if how == "closes one half":
            writer.write_eof()
            await reader.read()
        elif how == "resets":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        await server.has_open(0)


@on_uvloop
async def test_a_client_that_half_closes_still_gets_its_response(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(hello, monkeypatch) as server:
        reader, writer = await server.client(GET)
        writer.write_eof()
        assert (await reader.read()).endswith(b"hello")


@pytest.mark.parametrize("said", [GET, GET * 20])
@on_uvloop
async def test_a_client_that_reads_nothing_is_dropped(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.1)
    async with serving(flood, monkeypatch) as server:
        with closing(server.reader_of_nothing(said)):
            await server.has_open(1)
            await server.has_open(0)


@on_uvloop
async def test_a_long_response_arrives_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(flood, monkeypatch) as server:
        reader, _ = await server.client(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(50_000_000)
        assert (head[:12], set(body)) == (b"HTTP/1.1 200", {0})


@on_uvloop
async def test_clients_that_read_nothing_do_not_delay_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.1)
    began = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        began.set()
        await flood(scope, receive, send)

    async with serving(app, monkeypatch) as server:
        with closing(server.reader_of_nothing(GET)):
            await began.wait()
            server.stop.set()
            await server.has_open(0)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
@pytest.mark.parametrize("upgrade", [H2C, WEBSOCKET, H2C.replace(b"h2c", b"H2C"), b"Upgrade: h2c\r\n"])
@on_uvloop
async def test_an_upgrade_is_ignored(method: bytes, upgrade: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(hello, monkeypatch) as server:
        reader, writer = await server.client(
            GET.replace(b"GET", method).replace(b"\r\n\r\n", b"\r\n" + upgrade + b"\r\n")
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert b"upgrade" not in (await reader.readuntil(b"\r\n\r\n")).lower()
        writer.write(GET)  # and the connection goes on
        assert b"HTTP/1.1 200" in await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    "said", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GET.replace(b"1.1", b"2.0"), GET.replace(b"1.1", b"0.9")]
)
@on_uvloop
async def test_other_versions_of_http_are_refused(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(hello, monkeypatch) as server:
        reader, _ = await server.client(said)
        assert (await reader.read()).startswith(b"HTTP/1.1 505")


@pytest.mark.parametrize("is_stopping", [False, True])
@on_uvloop
async def test_idle_connections_are_closed_and_busy_ones_are_not(
    is_stopping: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def slow_second(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/slow":
                await answered.wait()
            await answer(send, b"hello")

    async with serving(slow_second, monkeypatch, keep_alive_timeout=1000 if is_stopping else 0.01) as server:
        busy, _ = await server.client(GET.replace(b"/ ", b"/slow "))
        idle, _ = await server.client(GET)
        await idle.readuntil(b"hello")
        if is_stopping:
            server.stop.set()
        assert await idle.read() == b""
        await server.has_open(1)
        answered.set()
        assert (await busy.read()).endswith(b"hello")


@on_uvloop
async def test_idle_connections_make_room_for_new_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(hello, monkeypatch, limit=2) as server:
        clients = []
        for _ in range(5):
            reader, _ = await server.client(GET)
            await reader.readuntil(b"hello")
            clients.append(reader)
        assert [await reader.read() for reader in clients[:3]] == [b"", b"", b""]
        await server.has_open(2)
    assert [record.getMessage() for record in caplog.records] == [
        "all 2 connections that the file descriptor limit allows are open: closing idle ones for new ones"
    ]


@on_uvloop
async def test_busy_connections_do_not_make_room_until_they_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(forever, monkeypatch, limit=2) as server:
        _, one = await server.client(GET)
        await server.client(GET)
        await server.has_open(2)
        for _ in range(3):
            reader, _ = await server.client(GET)
            with suppress(ConnectionError):
                assert await reader.read() == b""
        one.close()
        await server.has_open(1)
        reader, _ = await server.client(GET)
        await reader.readuntil(b"hello")
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["refusing new ones"]


@on_uvloop
async def test_incomplete_requests_make_room_and_complete_ones_do_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(forever, monkeypatch, limit=2) as server:
        complete, writer = await server.client(FORM[:-1])
        await complete.readuntil(b"hello")
        incomplete, _ = await server.client(FORM[:-1])
        await incomplete.readuntil(b"hello")
        writer.write(FORM[-1:])
        await until(lambda: len(server.connections._waiting) == 1)
        answered, _ = await server.client(GET)
        await answered.readuntil(b"hello")
        with suppress(ConnectionError):
            await incomplete.read()
        refused, _ = await server.client(GET)
        with suppress(ConnectionError):
            assert await refused.read() == b""
        await server.has_open(2)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "closing idle ones for new ones",
        "refusing new ones",
    ]


@pytest.mark.parametrize(
    "said",
    [GET[:-2] + b"X: " + bytes(400).hex().encode(), FORM.replace(b"3", b"9999") + bytes(800), GET + GET + bytes(800)],
)
@on_uvloop
async def test_incomplete_requests_fill_no_memory(
    said: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "MAX_UNFINISHED_BYTES", 2500)
    async with serving(forever, monkeypatch) as server:
        for number in range(1, 6):
            await server.client(said)
            await until(lambda number=number: server.connections._open == min(number, 2))
        assert 800 < server.connections._unfinished_bytes <= 2500
        for _ in range(5):
            reader, _ = await server.client(FORM)
            await reader.readuntil(b"hello")
        await server.leave()
        await server.has_open(0)
        assert server.connections._unfinished_bytes == 0
    assert [record.getMessage() for record in caplog.records] == [
        "clients have sent more than 2500 bytes of incomplete requests: dropping the oldest"
    ]


@on_uvloop
async def test_a_long_body_is_read_once_the_application_has_admitted_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_UNFINISHED_BYTES", 300_000)
    length = 5_000_000
    arrived, may_admit, received = asyncio.Event(), asyncio.Event(), bytearray()

    async def upload(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            arrived.set()
            await may_admit.wait()
            scope["state"][ADMIT_KEY]()
            while (message := await receive()).get("more_body"):
                received.extend(message["body"])
            await answer(send, b"hello")

    async with serving(upload, monkeypatch) as server:
        reader, writer = await server.client(FORM[:-3].replace(b"3", b"%d" % length))
        await arrived.wait()
        writer.write(bytes(length))
        await until(lambda: server.connections._unfinished_bytes > connections.MAX_UNADMITTED_BYTES)
        may_admit.set()
        await reader.readuntil(b"hello")
        assert len(received) == length
        assert server.connections._unfinished_bytes == 0


@on_uvloop
async def test_a_file_that_is_refused_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(scope: Any, _: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["state"][ADMIT_KEY]()
            await answer(send, b"too large")

    async with serving(refuse, monkeypatch) as server:
        reader, writer = await server.client(FORM[:-3].replace(b"3", b"20000000"))
        writer.write(bytes(20_000_000))
        await writer.drain()  # only then do browsers read the response
        assert (await reader.read()).endswith(b"too large")  # then the server closes the connection
        await server.has_open(0)
        monkeypatch.setattr(connections, "MAX_DISCARDED_BYTES", 1_000_000)
        with suppress(ConnectionError):
            _, writer = await server.client(FORM[:-3].replace(b"3", b"20000000"))
            writer.write(bytes(20_000_000))
            await writer.drain()
        await server.has_open(0)


@on_uvloop
async def test_a_long_body_that_is_not_admitted_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(hello, monkeypatch) as server:
        await server.client(FORM[:-3].replace(b"3", b"5000000") + bytes(5_000_000))
        await until(lambda: server.connections._unfinished_bytes > connections.MAX_UNADMITTED_BYTES)
        assert server.connections._unfinished_bytes < 2 * connections.MAX_UNADMITTED_BYTES
        monkeypatch.setattr(connections, "MAX_UNFINISHED_BYTES", 0)
        await server.client(GET[:10])
        await server.has_open(0)


@on_uvloop
async def test_a_long_body_can_be_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = asyncio.Event()

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await may_answer.wait()
            await answer(send, b"hello")

    async with serving(refuse, monkeypatch) as server:
        reader, _ = await server.client(FORM[:-3].replace(b"3", b"5000000") + bytes(5_000_000))
        await until(lambda: server.connections._unfinished_bytes > connections.MAX_UNADMITTED_BYTES)
        may_answer.set()
        await reader.readuntil(b"hello")
        await server.has_open(0)


@on_uvloop
async def test_a_request_with_two_lengths_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(hello, monkeypatch) as server:
        chunked = FORM.replace(b"\r\n\r\na=b", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        reader, _ = await server.client(chunked + GET)
        answer = await reader.read()
        assert (answer[:12], answer.count(b"HTTP/1.1")) == (b"HTTP/1.1 400", 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), 4096),
        ((1024, 1_048_576), connections.MAX_FILE_DESCRIPTORS),
        ((1024, resource.RLIM_INFINITY), connections.MAX_FILE_DESCRIPTORS),
        ((100_000, 200_000), 100_000),
    ],
)
def test_the_limit_of_file_descriptors_is_raised(
    before: tuple[int, int], after: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    assert connections.raise_file_limit() == limits[-1][0] == after
    assert [record.getMessage() for record in caplog.records] == (
        []
        if after > updates.MAX_OPEN_PAGES
        else [
            "4096 file descriptors are too few for 5000 open pages in each process: "
            "raise the hard limit to 5250 (ulimit -n)"
        ]
    )


def test_the_limit_is_enough_for_the_open_pages_of_a_process() -> None:
    assert connections.MIN_LIVE_PAGES == updates.MAX_OPEN_PAGES
