"""Let requests begin one by one while seats change.

A transaction is a series of commands, and its process has to notice the result of each before it sends the next. When
hundreds of requests arrive at once and all begin in the same round of the event loop, every command waits for all of
them, and so does everyone who waits for the transaction. One request per round delays the requests hardly more than
each other, and the commands only by one of them.
"""

import asyncio
from collections import deque


class RequestQueue:
    """The requests of this process that wait to begin."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self, *, seats_change: bool) -> None:
        """Return in the order of arrival, one request in each round of the event loop; at once if no seats change."""
        if not (seats_change or self._waiting):
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            loop.call_soon(self._begin_next)
        await turn

    def _begin_next(self) -> None:
        """Let the first request begin whose client is still there, and the next one in the next round."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._begin_next)
