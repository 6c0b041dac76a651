"""Learn from Hypercorn when it begins to shut down.

ASGI tells an application only after its last response has ended, which is too late for responses that have no end of
their own. Hypercorn itself knows at once, whatever stops it: a signal, its parent process, or Ctrl-C in development. An
application reaches it only through the `send` of a request.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.protocol.http_stream import HTTPStream


def shutdown_waiter(send: Any) -> Callable[[], Awaitable[None]] | None:
    """Return what waits until the server that gave `send` begins to shut down; None for another server."""
    stream = getattr(send, "__self__", None)
    return stream.context.terminated.wait if isinstance(stream, HTTPStream) else None
