"""Stream responses that are long or have no end: the framework sends the head, the rest is sent outside of it.

A thousand streams may be open for as long as people look at a page. Inside the framework, each would keep its request,
its contexts and its tasks in memory.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any, TypeAlias

from quart import Response, current_app, request

from quart_enroll.db.client import DATABASE_REFUSED, DATABASE_UNAVAILABLE

STREAM_KEY = "quart_enroll.stream"
"""Where the ASGI scope holds the chunks that are to be sent after the framework is done."""

MAX_SEND_SECONDS = 30.0
"""Seconds that a client has to make room for the next chunk; after that it counts as gone."""

Chunks: TypeAlias = AsyncGenerator[str, None] | AsyncGenerator[bytes, None]

logger = logging.getLogger(__name__)


def stream_response(chunks: Chunks, content_type: str, first_chunk: str | bytes = "") -> Response:
    """Return a response whose body is `first_chunk` and then the chunks, until the client disconnects."""
    if current_app.config["FASTPATH"]:
        return Response(_defer(request.scope, chunks, first_chunk), content_type=content_type)
    response = Response(_stream_within_framework(request.scope, chunks, first_chunk), content_type=content_type)
    response.timeout = None
    return response


async def _defer(scope: Any, chunks: Chunks, first_chunk: str | bytes) -> AsyncIterator[str | bytes]:
    """Leave the chunks for later: the framework sends only the first one, after the head."""
    if scope["method"] == "HEAD":
        await chunks.aclose()
        yield ""
    else:
        scope[STREAM_KEY] = chunks
        yield first_chunk


async def _stream_within_framework(scope: Any, chunks: Chunks, first_chunk: str | bytes) -> AsyncIterator[str | bytes]:
    """Give the framework all chunks to send."""
    async with aclosing(chunks):
        if scope["method"] == "HEAD":
            return
        yield first_chunk
        try:
            async for chunk in chunks:
                yield chunk
        except (DATABASE_REFUSED, *DATABASE_UNAVAILABLE) as error:
            _log_interruption(scope, error)
            raise


def _log_interruption(scope: Any, error: Exception) -> None:
    logger.warning("stream broken off: %s %s", scope["path"], type(error).__name__)


class StreamingChannel:
    """The channel between the server and the framework, and then between the server and a stream."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._is_disconnected = False
        self._arrived: deque[Any] = deque()

    async def receive_arrived_body(self) -> bytes | None:
        """Return the body if all of it has arrived; otherwise `receive` returns the messages that have."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                while True:
                    self._arrived.append(message := await self._receive())
                    if message["type"] != "http.request":
                        return None
                    if not message.get("more_body", False):
                        return b"".join(one.get("body", b"") for one in self._arrived)
        return None

    async def receive(self) -> Any:
        """Return the client's next message."""
        message = self._arrived.popleft() if self._arrived else await self._receive()
        self._is_disconnected = message["type"] == "http.disconnect"
        return message

    async def send(self, message: Any) -> None:
        """Send a part of the response, except its end if a stream follows."""
        if STREAM_KEY not in self.scope or message.get("more_body", True):
            await self._send(message)

    async def send_stream(self) -> None:
        """Send the stream that follows, if any, until it ends or the client disconnects."""
        chunks = self.scope.pop(STREAM_KEY, None)
        if chunks is None:
            return
        tasks = [asyncio.create_task(self._send_chunks(chunks)), asyncio.create_task(self._wait_for_disconnect())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await chunks.aclose()  # in case the task never began
        if not tasks[0].cancelled():
            tasks[0].result()

    async def _send_chunks(self, chunks: Chunks) -> None:
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    body = chunk.encode() if isinstance(chunk, str) else chunk
                    async with asyncio.timeout(MAX_SEND_SECONDS):
                        await self._send({"type": "http.response.body", "body": body, "more_body": True})
                    del chunk, body  # it may be long, and the next one may be an hour away
        except (TimeoutError, DATABASE_REFUSED, *DATABASE_UNAVAILABLE) as error:
            # Without the end of the body, the server closes the connection, so the client sees that it is incomplete.
            _log_interruption(self.scope, error)
        else:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait_for_disconnect(self) -> None:
        while not self._is_disconnected:
            await self.receive()
