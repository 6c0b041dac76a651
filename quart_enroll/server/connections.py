"""Client connections, with fixes for those that Hypercorn would leave open.

Hypercorn keeps the socket of a client that has gone until its keep-alive timeout, waits forever for a client that does
not read, lets a client change the protocol, and refuses connections as soon as it is told to stop. Here a socket is
freed as soon as its client has gone, a client that reads nothing is dropped, only HTTP/1 is spoken, and new connections
are served for another moment after SIGTERM. When there are as many connections as the file descriptor limit allows, the
one that has been idle longest is closed for the new one; libuv would silently close the new one.

All code that relies on Hypercorn's internals is in this module and in fastpath/.
"""

import asyncio
import logging
import resource
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from functools import cache
from typing import Any

import h11
import hypercorn.asyncio.run
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from quart_enroll.web.uploads import ADMIT_KEY

STALLED_SECONDS = 10.0
"""How long a client may read nothing of a response before it is disconnected; shutdown waits no longer either."""

DRAIN_SECONDS = 3.0
"""How long a process serves after SIGTERM before it closes its sockets: routers learn of its end a moment later."""

MIN_LIVE_PAGES = 5000
"""Live pages for which each process must have room; each needs a connection."""

RESERVED_FILES = 250
"""File descriptors for everything but clients: the database's connections, slots, templates, logs."""

MAX_FILE_DESCRIPTORS = 65_536
"""The soft limit to ask for, if the hard limit allows it: more than clients can use."""

LOG_PAUSE_SECONDS = 10.0
"""Seconds between two log lines about too many connections."""

MAX_UNFINISHED_BYTES = 4_000_000
"""Bytes of incomplete requests that all clients together may have sent; beyond it, the oldest requests are dropped. A
form has a few hundred bytes and rarely arrives in two parts. Files that the application has admitted don't count."""

MAX_UNADMITTED_BYTES = 128 * 1024
"""Bytes of a request's body that are read before the application has admitted or answered it: no form is as long."""

MAX_DISCARDED_BYTES = 256 * 2**20
"""Bytes of a refused file that are still read, so that the browser gets to read the reason."""

DISCARD_SECONDS = 120.0
"""How long the rest of a refused file is read."""

HTTP_VERSIONS = {b"1.0", b"1.1"}

logger = logging.getLogger(__name__)


