"""A response written at once is the same as Hypercorn's own, and the connection continues in the same way."""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import h11
import pytest
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import ConnectionState

from quart_enroll.fastpath.direct_protocol import DECLINED_KEY, DirectProtocol
from quart_enroll.fastpath.hypercorn_writer import Answer, SerializedResponse, send_response
from tests.support.processes import TIMEOUT_SECONDS

PAGE = SerializedResponse(
    200, [(b"Content-Type", b"text/html"), (b"ETag", b' W/"one" '), (b"content-length", b"5")], b"page\n"
)
UNCHANGED = SerializedResponse(304, [(b"etag", b'W/"one"'), (b"vary", b"Cookie")], b"")
NOTHING = SerializedResponse(204, [], b"")
OF_UNKNOWN_LENGTH = SerializedResponse(200, [(b"content-type", b"text/plain")], b"page\n")
TO_BE_CLOSED = SerializedResponse(200, [(b"connection", b"close"), (b"content-length", b"0")], b"")
ZIPPED = SerializedResponse(
    200, [(b"content-encoding", b"gzip"), (b"content-length", b"23")], gzip.compress(b"abc", mtime=0)
)

REQUESTS = {
    "a page": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "its head": b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the last of this client": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "an old client": b"GET / HTTP/1.0\r\n\r\n",
    "a careful client": b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n",
    "two at once": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2,
    "more than it says": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nnonsense\r\n\r\n",
    "a form": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b",
    "half a form": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na",
    "a change of the protocol": b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h9\r\nConnection: upgrade\r\n\r\n",
}

App = Callable[[Any, Any, Any], Awaitable[None]]


def _timeless() -> Config:
    config = Config()
    config.include_date_header = config.include_server_header = False
    return config


async def talk(
    app: App, said: bytes, config: Config, *, reads: bool = True, protocol_class: type[H11Protocol] = H11Protocol
) -> list[bytes | str]:
    """Return what Hypercorn writes and does when a client says that and then waits.

    One that `reads` nothing makes its writer wait.
    """
    received: list[bytes | str] = []

    async def send(event: Event) -> None:
        match event:
            case RawData(data=data):
                received.append(bytes(data))
                if not reads:
                    await asyncio.Event().wait()
            case Updated(idle=True):
                received.append("idle")
            case Closed():
                received.append("closed")

    async with asyncio.timeout(TIMEOUT_SECONDS), TaskGroup(asyncio.get_running_loop()) as group:
        client, server = ("127.0.0.1", 1), ("127.0.0.1", 2)
        context, state = WorkerContext(None), ConnectionState({})
        protocol = protocol_class(ASGIWrapper(app), config, context, group, state, False, client, server, send)
        await protocol.handle(RawData(said))
    return [one for one in received if one]


def in_one_piece(whole: SerializedResponse) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send_response(whole, send, (b"x-request-id", b"1"))

    return app


def in_three_pieces(whole: SerializedResponse) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def of_another_server(event: Any) -> None:
            await send(event)

        await send_response(whole, of_another_server, (b"x-request-id", b"1"))

    return app


@dataclass
class DirectApp:
    """An application with an `answer`, if that is its way to respond, and otherwise with a declined request."""

    whole: SerializedResponse
    can_answer: bool = True
    error: Exception | None = None
    answered: int = 0
    declined: list[Any] = field(default_factory=list)

    def prepare(self, scope: Any) -> Any:
        return {**scope, "prepared": True}

    async def answer(self, scope: Any) -> Answer | None:
        assert scope["prepared"]
        if self.error is not None:
            raise self.error
        self.answered += 1
        return Answer(self.whole, [(b"x-request-id", b"1")]) if self.can_answer else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.declined.append(scope["state"].pop(DECLINED_KEY, None))
        await in_three_pieces(self.whole)(scope, receive, send)


def read(received: list[bytes | str]) -> list[Any]:
    """Return the answers as a client understands them, in whatever order the headers are, and what the server did."""
    together: list[Any] = [b""]
    for one in received:
        if isinstance(one, bytes) and isinstance(together[-1], bytes):
            together[-1] += one
        else:
            together.append(one)
    return [_without_order(one) if isinstance(one, bytes) else one for one in together if one]


def _without_order(text: bytes) -> tuple[bytes, list[bytes], Any]:
    head, _, body = text.partition(b"\r\n\r\n")
    begin, *lines = head.split(b"\r\n")
    return begin, sorted(lines), _without_order(body) if begin == b"HTTP/1.1 100 " else body


