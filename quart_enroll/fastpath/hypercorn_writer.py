"""Write a complete response to Hypercorn at once.

Under ASGI a response is sent in three messages (head, body and an empty end), and each header is checked twice: half
of the work for a response that is ready. Under any other server, or over HTTP/2, responses are sent the ASGI way.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from time import time
from typing import Any, NamedTuple

import h11
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import build_and_validate_headers, suppress_body

Send = Callable[[Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

FRAMING_HEADERS = {b"connection", b"content-length", b"transfer-encoding"}
"""Headers that determine where a response ends; h11 only copies the others."""

CRLF = b"\r\n"


class SerializedResponse:
    """A complete response whose headers are checked and serialized once, to be sent many times.

    Raises h11.LocalProtocolError for an invalid header.
    """

    __slots__ = ("body", "framing", "framing_headers", "header_lines", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        checked = h11.Response(status_code=status, headers=build_and_validate_headers(headers)).headers.raw_items()
        self.status, self.body = status, body
        self.framing_headers = tuple((name, value) for name, value in checked if name in FRAMING_HEADERS)
        self.framing = _framing(status, self.framing_headers)
        self.header_lines = _serialize([(name, value) for name, value in checked if name not in FRAMING_HEADERS])

    def with_body(self, body: bytes) -> "SerializedResponse":
        """Return a response with the same headers, and with this body."""
        response = object.__new__(SerializedResponse)
        response.status, response.body, response.header_lines = self.status, body, self.header_lines
        response.framing_headers = (*self.framing_headers, (b"content-length", b"%d" % len(body)))
        response.framing = _framing(self.status, response.framing_headers)
        return response

    @property
    def headers(self) -> Headers:
        lines = [line.partition(b": ") for line in self.header_lines.splitlines()]
        return [*self.framing_headers, *((name, value) for name, _, value in lines)]


class Answer(NamedTuple):
    """A complete response, with the headers that only it has."""

    response: SerializedResponse
    more: Headers


async def send_response(response: SerializedResponse, send: Send, *more: tuple[bytes, bytes]) -> None:
    """Send the response with `more` headers, which must have lowercase names and trusted values."""
    stream = getattr(send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    if isinstance(stream, HTTPStream) and isinstance(protocol, H11Protocol):
        connection = protocol.connection
        if isinstance(connection, h11.Connection) and _can_write_at_once(stream, protocol, connection):
            await _write_at_once(response, more, stream, protocol, connection)
            return
    headers = [*response.headers, *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    # The body is sent to HEAD requests too, as the framework does: the server discards it.
    await send({"type": "http.response.body", "body": response.body, "more_body": False})


def _can_write_at_once(stream: HTTPStream, protocol: H11Protocol, connection: h11.Connection) -> bool:
    """Tell whether the request is complete, nothing has been sent yet, and the connection stays open."""
    return (
        stream.state is ASGIHTTPState.REQUEST
        and connection.our_state is h11.SEND_RESPONSE
        and connection.their_state is h11.DONE
        and protocol.keep_alive_requests < protocol.config.keep_alive_max_requests
    )


def serialize(
    response: SerializedResponse,
    more: Iterable[tuple[bytes, bytes]],
    method: str,
    connection: h11.Connection,
    config: Config,
) -> bytes:
    """Return the bytes of the response, with `more` headers and the server's own, and count it as sent."""
    write = connection.send
    lines = response.header_lines + _serialize(more) + _server_header_lines(config, int(time()))
    data = [write(response.framing).removesuffix(CRLF), lines, CRLF]
    if not suppress_body(method, response.status):
        data.append(write(h11.Data(data=response.body)))
    data.append(write(h11.EndOfMessage()))
    return b"".join(data)


async def _write_at_once(
    response: SerializedResponse,
    more: Iterable[tuple[bytes, bytes]],
    stream: HTTPStream,
    protocol: H11Protocol,
    connection: h11.Connection,
) -> None:
    """Do what Hypercorn does for the three messages in a single write."""
    data = serialize(response, more, stream.scope["method"], connection, protocol.config)
    stream.state = ASGIHTTPState.CLOSED
    try:
        await protocol.send(RawData(data=data))
    except CancelledError:  # the client is too slow to read the response: it gets no more, and the connection closes
        connection.send_failed()
        raise
    if stream.config.accesslog is not None:
        start: Any = {"type": "http.response.start", "status": response.status, "headers": response.headers}
        await stream.config.log.access(stream.scope, start, time() - stream.start_time)
    await stream.send(StreamClosed(stream_id=stream.stream_id))


@lru_cache(1000)  # of some 1.5 kB
def _framing(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> h11.Response:
    """Return h11's object for the headers, which it takes 10 µs to check."""
    return h11.Response(status_code=status, headers=list(headers))


@lru_cache(1)
def _server_header_lines(config: Config, second: int) -> bytes:
    """Return the server's own headers, such as the date, which stay the same for a whole second."""
    return _serialize(config.response_headers("h11"))


def _serialize(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s: %s\r\n" % header for header in headers)
