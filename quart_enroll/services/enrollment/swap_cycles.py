"""Swap cycles: full sections whose students wait to swap with each other.

Ada in X waits to swap to Y, Bob in Y waits to swap to X, and both sections are full. No seat is ever freed there, so
promotion alone would never help them.
"""

from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from quart_enroll.db.client import DATABASE_UNAVAILABLE, Database, Session
from quart_enroll.db.collections import sections, waitlist
from quart_enroll.domain.actors import Actor
from quart_enroll.domain.models import SYSTEM_ACTOR, SectionKey
from quart_enroll.services.enrollment import promotion, seat_changes, section_lock
from quart_enroll.services.enrollment.promotion import PoolsDue
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks

Result = TypeVar("Result")

CYCLE_TIMEOUT_SECONDS = 5.0
"""For one cycle: the change that made it possible is committed, and its student is waiting for the response."""


class NoCycle(Exception):
    """No swap frees the seat that was opened: nothing may be committed."""


async def change_seats(
    locks: SectionLocks,
    user_id: int,
    now: datetime,
    keys: Collection[SectionKey],
    body: Callable[[SeatTransaction], Coroutine[Any, Any, Result]],
    *,
    recheck: Callable[[], Coroutine[Any, Any, None]] = section_lock.nothing,
    staff: Actor | None = None,
) -> Result:
    """Run a student's change as `SectionLocks.run` does, then complete the swap cycles that it made possible.

    `staff` is who makes it for the student. If pools must be released before, that is a change of its own.
    """
    actor = staff.user_id if staff else user_id
    changed_waitlists: set[SectionKey] = set()

    async def attempt(session: Session) -> Result:
        transaction = SeatTransaction(
            locks.db, session, now, actor, changed_waitlists=changed_waitlists, staff=staff, acting_for=user_id
        )
        changed_waitlists.clear()
        return await body(transaction)

    async def follow_up() -> None:
        await complete_cycles(locks, actor, now, changed_waitlists)

    while True:
        try:
            return await locks.run(keys, attempt, recheck=recheck, follow_up=follow_up)
        except PoolsDue as due:
            await release_pools(locks, due.key, now)


async def release_pools(locks: SectionLocks, key: SectionKey, now: datetime) -> None:
    """Release the pools of the section that are due, and give the seats to waiting students."""

    async def body(transaction: SeatTransaction) -> None:
        transaction.freed_sections.append(key)
        await promotion.promote_waitlists(transaction)

    await change_seats(locks, SYSTEM_ACTOR, now, [key], body)


async def complete_all_cycles(locks: SectionLocks, actor: int, now: datetime) -> None:
    """Complete every cycle of waiting swaps."""
    await complete_cycles(locks, actor, now, await sections.find_with_waitlist(locks.db))


async def complete_cycles(locks: SectionLocks, actor: int, now: datetime, waitlists: Iterable[SectionKey]) -> None:
    """Complete the cycles that go through one of these waitlists, and those that become possible by that.

    Each is a transaction of its own: whichever student joins last sees the entries of all the others. If one can't be
    completed in time, nothing else is undone; the next change of its waitlists tries it again.
    """
    pending = set(waitlists)
    while pending:
        key = min(pending)
        pending.remove(key)
        if await waitlist.has_swaps(locks.db, key):
            for pool in await _find_pools(locks.db, key):
                with suppress(NoCycle, *DATABASE_UNAVAILABLE):
                    pending |= await _complete(locks, actor, now, key, pool)


async def _find_pools(db: Database, key: SectionKey) -> list[str]:
    """Return the pools to which a seat in the section may belong; empty for the unreserved seats."""
    section = await sections.find(db, key)
    return ["", *(one.name for one in section.pools if one.taken)] if section else []


async def _complete(locks: SectionLocks, actor: int, now: datetime, key: SectionKey, pool: str) -> set[SectionKey]:
    """Complete a cycle that goes through a seat of this section and pool, and return the waitlists that changed.

    Raises NoCycle if there is none.

    A seat is opened before any student has dropped it, and promotion does the rest: the first student who can take it
    gets it, and the seat that this student drops goes to the next, so no student is passed over. The transaction is
    committed only if one of them drops the very seat that was opened.
    """

    async def body(session: Session) -> set[SectionKey]:
        transaction = SeatTransaction(locks.db, session, now, actor)
        await seat_changes.open_provisional_seat(transaction, key, pool)
        await promotion.promote_waitlists(transaction)
        if transaction.provisional_seats:
            raise NoCycle
        return transaction.changed_waitlists

    return await locks.run([key], body, timeout_seconds=CYCLE_TIMEOUT_SECONDS)
