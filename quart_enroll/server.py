"""When the server that runs the site is told to stop.

ASGI tells an application only after its last answer has ended, which is too late for answers without an end of their
own. Hypercorn knows the moment itself, whoever told it and however: a signal, its parent process, Ctrl-C while one
develops. Only what sends an answer leads there.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.protocol.http_stream import HTTPStream

Stop = Callable[[], Awaitable[None]]


def stop_of(send: Any) -> Stop | None:
    """Return what waits until the server that gave `send` begins to stop; None for a server that can't tell."""
    stream = getattr(send, "__self__", None)
    return stream.context.terminated.wait if isinstance(stream, HTTPStream) else None
