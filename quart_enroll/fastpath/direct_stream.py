"""Write a stream straight to its connection.

While a stream is open, Hypercorn would keep the request, its protocol objects, two tasks and their buffers in memory,
and each text would pass through all of them. Instead, the stream takes over the connection after the framework has made
the head of the response. The connection ends with the stream. Under any other server or protocol, or when the server
keeps an access log, the stream is sent the ASGI way.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, cast

import h11
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import build_and_validate_headers
from quart import Response
from quart.utils import encode_headers

from quart_enroll.db.client import DATABASE_REFUSED, DATABASE_UNAVAILABLE
from quart_enroll.fastpath.push_stream import SOURCE_KEY, Channel, Source
from quart_enroll.fastpath.streaming import MAX_SEND_SECONDS

CLOSE = (b"connection", b"close")
LAST_CHUNK = b"0\r\n\r\n"

logger = logging.getLogger(__name__)


class Connection(Protocol):
    """A server's connection that a stream can take over, such as server.connections.ClientConnection."""

    writer: asyncio.StreamWriter

    @property
    def can_hand_over(self) -> bool:
        """Whether the client is still there."""

    def hand_over(self, protocol: asyncio.Protocol) -> Callable[[], None]:
        """Let the protocol have the transport, and return what it must call when it has lost the connection."""


def send_directly(scope: Any, response: Response, send: Any) -> bool:
    """Begin to send the stream of this response, if it has a source; return False if it must be sent another way."""
    source: Source | None = scope.pop(SOURCE_KEY, None)
    stream = getattr(send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    connection: Any = getattr(getattr(protocol, "send", None), "__self__", None)
    if source is None or not isinstance(stream, HTTPStream) or not isinstance(protocol, H11Protocol):
        return False
    if not hasattr(connection, "hand_over") or not _can_take_over(stream, protocol, connection):
        return False
    headers = [*build_and_validate_headers(encode_headers(response.headers)), *protocol.config.response_headers("h11")]
    http = cast("h11.Connection", protocol.connection)
    head = http.send(h11.Response(status_code=response.status_code, headers=[*headers, CLOSE]))
    stream.state, stream.closed = ASGIHTTPState.CLOSED, True  # Hypercorn has nothing more to send
    DirectChannel(source, connection, head)
    return True


def _can_take_over(stream: HTTPStream, protocol: H11Protocol, connection: Connection) -> bool:
    """Tell whether the request is complete and the client is there, waiting for this response alone."""
    http = protocol.connection
    return (
        isinstance(http, h11.Connection)
        and stream.scope["method"] == "GET"
        and stream.state is ASGIHTTPState.REQUEST
        and stream.config.accesslog is None
        and http.our_state is h11.SEND_RESPONSE
        and http.their_state is h11.DONE
        and http.their_http_version == b"1.1"
        and not http.trailing_data[0]
        and connection.can_hand_over
    )


class DirectChannel(Channel, asyncio.Protocol):
    """A stream that has taken over its connection: each text is one chunk of the body."""

    __slots__ = ("_deadline", "_is_paused", "_on_lost", "_source", "_transport", "_writer")

    def __init__(self, source: Source, connection: Connection, head: bytes) -> None:
        self._source = source
        self._is_paused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._writer = connection.writer  # which would close the transport when it is deleted
        self._transport = connection.writer.transport
        self._on_lost = connection.hand_over(self)
        self._transport.write(head)
        source.start(self)

    @property
    def is_ready(self) -> bool:
        return not self._is_paused

    def write(self, text: str) -> None:
        data = text.encode()
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self._transport.write(LAST_CHUNK)
        self._transport.close()
        self._limit_time()

    def abort(self, error: Exception) -> None:
        expected = isinstance(error, (DATABASE_REFUSED, *DATABASE_UNAVAILABLE))
        logger.warning("stream broken off: %s", type(error).__name__, exc_info=None if expected else error)
        self._transport.abort()

    def pause_writing(self) -> None:
        """Note that the client doesn't read as fast as the stream is written."""
        self._is_paused = True
        self._limit_time()

    def resume_writing(self) -> None:
        """Note that the client has read most of it."""
        self._is_paused = False
        self._forget_deadline()
        self._source.resume()

    def connection_lost(self, _: Exception | None) -> None:
        """End the stream."""
        self._forget_deadline()
        self._source.disconnect()
        self._on_lost()

    def _limit_time(self) -> None:
        """Drop the client unless it soon reads what is waiting for it."""
        self._forget_deadline()
        self._deadline = asyncio.get_running_loop().call_later(MAX_SEND_SECONDS, self._transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
