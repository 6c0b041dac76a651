"""Previews of changes by staff: the change is made, its effects are read, and all of it is undone."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

from quart_enroll.domain.models import Event, SectionKey
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class GainedSeat:
    """A student who gets a seat from the waitlist of a section."""

    user_id: int
    key: SectionKey

    @classmethod
    def of(cls, promotion: Event) -> Self:
        """Return what the student gets by this promotion."""
        return cls(promotion.user_id, SectionKey(promotion.term, promotion.courseID, promotion.section))


class _Previewed(Exception):  # no error: it undoes the transaction of a preview
    def __init__(self, result: Any) -> None:
        super().__init__("The transaction was only a preview.")
        self.result = result


async def change_or_preview(
    context: EnrollmentContext,
    staff_id: int,
    now: datetime,
    keys: Collection[SectionKey],
    body: Callable[[SeatTransaction], Coroutine[Any, Any, Result]],
    *,
    preview: bool,
) -> Result:
    """Make a change as `change_seats` does, and return its result; undo it all if it is only a `preview`."""

    async def attempt(transaction: SeatTransaction) -> Result:
        result = await body(transaction)
        if preview:
            raise _Previewed(result)
        return result

    try:
        return await change_seats(context.locks, staff_id, now, keys, attempt)
    except _Previewed as previewed:
        result: Result = previewed.result
        return result
