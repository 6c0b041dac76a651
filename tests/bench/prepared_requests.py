"""Send prepared requests, each exactly once, over keep-alive connections as a router does.

wrk can't send each request once, at its own time, and tell which response belongs to which request. An asyncio client
costs as much CPU time as the site; this one takes some 20 µs for a request.
"""

import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

RESPONSE_TIMEOUT_SECONDS = 60.0
"""Seconds without any response after which the others count as missing."""

_END_OF_HEAD = b"\r\n\r\n"
_RECEIVED_BYTES = 262_144


@dataclass(slots=True)
class Exchange:
    """A request and its response; `status` is 0 if there was none. Times are those of time.monotonic()."""

    due_at: float = 0.0
    sent_at: float = 0.0
    finished_at: float = 0.0
    status: int = 0
    head: bytes = b""
    body: bytes = b""

    @property
    def seconds(self) -> float:
        """The time from the moment when the request was due until its whole response had arrived."""
        return self.finished_at - self.due_at

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response, apart from cookies."""
        return {name: value for name, value in self._pairs() if name != "set-cookie"}

    @property
    def cookies(self) -> list[str]:
        """The values of the Set-Cookie headers."""
        return [value for name, value in self._pairs() if name == "set-cookie"]

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for line in self.head.decode().split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            yield name.lower(), value


@dataclass(frozen=True, slots=True)
class Sent:
    """All exchanges in the order of their requests, the time they took, and the CPU time of this client."""

    exchanges: Sequence[Exchange]
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return len(self.exchanges) / self.seconds

    def count(self, low: int, high: int) -> int:
        """Return the number of responses with a status from `low` to below `high`."""
        return sum(low <= one.status < high for one in self.exchanges)


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    exchange: Exchange | None = None
    received: bytearray = field(default_factory=bytearray)
    length: int = -1


def prepare(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def send_all(port: int, requests: Sequence[bytes], connections: int, delays: Sequence[float] = ()) -> Sent:
    """Send each request once, and return all exchanges after the last response.

    At most `connections` are open at a time; all are opened before the first request. `delays` are the seconds, in
    ascending order, after which each request is due; without them, each is due as soon as a connection is idle.
    """
    exchanges = [Exchange() for _ in requests]
    with ExitStack() as stack:
        idle = deque(_connect(stack, port) for _ in range(min(connections, len(requests))))
        poll = select.epoll()
        stack.callback(poll.close)
        by_descriptor = {one.socket.fileno(): one for one in idle}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        cpu_before, started = time.process_time(), time.monotonic()
        finished, waiting = 0, deque(range(len(requests)))
        last_response_at = started
        while finished < len(requests):
            now = time.monotonic()
            while waiting and idle and (not delays or started + delays[waiting[0]] <= now):
                number = waiting.popleft()
                exchanges[number].due_at = started + delays[number] if delays else now
                _send(idle.popleft(), exchanges[number], requests[number])
            pause = max(0.0, started + delays[waiting[0]] - now) if delays and waiting and idle else 1.0
            for descriptor, _ in poll.poll(pause):
                connection = by_descriptor[descriptor]
                if _receive(connection):
                    finished += 1
                    idle.append(connection)
                    last_response_at = time.monotonic()
            if (
                time.monotonic() - max(last_response_at, started + (delays[-1] if delays else 0))
                > RESPONSE_TIMEOUT_SECONDS
            ):
                break
        return Sent(exchanges, time.monotonic() - started, time.process_time() - cpu_before)


def _connect(stack: ExitStack, port: int) -> _Connection:
    opened = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _Connection(opened)


def _send(connection: _Connection, exchange: Exchange, request: bytes) -> None:
    connection.exchange = exchange
    exchange.sent_at = time.monotonic()
    connection.socket.sendall(request)


def _receive(connection: _Connection) -> bool:
    """Read what has arrived; return whether the response is complete."""
    exchange = connection.exchange
    block = connection.socket.recv(_RECEIVED_BYTES)
    if not block or exchange is None:
        raise ConnectionError(f"The site closed a connection: {bytes(connection.received)!r}")
    connection.received += block
    if connection.length < 0:
        end = connection.received.find(_END_OF_HEAD)
        if end < 0:
            return False
        exchange.head = bytes(connection.received[:end])
        exchange.status = int(exchange.head[9:12])
        del connection.received[: end + len(_END_OF_HEAD)]
        connection.length = _content_length(exchange.head)
    if len(connection.received) < connection.length:
        return False
    exchange.finished_at = time.monotonic()
    exchange.body = bytes(connection.received)
    connection.received.clear()
    connection.length, connection.exchange = -1, None
    return True


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length: ")
    if not found:
        raise ConnectionError(f"A response has no length: {head!r}")
    return int(rest.partition(b"\r\n")[0])