def raise_file_limit() -> int:
    """Raise the soft limit on file descriptors, log if it is still too low for the open pages, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILE_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_FILE_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS has a limit of its own below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_FILE_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    if limit < MIN_LIVE_PAGES + RESERVED_FILES:
        logger.warning(
            "%d file descriptors are too few for %d open pages in each process: raise the hard limit to %d (ulimit -n)",
            limit,
            MIN_LIVE_PAGES,
            MIN_LIVE_PAGES + RESERVED_FILES,
        )
    return limit


def install(file_limit: int) -> None:
    """Make Hypercorn use these connections, as many as the limit allows."""
    connections = client_connections()
    connections.limit = max(file_limit - RESERVED_FILES, file_limit // 2)
    hypercorn.asyncio.run.TCPServer = connections  # type: ignore[attr-defined,assignment]


@cache
def client_connections() -> "ClientConnections":
    """Return the connections of this process."""
    return ClientConnections()


class ClientConnections:
    """All connections of this process, at most `limit`."""

    def __init__(self, limit: int = MAX_FILE_DESCRIPTORS) -> None:
        self.limit = limit
        self._is_draining = False
        self._open = 0
        self._waiting: dict[ClientConnection, None] = {}  # the one that has waited longest for its client comes first
        self._unfinished: dict[ClientConnection, int] = {}  # bytes of an incomplete request, the oldest request first
        self._unfinished_bytes = 0
        self._logged_at: dict[str, float] = {}

    def __call__(self, *args: Any) -> Coroutine[Any, Any, None]:
        """Serve a new connection; the arguments are those of Hypercorn's own TCPServer."""
        return self._serve(ClientConnection(self, *args))

    async def drain_at_sigterm(self) -> AsyncGenerator[None, None]:
        """While the site is serving: at SIGTERM, serve for another DRAIN_SECONDS, then stop as after SIGINT.

        Heroku's router may still send requests for a moment, which would find a closed port. Each response now closes
        its connection, so that few are idle in the end: a request sent on one while it is being closed would be lost.
        """
        loop = asyncio.get_running_loop()

        def drain() -> None:
            if not self._is_draining:
                self._is_draining = True
                loop.call_later(DRAIN_SECONDS, signal.raise_signal, signal.SIGINT)

        loop.add_signal_handler(signal.SIGTERM, drain)
        yield

    async def _serve(self, connection: "ClientConnection") -> None:
        if self._open >= self.limit and not self._make_room():
            connection.writer.transport.abort()
            return
        self._open += 1
        try:
            await connection.run()
        finally:
            self.end(connection)
            if not connection.is_handed_over:
                self.close_one()

    def close_one(self) -> None:
        """Count a connection that is closed."""
        self._open -= 1

    def wait(self, connection: "ClientConnection") -> None:
        """Record that the connection is waiting for its client: for the next request, or for more of this one."""
        self._waiting.setdefault(connection)

    def work(self, connection: "ClientConnection") -> None:
        """Record that the connection has a complete request."""
        self._waiting.pop(connection, None)
        if self._is_draining:
            connection.config.keep_alive_max_requests = 0  # the response will say `Connection: close`

    def end(self, connection: "ClientConnection") -> None:
        """Forget a connection."""
        self.work(connection)
        self.complete(connection)

    def receive(self, connection: "ClientConnection", size: int) -> None:
        """Count bytes of a request; if there are too many, drop the connections whose requests have taken longest."""
        self._unfinished[connection] = self._unfinished.get(connection, 0) + size
        self._unfinished_bytes += size
        while self._unfinished_bytes > MAX_UNFINISHED_BYTES:
            self._log(
                "clients have sent more than %d bytes of incomplete requests: dropping the oldest", MAX_UNFINISHED_BYTES
            )
            self._drop(next(iter(self._unfinished)))

    def size_of(self, connection: "ClientConnection") -> int:
        """Return how many bytes of an incomplete request the connection has sent."""
        return self._unfinished.get(connection, 0)

    def complete(self, connection: "ClientConnection") -> None:
        """Forget the bytes: no part of an incomplete request is left."""
        self._unfinished_bytes -= self._unfinished.pop(connection, 0)

    def _make_room(self) -> bool:
        """Drop the connection that has waited longest for its client; return False if none is waiting."""
        oldest = next(iter(self._waiting), None)
        full = "all %d connections that the file descriptor limit allows are open: "
        if oldest is None:
            self._log(full + "refusing new ones", self.limit)
            return False
        self._log(full + "closing idle ones for new ones", self.limit)
        self._drop(oldest)
        return True

    def _drop(self, connection: "ClientConnection") -> None:
        self.end(connection)
        connection.writer.transport.abort()
        connection.read_on()

    def _log(self, message: str, *facts: object) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at.get(message, float("-inf")) >= LOG_PAUSE_SECONDS:
            self._logged_at[message] = now
            logger.error(message, *facts)


