"""What a change of a section does to people, before it is saved and afterwards."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_results import FieldChange
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.staff.seat_previews import GainedSeat, change_or_preview

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class NewConflict:
    """A student with two courses at the same time, and the sentence that names them."""

    user_id: int
    is_waiting: bool
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Effects:
    """What changes of a section, and what this does to people.

    `notified` is the number of students who are told about new times, another room or instructor, or a new status.
    """

    section: Section
    changes: Sequence[FieldChange] = ()
    gained: Sequence[GainedSeat] = ()
    conflicts: Sequence[NewConflict] = ()
    notified: int = 0

    @property
    def overbooked(self) -> int:
        """The number of students beyond the new capacity; they keep their seats."""
        has_new_capacity = any(change.field == "capacity" for change in self.changes)
        return max(0, self.section.seats_taken - self.section.capacity) if has_new_capacity else 0

    @property
    def affects_people(self) -> bool:
        """Whether anyone's seat or timetable changes."""
        return bool(self.gained or self.conflicts or self.notified or self.overbooked)


async def change_section(
    context: EnrollmentContext,
    staff_id: int,
    now: datetime,
    key: SectionKey,
    body: Callable[[SeatTransaction], Coroutine[Any, Any, Result]],
    *,
    preview: bool = False,
) -> Result:
    """Change the section as one of its students' changes would be made; undo it all if it is only a `preview`."""
    return await change_or_preview(context, staff_id, now, [key], body, preview=preview)
