"""Stream text that the site sends as things happen, such as live updates of an open page.

A source has no task of its own: it writes to its channel whenever it has something to send. Thousands of channels may
be open for as long as people look at a page.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from quart import Response, current_app, request

from quart_enroll.fastpath.streaming import stream_response

SOURCE_KEY = "quart_enroll.source"
"""Where the ASGI scope holds the source of a stream, for a connection that it can write to directly."""


class Channel(ABC):
    """What a source writes to."""

    @property
    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the client has read the earlier texts; until then, a source should write only what can't wait."""

    @abstractmethod
    def write(self, text: str) -> None:
        """Send the text, which must not be empty."""

    @abstractmethod
    def end(self) -> None:
        """End the stream after the texts written so far."""

    @abstractmethod
    def abort(self, error: Exception) -> None:
        """Break off the stream because of the error, so that the client sees that it is incomplete."""


class Source(Protocol):
    """What is streamed."""

    def start(self, channel: Channel) -> None:
        """Begin to write to the channel."""

    def resume(self) -> None:
        """Write what had to wait: the channel is ready again."""

    def disconnect(self) -> None:
        """Stop writing: the client has gone, or the stream has ended."""


def push_response(source: Source, content_type: str) -> Response:
    """Return a response whose body is what the source writes, until it ends or the client disconnects."""
    response = stream_response(_pull(source), content_type)
    if current_app.config["FASTPATH"]:
        scope: Any = request.scope
        scope[SOURCE_KEY] = source
    return response


class PulledChannel(Channel):
    """A channel whose texts are fetched when the client is ready for them, as ASGI needs it."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._has_news = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    @property
    def is_ready(self) -> bool:
        return not self._texts

    def write(self, text: str) -> None:
        self._texts.append(text)
        self._has_news.set()

    def end(self) -> None:
        self._has_ended = True
        self._has_news.set()

    def abort(self, error: Exception) -> None:
        self._error = error
        self._has_news.set()

    async def fetch(self) -> str:
        """Return the next text, empty at the end; raise what broke off the stream."""
        while not self._texts and not self._has_ended and self._error is None:
            self._has_news.clear()
            await self._has_news.wait()
        if self._error is not None:
            raise self._error
        text = "".join(self._texts)
        self._texts.clear()
        return text


async def _pull(source: Source) -> AsyncGenerator[str, None]:
    channel = PulledChannel()
    source.start(channel)
    try:
        while text := await channel.fetch():
            yield text
            source.resume()
    finally:
        source.disconnect()