class ClientConnection(TCPServer):
    """One connection."""

    protocol: H11Protocol  # type: ignore[assignment]  # it never changes

    def __init__(self, connections: ClientConnections, *args: Any) -> None:
        super().__init__(*args)
        self._connections = connections
        self._has_left = False
        self._idle_since: float | None = None
        self._is_admitted = False
        self._answered = asyncio.Event()
        self._discarded_bytes: int | None = None
        self.is_handed_over = False

    @property
    def can_hand_over(self) -> bool:
        """Whether the client is still there, so that another protocol can serve it."""
        return not self._has_left and not self.reader.at_eof() and not self.writer.transport.is_closing()

    def hand_over(self, protocol: asyncio.Protocol) -> Callable[[], None]:
        """Let the protocol serve the client from now on, and end without closing the connection.

        Returns what the protocol must call when the connection is closed.
        """
        self.is_handed_over = True
        self.writer.transport.set_protocol(protocol)
        self.reader.feed_eof()  # ends `_read_data`
        return self._connections.close_one

    async def run(self) -> None:
        """Serve the connection until the client or the server ends it."""
        try:
            socket = self.writer.get_extra_info("socket")
            client = parse_socket_addr(socket.family, socket.getpeername())
            server = parse_socket_addr(socket.family, socket.getsockname())
            ssl = self.writer.get_extra_info("ssl_object") is not None
            async with TaskGroup(self.loop) as task_group:
                self._task_group = task_group
                state = ConnectionState({**self.state, ADMIT_KEY: self.admit})
                # The application may have a protocol of its own, which relies on OnlyHTTP1.
                protocol_class = getattr(getattr(self.app, "app", None), "protocol_class", H11Protocol)
                self.protocol = protocol_class(
                    self.app, self.config, self.context, task_group, state, ssl, client, server, self.protocol_send
                )
                self.protocol.connection = OnlyHTTP1(
                    h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size
                )
                self.protocol.can_read = PipelineWait(self)
                await self.protocol_send(Updated(idle=True))
                await self.idle_task.restart(task_group, self._close_when_idle)
                await self._read_data()
        except OSError:
            pass
        except asyncio.CancelledError:  # the server is stopping and waits no longer
            self.writer.transport.abort()
            raise
        finally:
            await self._close()

    def admit(self) -> None:
        """Read all of the request's body, which goes to the disk."""
        if self.protocol.connection.their_state is h11.SEND_BODY:
            self._is_admitted = True
            self._connections.complete(self)
            self.read_on()

    def read_on(self) -> None:
        """End a pause before the rest of a long body."""
        self._answered.set()

    async def protocol_send(self, event: Event) -> None:
        """Do what the protocol asks of the connection."""
        if isinstance(event, RawData | Closed):
            self.read_on()
        match event:
            case RawData(data=data):
                async with self.send_lock:
                    try:
                        self.writer.write(data)
                        await self._drain()
                    except (ConnectionError, RuntimeError):
                        await self.protocol.handle(Closed())
            case Updated(idle=True) if not self._has_left:
                self._connections.wait(self)
                self._idle_since = self.loop.time()
            case Updated():
                self._connections.work(self)
                self._idle_since = None
            case Closed() if self._is_file_unread and not self._has_left:
                self._begin_to_discard()
            case Closed():
                await self._close()

    async def _close_when_idle(self) -> None:
        """Close the connection once it has been idle for the keep-alive timeout, or is idle when the server stops.

        Hypercorn starts a task after each response and cancels it with the next request.
        """
        seconds, stopping = self.config.keep_alive_timeout, self.context.terminated
        while not stopping.is_set():
            now = self.loop.time()
            end = (now if self._idle_since is None else self._idle_since) + seconds
            if end <= now:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await stopping.wait()
        if self._idle_since is not None:  # otherwise the protocol closes it after the response
            await asyncio.shield(self._initiate_server_close())

    async def _read_data(self) -> None:
        with suppress(OSError):
            while data := await self.reader.read(MAX_RECV):
                if self._discarded_bytes is not None:
                    if self._discard(data):
                        continue
                    break
                self.receive(data)
                await self.protocol.handle(RawData(data))
                self._record_missing_part()
                await self._pause_long_body()
            if self._discarded_bytes is None:
                await self.protocol.handle(RawData(b""))  # an incomplete request is a bad request
        self._has_left = True
        await self.protocol.handle(Closed())
        # A response in progress ends soon, because it is told that the client has gone.
        await self.idle_task.stop()

    def receive(self, data: bytes) -> None:
        """Count what the client has sent."""
        if not self._is_admitted:
            self._connections.receive(self, len(data))

    def _record_missing_part(self) -> None:
        """Record whether a part of the request is still missing."""
        state = self.protocol.connection
        if state.their_state is h11.SEND_BODY:
            self._connections.wait(self)
            return
        self._is_admitted = False
        if self.protocol.stream is not None:
            self._connections.work(self)
        if not state.trailing_data[0]:
            self._connections.complete(self)

    async def _pause_long_body(self) -> None:
        """Wait until the application has admitted or answered a request with a long body, which would fill memory."""
        http = self.protocol.connection
        while (
            http.their_state is h11.SEND_BODY
            and http.our_state is h11.SEND_RESPONSE
            and self._connections.size_of(self) > MAX_UNADMITTED_BYTES
        ):
            self._answered.clear()
            await self._answered.wait()

    @property
    def _is_file_unread(self) -> bool:
        """Whether a file that the application has admitted has not arrived completely."""
        return self._is_admitted and self.protocol.connection.their_state is h11.SEND_BODY

    def _begin_to_discard(self) -> None:
        """Read the rest of a refused file before the connection is closed.

        Browsers read a response once they have sent everything. If the connection were closed before, they would show
        that instead of the response.
        """
        self._discarded_bytes = 0
        self._connections.wait(self)
        self.loop.call_later(DISCARD_SECONDS, self.writer.transport.abort)

    def _discard(self, data: bytes) -> bool:
        """Drop a part of a refused file; return whether more of it is to be read."""
        http = self.protocol.connection
        self._discarded_bytes = (self._discarded_bytes or 0) + len(data)
        with suppress(h11.RemoteProtocolError):
            http.receive_data(data)
            while isinstance(http.next_event(), h11.Data):
                pass
        return http.their_state is h11.SEND_BODY and self._discarded_bytes <= MAX_DISCARDED_BYTES

    async def _drain(self) -> None:
        """Wait until the client has read enough for more to be sent; drop it if it reads nothing."""
        transport = self.writer.transport
        low, _ = transport.get_write_buffer_limits()
        while (waiting := transport.get_write_buffer_size()) > low:
            with suppress(TimeoutError):
                async with asyncio.timeout(STALLED_SECONDS):
                    await self.writer.drain()
                    return
            if transport.get_write_buffer_size() >= waiting:
                transport.abort()
        await self.writer.drain()

    async def _close(self) -> None:
        self._connections.end(self)
        await self.idle_task.stop()
        if self.is_handed_over:
            return
        transport = self.writer.transport
        self.writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(STALLED_SECONDS):
                await asyncio.shield(self.writer.wait_closed())  # another task may wait for it, and isn't cancelled
        transport.abort()

    async def _initiate_server_close(self) -> None:
        await self.protocol.handle(Closed())
        await self._close()


