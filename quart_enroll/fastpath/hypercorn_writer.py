"""What only Hypercorn itself knows, or could do: when it is told to stop, and how an answer goes out in one piece.

ASGI tells an application of the stop only after its last answer has ended, which is too late for answers without an
end of their own. Hypercorn knows the moment itself, whoever told it and however: a signal, its parent process, Ctrl-C
while one develops. Only what sends an answer leads there.

An answer goes out in three pieces: head, body, and an end of nothing; and each header is looked at twice. For an answer
that is ready that is half of all work. Over any other server, or HTTP/2, answers go out as ASGI has it.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from time import time
from typing import Any

import h11
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.protocol.events import StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import ASGIHTTPState, HTTPStream
from hypercorn.utils import build_and_validate_headers, suppress_body

Stop = Callable[[], Awaitable[None]]
Send = Callable[[Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

FRAMING = {b"connection", b"content-length", b"transfer-encoding"}
"""Headers that tell where an answer ends; the others are nothing to h11 but lines."""


END = b"\r\n"
"""Of a line, and of a head."""


class Whole:
    """A whole answer, ready to go out many times.

    Its headers are checked when it is made: h11.LocalProtocolError tells of one that is none.
    """

    __slots__ = ("body", "framing", "lines", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        checked = h11.Response(status_code=status, headers=build_and_validate_headers(headers)).headers.raw_items()
        framing = [(name, value) for name, value in checked if name in FRAMING]
        self.status, self.body = status, body
        self.framing = h11.Response(status_code=status, headers=framing)
        self.lines = _lines([(name, value) for name, value in checked if name not in FRAMING])

    @property
    def headers(self) -> Headers:
        """The headers, as they were told."""
        lines = [line.partition(b": ") for line in self.lines.splitlines()]
        return [*self.framing.headers, *((name, value) for name, _, value in lines)]


def stop_of(send: Any) -> Stop | None:
    """Return what waits until the server that gave `send` begins to stop; None for a server that can't tell."""
    stream = getattr(send, "__self__", None)
    return stream.context.terminated.wait if isinstance(stream, HTTPStream) else None


async def send_whole(whole: Whole, send: Send, *more: tuple[bytes, bytes]) -> None:
    """Send the answer, with `more` headers: names in lower case, and values that no stranger has written."""
    stream = getattr(send, "__self__", None)
    protocol = getattr(getattr(stream, "send", None), "__self__", None)
    if isinstance(stream, HTTPStream) and isinstance(protocol, H11Protocol):
        connection = protocol.connection
        if isinstance(connection, h11.Connection) and _is_plain(stream, protocol, connection):
            await _at_once(whole, more, stream, protocol, connection)
            return
    headers = [*whole.headers, *more]
    await send({"type": "http.response.start", "status": whole.status, "headers": headers})
    # To HEAD too, like the framework: the server knows that it must not go out.
    await send({"type": "http.response.body", "body": whole.body, "more_body": False})


def _is_plain(stream: HTTPStream, protocol: H11Protocol, connection: h11.Connection) -> bool:
    """Tell whether all of the request is there, nothing of the answer has gone out, and the connection stays."""
    return (
        stream.state is ASGIHTTPState.REQUEST
        and connection.our_state is h11.SEND_RESPONSE
        and connection.their_state is h11.DONE
        and protocol.keep_alive_requests < protocol.config.keep_alive_max_requests
    )


async def _at_once(
    whole: Whole,
    more: Iterable[tuple[bytes, bytes]],
    stream: HTTPStream,
    protocol: H11Protocol,
    connection: h11.Connection,
) -> None:
    """Do what Hypercorn does with the three pieces, with one."""
    write = connection.send
    lines = whole.lines + _lines(more) + _of_server(protocol.config, int(time()))
    data = write(whole.framing).removesuffix(END) + lines + END
    if not suppress_body(stream.scope["method"], whole.status):
        data += write(h11.Data(data=whole.body))
    data += write(h11.EndOfMessage())
    stream.state = ASGIHTTPState.CLOSED
    try:
        await protocol.send(RawData(data=data))
    except CancelledError:  # nobody waits until a client has read all of it: it gets nothing else, and is let go
        connection.send_failed()
        raise
    if stream.config.accesslog is not None:
        answer: Any = {"type": "http.response.start", "status": whole.status, "headers": whole.headers}
        await stream.config.log.access(stream.scope, answer, time() - stream.start_time)
    await stream.send(StreamClosed(stream_id=stream.stream_id))


@lru_cache(1)
def _of_server(config: Config, second: int) -> bytes:
    """Return what the server itself says, as the date, which is the same for a whole second."""
    return _lines(config.response_headers("h11"))


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s: %s\r\n" % header for header in headers)
