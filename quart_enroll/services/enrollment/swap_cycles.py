"""Rings of linked swaps: everybody waits for the seat of the next, and nobody is the first to give one back.

Ada in X waits to swap for Y, bob in Y for X, and both are full. No seat is ever freed there, so promotion alone would
let them wait for ever.
"""

from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database, Session
from quart_enroll.db.collections import sections, waitlist
from quart_enroll.domain.models import SectionKey
from quart_enroll.services.enrollment import seat_changes, section_lock
from quart_enroll.services.enrollment.seat_changes import SeatTransaction

Result = TypeVar("Result")

PATIENCE = 5.0
"""Seconds for one ring: the change that made it possible has happened, and somebody waits for the answer."""


class NoCycle(Exception):
    """Nobody comes full circle: nothing must change."""


async def change_seats(
    db: Database,
    user_id: int,
    now: datetime,
    keys: Iterable[SectionKey],
    body: Callable[[SeatTransaction], Coroutine[Any, Any, Result]],
    *,
    look: Callable[[], Coroutine[Any, Any, None]] = section_lock.nothing,
) -> Result:
    """Make a change of the student's through the turnstile, then settle the rings that it made possible."""
    tries: list[SeatTransaction] = []

    async def one_try(session: Session) -> Result:
        tries.append(SeatTransaction(db, session, now, user_id))
        return await body(tries[-1])

    async def then() -> None:
        await complete_cycles(db, user_id, now, tries[-1].lines)

    return await section_lock.run_locked(db, keys, one_try, look=look, then=then)


async def complete_all_cycles(db: Database, actor: int, now: datetime) -> None:
    """Settle every ring that there is."""
    await complete_cycles(db, actor, now, await sections.find_with_waitlist(db))


async def complete_cycles(db: Database, actor: int, now: datetime, lines: Iterable[SectionKey]) -> None:
    """Settle the rings that go through one of these lines, and those that become possible by that.

    Each is a transaction of its own: whoever joins last finds the places of all the others. One that can't be
    settled in time takes nothing back of what happened before; the next change of its lines tries it again.
    """
    pending = set(lines)
    while pending:
        key = min(pending)
        pending.remove(key)
        if await waitlist.has_swaps(db, key):
            with suppress(NoCycle, *DATABASE_UNAVAILABLE):
                pending |= await _settle(db, actor, now, key)


async def _settle(db: Database, actor: int, now: datetime, key: SectionKey) -> set[SectionKey]:
    """Let a seat be open before anybody gave it back, and return the lines that moved; raise NoRing if it must not.

    The first in line who can take it has it, and each who gives back another seat for it makes room for the next,
    as ever: so nobody is passed over. It holds when that leads back to somebody who gives back this very seat.
    """

    async def body(session: Session) -> set[SectionKey]:
        step = SeatTransaction(db, session, now, actor)
        await seat_changes.lend(step, key)
        await seat_changes.promote_waitlists(step)
        if step.lent:
            raise NoCycle
        return step.lines

    return await section_lock.run_locked(db, [key], body, patience=PATIENCE)