class OnlyHTTP1(h11.Connection):
    """HTTP/1 without protocol changes: upgrades are ignored, as RFC 9110 allows; other versions are refused.

    Behind a proxy that forwards upgrades, another protocol would be a tunnel in which the client itself states its IP
    and scheme.
    """

    def next_event(self) -> Any:
        """Return the client's next event; raise h11.RemoteProtocolError if it is not HTTP/1."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            if event.http_version not in HTTP_VERSIONS:
                raise h11.RemoteProtocolError("another version of HTTP", error_status_hint=505)
            names = {name.lower() for name, _ in event.headers.raw_items()}
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("two lengths")  # a proxy in front may use the other one
            if b"upgrade" in names:
                headers = [(name, value) for name, value in event.headers.raw_items() if name.lower() != b"upgrade"]
                return h11.Request(
                    method=event.method, target=event.target, headers=headers, http_version=event.http_version
                )
        return event


class PipelineWait(EventWrapper):
    """Delays a client's next request until the previous one is answered, and notices if the client disconnects."""

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__()
        self._connection = connection

    async def wait(self) -> None:
        """Wait until the previous request is answered; raise ConnectionError if the client leaves or sends too much."""
        reader, protocol = self._connection.reader, self._connection.protocol.connection
        ready = asyncio.create_task(super().wait())
        more = asyncio.create_task(reader.read(MAX_RECV))
        try:
            while not self.is_set():
                await asyncio.wait([ready, more], return_when=asyncio.FIRST_COMPLETED)
                if more.done():
                    data = more.result()
                    self._connection.receive(data)
                    protocol.receive_data(data)
                    if not data or len(protocol.trailing_data[0]) > MAX_RECV:
                        raise ConnectionAbortedError
                    more = asyncio.create_task(reader.read(MAX_RECV))
        finally:
            ready.cancel()
            more.cancel()
            await asyncio.gather(ready, more, return_exceptions=True)
