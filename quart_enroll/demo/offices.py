"""The holds of the demo school's offices."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from quart_enroll.domain.holds import HoldBlock, HoldType, RecordedHold
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role

HELD = "chioma@school.example"
"""The student with a hold."""

BURSAR = HoldType(
    "Bursar hold", "Bursar’s Office", "bursar@school.example", frozenset({HoldBlock.ENROLL, HoldBlock.WAITLIST})
)
HOLD_TYPES = (
    HoldType("Advising hold", "Advising Center", "Room 104", frozenset({HoldBlock.ENROLL, HoldBlock.SWAP})),
    BURSAR,
    HoldType("Disciplinary hold", "Dean of Students", "555-0134", frozenset(HoldBlock)),
)


def holds(people: Sequence[User], now: datetime) -> list[RecordedHold]:
    """Return the one hold, which the registrar placed a few days ago."""
    [student] = [one for one in people if one.email == HELD]
    [registrar, *_] = [one for one in people if Role.REGISTRAR in one.roles]
    hold = BURSAR.hold("The housing deposit for the fall is unpaid.")
    return [RecordedHold("", student.user_id, hold, now - timedelta(days=3), registrar.user_id)]
