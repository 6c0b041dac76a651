"""What is stored about one student: seats, places on waitlists, plans, alerts, holds, permits and appointments."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.holds import Hold
from quart_enroll.domain.models import PlannedSection, SavedPlan, SectionKey, WaitlistEntry
from quart_enroll.domain.permits import RecordedPermit

DERIVED_BYTES = 3000
"""Bytes of the results that pages compute from a snapshot."""


@dataclass(frozen=True, slots=True)
class StudentSeat:
    """A seat that a student has or had. Fields missing in an old row are empty; `moved_at` is when it moved.

    The `grade` is empty until it is recorded.
    """

    key: SectionKey
    status: str
    moved_at: datetime | None = None
    grade: str = ""

    @property
    def shown_status(self) -> str:
        """The status as pages show it; a seat without a known status counts as enrolled."""
        return "withdrawn" if self.status == "withdrawn" else "enrolled"


@dataclass(frozen=True, eq=False, slots=True)
class StudentSnapshot:
    """A student's seats and waitlist entries in all terms, in the order of courseID, and the keys of the sections that
    are planned or have an alert; `plan` has the planned sections in their order, `saved_plans` the other plans,
    `holds` those that haven't been lifted, `permits` and `appointments` all of them.

    `calendar_since` is when the link to the calendar was created. `row_ids` are the rows that all this was read from.
    Equal seats and waitlist entries have the same `fingerprint` in all processes, until a section moves. Snapshots are
    compared by identity. `derived` is for what pages compute from it: it is kept as long as the snapshot.
    """

    seats: tuple[StudentSeat, ...]
    waiting: tuple[WaitlistEntry, ...]
    planned: frozenset[SectionKey]
    alerts: tuple[SectionKey, ...]
    calendar_since: datetime | None
    row_ids: frozenset[Hashable]
    fingerprint: str
    plan: tuple[PlannedSection, ...] = ()
    saved_plans: tuple[SavedPlan, ...] = ()
    holds: tuple[Hold, ...] = ()
    permits: tuple[RecordedPermit, ...] = ()
    appointments: tuple[Appointment, ...] = ()
    derived: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        rows = len(self.seats) + 3 * len(self.waiting) + 3 * len(self.plan) + len(self.saved_plans) + len(self.alerts)
        rows += 4 * len(self.holds) + 4 * len(self.permits) + 2 * len(self.appointments)
        return 700 + DERIVED_BYTES + 200 * rows
