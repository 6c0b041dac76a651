"""Answers without an end of their own: the framework makes their head, and they go on around it.

A thousand of them may be open, for as long as people look at a page; inside of the framework each would keep what it
was asked with, its contexts and its tasks.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from quart import Response, request

from quart_enroll.db.client import DATABASE_REFUSED, DATABASE_UNAVAILABLE

GOES_ON = "quart_enroll.goes_on"

SEND_SECONDS = 30.0
"""Seconds that a client has to make room for the next chunk; after that it counts as gone."""

logger = logging.getLogger(__name__)


def begin(chunks: AsyncGenerator[str, None], content_type: str, first: str = "") -> Response:
    """Return an answer whose body is `first` and then the chunks, until the client leaves."""
    return Response(_hand_over(request.scope, chunks, first), content_type=content_type)


async def _hand_over(scope: Any, chunks: AsyncGenerator[str, None], first: str) -> AsyncIterator[str]:
    """Leave the chunks for later; the framework sends only the first one, after the head."""
    if scope["method"] == "HEAD":
        await chunks.aclose()
        yield ""
    else:
        scope[GOES_ON] = chunks
        yield first


class Exchange:
    """A request and its answer, as the framework and what goes on after it see them."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._left = False

    async def receive(self) -> Any:
        """Return what the client says next."""
        message = await self._receive()
        self._left = message["type"] == "http.disconnect"
        return message

    async def send(self, message: Any) -> None:
        """Send a part of the answer, but for its end if something follows."""
        if GOES_ON not in self.scope or message.get("more_body", True):
            await self._send(message)

    async def go_on(self) -> None:
        """Send what follows, if anything does, until it ends or the client leaves."""
        chunks = self.scope.pop(GOES_ON, None)
        if chunks is None:
            return
        tasks = [asyncio.create_task(self._send_all(chunks)), asyncio.create_task(self._leave())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await chunks.aclose()  # in case the task never began
        if not tasks[0].cancelled():
            tasks[0].result()

    async def _send_all(self, chunks: AsyncGenerator[str, None]) -> None:
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
                    del chunk  # it may be long, and the next one may be an hour away
        except (TimeoutError, DATABASE_REFUSED, *DATABASE_UNAVAILABLE) as error:
            # Without the end of the body, the server closes the connection, so the client sees that it is incomplete.
            logger.warning("stream broken off: %s %s", self.scope["path"], type(error).__name__)
        else:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _leave(self) -> None:
        while not self._left:
            await self.receive()
