"""The queue in which requests wait to begin while seats change."""

import asyncio
from itertools import pairwise

from quart_enroll.fastpath.request_queue import RequestQueue


async def test_a_request_begins_at_once_while_no_seats_change() -> None:
    queue = RequestQueue()
    waiting = queue.wait(seats_change=False)
    assert _ends_at_once(waiting)


async def test_one_request_begins_in_each_round_in_order_of_arrival() -> None:
    queue, begun = RequestQueue(), list[int]()
    requests = [asyncio.ensure_future(_begin(queue, number, begun)) for number in range(5)]
    seen = []
    while len(begun) < len(requests):
        await asyncio.sleep(0)
        seen.append(len(begun))
    assert begun == [0, 1, 2, 3, 4]
    assert max(after - before for before, after in pairwise(seen)) == 1


async def test_no_request_overtakes_those_that_wait_when_the_last_change_has_ended() -> None:
    queue, begun = RequestQueue(), list[int]()
    requests = [asyncio.ensure_future(_begin(queue, number, begun)) for number in range(3)]
    await asyncio.sleep(0)
    await _begin(queue, 3, begun, seats_change=False)
    await asyncio.gather(*requests)
    assert begun == [0, 1, 2, 3]


async def test_a_request_whose_client_has_gone_holds_up_nobody() -> None:
    queue, begun = RequestQueue(), list[int]()
    requests = [asyncio.ensure_future(_begin(queue, number, begun)) for number in range(3)]
    await asyncio.sleep(0)
    requests[0].cancel()
    requests[1].cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    await _begin(queue, 3, begun)
    assert begun == [2, 3]


async def _begin(queue: RequestQueue, number: int, begun: list[int], *, seats_change: bool = True) -> None:
    await queue.wait(seats_change=seats_change)
    begun.append(number)


def _ends_at_once(waiting: object) -> bool:
    """Return whether the coroutine ends without a pause."""
    try:
        waiting.send(None)  # type: ignore[attr-defined]
    except StopIteration:
        return True
    return False
