"""Forms with files: how much they may send, and a body that counts it."""

from typing import Any

from quart.wrappers.request import Body
from werkzeug.exceptions import RequestEntityTooLarge

MAX_UPLOAD_BYTES = 33 * 2**20
"""Bytes of a form with a file: the largest file that imports read, and what a browser sends around it."""

UPLOAD_SECONDS = 120
"""Seconds in which the form must have arrived, over a slow line."""

UPLOAD_KEY = "quart_enroll.upload"
"""Where the ASGI scope says that the form of its path sends a file."""

ADMIT_KEY = "quart_enroll.admit_upload"
"""Where the state in the ASGI scope has what lets the server read a long body, instead of dropping its connection."""


class CountedBody(Body):
    """A body that is refused as soon as it is too long, even if no header said how long it would be.

    Quart counts only what has not been read yet, which for a form with a file is never much.
    """

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, max_content_length)
        self._received = 0

    def append(self, data: bytes) -> None:
        """Add a part that has arrived."""
        self._received += len(data)
        if self._max_content_length is not None and self._received > self._max_content_length:
            self._must_raise = self._must_raise or RequestEntityTooLarge()
            self.clear()
            self.set_complete()
        super().append(data)

    async def __anext__(self) -> bytes:
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            if self._must_raise is not None:
                raise self._must_raise from None
            raise


def limits(scope: Any) -> dict[str, int]:
    """Return the limits of a request whose form sends a file; none for other requests, which have the site's own."""
    return {"max_content_length": MAX_UPLOAD_BYTES, "body_timeout": UPLOAD_SECONDS} if scope.get(UPLOAD_KEY) else {}


def admit(scope: Any) -> None:
    """Let the server read the whole body, which may be long: the visitor may send a file, which goes to the disk."""
    if read_on := scope.get("state", {}).get(ADMIT_KEY):
        read_on()
