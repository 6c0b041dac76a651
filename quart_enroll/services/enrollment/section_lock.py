"""The turnstile: in each process, one change of a section at a time, and no longer a line than can be served in time.

Transactions on one hot section that meet in the database abort each other: 300 students for 30 seats took 10 s and
6,700 attempts, and 0.6 s and 300 attempts behind this.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from quart_enroll.db.client import Database, OutcomeUnknown, Session
from quart_enroll.db.transactions import transaction, wait_for_majority
from quart_enroll.domain.errors import Crowded, Refused
from quart_enroll.domain.models import SectionKey
from quart_enroll.observability import metrics

Result = TypeVar("Result")

PATIENCE = 15.0
"""Seconds from a request to its last try, the wait in line included: Heroku's router gives up after 30."""

MOST, MOST_OF_A_SECTION = 2000, 1000
"""Changes that a process lets wait or run, and those of one section: about as many as are made within PATIENCE on one
core, and half of them, so that a crowd in front of one section keeps nobody from the others."""

RETRY_AFTER = 5
"""Seconds after which somebody who found no room should try again."""

_locks: WeakValueDictionary[SectionKey, asyncio.Lock] = WeakValueDictionary()
_changes: dict[asyncio.Task[Any], frozenset[SectionKey]] = {}
_crowds: Counter[SectionKey] = Counter()


async def nothing() -> None:
    """Look for nothing, and do nothing more."""


async def run_locked(
    db: Database,
    sections: Iterable[SectionKey],
    body: Callable[[Session], Coroutine[Any, Any, Result]],
    *,
    look: Callable[[], Coroutine[Any, Any, None]] = nothing,
    then: Callable[[], Coroutine[Any, Any, None]] = nothing,
    patience: float | None = None,
) -> Result:
    """Run `body` in a transaction, one at a time for each of these sections, and return its result.

    After a wait in line `look` may raise what makes the transaction pointless. When it is done comes `then`.
    Raises what `admit` and `turn` raise.
    """
    keys = frozenset(sections)

    async def everything() -> Result:
        result = await turn(db, keys, body, look=look, patience=PATIENCE if patience is None else patience)
        await then()
        return result

    try:
        return await admit(keys, everything)
    except Refused:
        # "You are already enrolled" may come from a seat that an election takes back; then it must not be said.
        await wait_for_majority(db)
        raise


async def admit(keys: frozenset[SectionKey], make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Make a change of these sections, and return its result; raise Crowded, and do nothing, where too many wait.

    It goes on to its end even when the client hangs up, who may have been told already.
    """
    _check_room(keys)
    task = asyncio.ensure_future(make())
    _changes[task] = keys
    _crowds.update(keys)
    task.add_done_callback(_leave)
    return await asyncio.shield(task)


def is_taken(key: SectionKey) -> bool:
    """Tell whether somebody of this process changes the section now."""
    return key in _locks and _locks[key].locked()


def waiting() -> int:
    """Return how many changes wait or run in this process."""
    return len(_changes)


def _check_room(keys: frozenset[SectionKey]) -> None:
    """Raise Crowded where too many wait; what belongs to a change that was let in always has room."""
    if asyncio.current_task() in _changes:
        return
    if len(_changes) >= MOST or any(_crowds[key] >= MOST_OF_A_SECTION for key in keys):
        raise Crowded(RETRY_AFTER)


def _leave(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # a client that hung up is told nothing any more, not even that the rules said no
    for key in _changes.pop(task):
        _crowds[key] -= 1
        if not _crowds[key]:
            del _crowds[key]


async def finish() -> None:
    """Wait for the changes that go on without a client."""
    await asyncio.gather(*_changes, return_exceptions=True)


async def turn(
    db: Database,
    sections: Iterable[SectionKey],
    body: Callable[[Session], Coroutine[Any, Any, Result]],
    *,
    patience: float,
    tries: float = float("inf"),
    look: Callable[[], Coroutine[Any, Any, None]] = nothing,
) -> Result:
    """Wait until nobody else of this process changes these sections, and run `body` in a transaction.

    Raises one of mongo.AWAY when that does not come about within `patience`, in seconds, of which the transaction may
    take `tries`: then nobody knows whether it happened.
    """
    began, stood = time.monotonic(), False
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(patience):  # around the line only: what has begun is not interrupted
                for key in sorted(sections):
                    stood = stood or is_taken(key)
                    await stack.enter_async_context(_locks.setdefault(key, asyncio.Lock()))
        except TimeoutError:
            raise OutcomeUnknown from None
        metrics.record_lock_wait(time.monotonic() - began)
        if stood:
            await look()
        return await transaction(db, body, min(tries, began + patience - time.monotonic()))
