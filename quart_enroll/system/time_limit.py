"""A time limit for work that rarely has to wait."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


async def run_within(seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns; raise TimeoutError if it still waits after that many seconds.

    Setting a time limit takes a tenth of the time of a page that is in memory, so it is set only once `work` waits.
    """
    try:
        first_wait = work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    async with asyncio.timeout(seconds):
        return await _Started(work, first_wait)


class _Started(Generic[Result]):
    """The rest of a coroutine that has begun, and waits."""

    def __init__(self, work: Coroutine[Any, Any, Result], wait: Any) -> None:
        self._work, self._wait = work, wait

    def __await__(self) -> Generator[Any, Any, Result]:
        wait = self._wait
        while True:
            try:
                try:
                    answer = yield wait
                except BaseException as error:  # noqa: BLE001  # such as a cancellation
                    wait = self._work.throw(error)
                else:
                    wait = self._work.send(answer)
            except StopIteration as done:
                result: Result = done.value
                return result
