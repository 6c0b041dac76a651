"""Answer requests that need no framework in the task that reads the connection.

For each request, Hypercorn starts a task, a queue, and two more tasks that wait for the client's next request while the
first one works: an eighth of the time of a cached response. Here a GET is first offered to the application's method
`answer`, which returns a complete response or None. Only for None, or for anything that is not a plain GET, Hypercorn
does what it always does.
"""

from asyncio import CancelledError, sleep
from typing import Any, Final, cast
from urllib.parse import unquote

import h11
from hypercorn.events import RawData
from hypercorn.protocol.events import EndBody
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.typing import ConnectionState

from quart_enroll.fastpath.hypercorn_writer import Headers, serialize

DECLINED_KEY: Final = "quart_enroll.declined"
"""Where the state in the ASGI scope holds the scope of a request that `answer` has returned None for."""


BODY_HEADERS = frozenset((b"content-length", b"transfer-encoding", b"expect"))
"""Headers of a request that has a body."""


class DirectProtocol(H11Protocol):
    """HTTP/1 for one connection, in which no protocol changes."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Accept the request: its connection ignores upgrades."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Answer the request at once, or begin to handle it as Hypercorn does."""
        headers = [(name.lower(), value) for name, value in request.headers.raw_items()]
        if not self._is_plain_get(request, headers):
            await super()._create_stream(request)
            return
        http = cast(h11.Connection, self.connection)
        http.next_event()  # the end of the request, which has no body
        app = cast(Any, self.app).app
        scope = app.prepare(self._scope(request, headers))
        try:
            answer = await app.answer(scope)
        except Exception:  # noqa: BLE001  # as Hypercorn reports it; the framework may still have a response
            await self.config.log.exception("Error in ASGI Framework")
            answer = None
        if answer is None:
            await self._decline(request, scope)
            return
        data = serialize(answer.response, answer.more, "GET", http, self.config)
        try:
            await self.send(RawData(data=data))
        except CancelledError:  # the server stops, and the client has not read it all: the connection closes
            http.send_failed()
            raise
        self.keep_alive_requests += 1
        await self.context.mark_request()
        await self._maybe_recycle()
        if http.trailing_data[0]:  # the client has sent its next request already: other clients come first
            await sleep(0)

    def _is_plain_get(self, request: h11.Request, headers: Headers) -> bool:
        """Tell whether the request is a GET that ends with its head, on a connection that stays open afterwards."""
        config = self.config
        return (
            request.method == b"GET"
            and self.keep_alive_requests < config.keep_alive_max_requests
            and config.accesslog is None
            and not config.server_names
            and not self.context.terminated.is_set()
            and BODY_HEADERS.isdisjoint([name for name, _ in headers])
        )

    def _scope(self, request: h11.Request, headers: Headers) -> Any:
        """Return the scope that Hypercorn makes for the request."""
        path, _, query_string = request.target.partition(b"?")
        return {
            "type": "http",
            "http_version": request.http_version.decode(),
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "method": "GET",
            "scheme": "https" if self.ssl else "http",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query_string,
            "root_path": self.config.root_path,
            "headers": headers,
            "client": self.client,
            "server": self.server,
            "state": self.connection_state.copy(),
            "extensions": {},
        }

    async def _decline(self, request: h11.Request, scope: Any) -> None:
        """Begin to handle the request as Hypercorn does, and let the application know that it was declined."""
        shared = self.connection_state
        self.connection_state = ConnectionState({**shared, DECLINED_KEY: scope})  # Hypercorn copies it into the scope
        try:
            await super()._create_stream(request)
        finally:
            self.connection_state = shared
        if self.stream is not None:
            await self.stream.handle(EndBody(stream_id=STREAM_ID))