@pytest.mark.parametrize("said", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("whole", [PAGE, UNCHANGED, NOTHING, OF_UNKNOWN_LENGTH, TO_BE_CLOSED, ZIPPED])
async def test_a_response_written_at_once_is_the_same(whole: SerializedResponse, said: bytes) -> None:
    at_once, bit_by_bit = [await talk(make(whole), said, _timeless()) for make in (in_one_piece, in_three_pieces)]
    assert read(at_once) == read(bit_by_bit)
    assert f"HTTP/1.1 {whole.status} ".encode() in b"".join(one for one in at_once if isinstance(one, bytes))


@pytest.mark.parametrize("said", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("can_answer", [True, False])
@pytest.mark.parametrize("whole", [PAGE, UNCHANGED, NOTHING, OF_UNKNOWN_LENGTH, TO_BE_CLOSED, ZIPPED])
async def test_an_answer_of_the_application_is_the_same(
    whole: SerializedResponse, can_answer: bool, said: bytes
) -> None:
    app = DirectApp(whole, can_answer)
    [directly, indirectly] = [
        await talk(app, said, _timeless(), protocol_class=DirectProtocol),
        await talk(in_three_pieces(whole), said, _timeless()),
    ]
    assert read(directly) == read(indirectly)


async def test_the_application_is_asked_only_for_plain_reads() -> None:
    asked = {}
    for name, said in REQUESTS.items():
        app = DirectApp(PAGE)
        await talk(app, said, _timeless(), protocol_class=DirectProtocol)
        asked[name] = app.answered
    assert asked == {
        "a page": 1,
        "its head": 0,
        "the last of this client": 1,
        "an old client": 1,
        "a careful client": 0,
        "two at once": 2,
        "more than it says": 1,
        "a form": 0,
        "half a form": 0,
        "a change of the protocol": 1,
    }


async def test_a_client_with_many_requests_lets_others_have_their_turn() -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class Counting(DirectApp):
        async def answer(self, scope: Any) -> Answer | None:
            seen.append(turns)
            return await super().answer(scope)

    seen: list[int] = []
    others = asyncio.create_task(take_turns())
    await talk(Counting(PAGE), REQUESTS["a page"] * 20, _timeless(), protocol_class=DirectProtocol)
    others.cancel()
    assert len(seen) == len(set(seen)) == 20


@pytest.mark.parametrize("error", [None, ValueError("a fault")])
async def test_a_declined_request_is_handled_with_the_scope_that_was_prepared(error: Exception | None) -> None:
    app = DirectApp(PAGE, can_answer=False, error=error)
    received = await talk(app, REQUESTS["two at once"], _timeless(), protocol_class=DirectProtocol)
    assert b"".join(one for one in received if isinstance(one, bytes)).count(b"page\n") == 2
    assert [one["prepared"] for one in app.declined] == [True, True]


@pytest.mark.parametrize("said", ["a page", "its head"])
async def test_the_last_request_of_a_connection_is_not_answered_directly(said: str) -> None:
    config = _timeless()
    config.keep_alive_max_requests = 0
    app = DirectApp(PAGE)
    received = await talk(app, REQUESTS[said], config, protocol_class=DirectProtocol)
    assert (app.answered, received[-1]) == (0, "closed")


async def test_a_response_is_written_at_once() -> None:
    received = await talk(in_one_piece(PAGE), REQUESTS["a page"], _timeless())
    assert received == [
        b"HTTP/1.1 200 \r\ncontent-length: 5\r\n"
        b'Content-Type: text/html\r\nETag: W/"one"\r\nx-request-id: 1\r\n\r\npage\n',
        "idle",
    ]


async def test_the_date_header_changes_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    config, said = Config(), []
    for second in (1.2, 1.9, 2.1):
        monkeypatch.setattr("hypercorn.config.time", lambda now=second: now)
        monkeypatch.setattr("quart_enroll.fastpath.hypercorn_writer.time", lambda now=second: now)
        [answer, _] = await talk(in_one_piece(NOTHING), REQUESTS["a page"], config)
        said.append(answer)
    assert [b"date: Thu, 01 Jan 1970 00:00:01 GMT\r\n" in answer for answer in said] == [True, True, False]
    assert b"date: Thu, 01 Jan 1970 00:00:02 GMT\r\n" in said[-1]


async def test_the_last_response_of_a_connection_has_connection_close() -> None:
    config = _timeless()
    config.keep_alive_max_requests = 0
    received = await talk(in_one_piece(PAGE), REQUESTS["a page"], config)
    assert read(received)[-1] == "closed"
    assert b"connection: close" in received[0]  # type: ignore[operator]


async def test_the_access_log_can_be_enabled(caplog: pytest.LogCaptureFixture) -> None:
    config = _timeless()
    config.accesslog = logging.getLogger("access")
    config.access_log_format = '%(s)s "%({etag}o)s"'
    with caplog.at_level(logging.INFO, "access"):
        await talk(in_one_piece(PAGE), REQUESTS["a page"], config)
        await talk(in_three_pieces(PAGE), REQUESTS["a page"], config)
    assert [record.getMessage() for record in caplog.records] == ['200 "W/"one""'] * 2


async def test_a_client_that_reads_too_slowly_gets_no_further_response() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await send_response(PAGE, send)

    [answer, *what_then] = await talk(app, REQUESTS["two at once"], _timeless(), reads=False)
    assert answer[:13] == b"HTTP/1.1 200 "
    assert set(what_then) == {"closed"}


def test_an_invalid_header_is_refused() -> None:
    with pytest.raises(h11.LocalProtocolError):
        SerializedResponse(200, [(b"x-name", b"a\r\nset-cookie: b")], b"")
