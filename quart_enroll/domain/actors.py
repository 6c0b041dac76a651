"""Who changes a student's seats: the student, or staff, who give a reason and may override rules."""

from dataclasses import dataclass
from enum import StrEnum

from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence


class Override(StrEnum):
    """A rule that staff may set aside, or several that are set aside together; a refusal's class names its override.

    The values never change, because events and seats are stored with them.
    """

    CLOSED_TERM = "closed_term"
    APPOINTMENT = "appointment"
    FULL = "full"
    REQUISITES = "requisites"
    RESTRICTION = "restriction"
    REPEAT = "repeat"
    CONSENT = "consent"
    TIME_CONFLICT = "time_conflict"
    CREDIT_LIMIT = "credit_limit"
    SECTION_CLOSED = "section_closed"
    RESERVED_SEATS = "reserved_seats"

    @property
    def label(self) -> Sentence:
        """The text of its checkbox."""
        return _LABELS[self]


_LABELS = {
    Override.CLOSED_TERM: Sentence("Ignore the term’s dates"),
    Override.APPOINTMENT: Sentence("Ignore the enrollment appointment"),
    Override.FULL: Sentence("Exceed the capacity"),
    Override.REQUISITES: Sentence("Waive prerequisites and corequisites"),
    Override.RESTRICTION: Sentence("Set the restriction aside"),
    Override.REPEAT: Sentence("Allow another attempt at the course"),
    Override.CONSENT: Sentence("Give consent"),
    Override.TIME_CONFLICT: Sentence("Allow the time conflict"),
    Override.CREDIT_LIMIT: Sentence("Exceed the credit limit"),
    Override.SECTION_CLOSED: Sentence("Let the student into the closed section"),
    Override.RESERVED_SEATS: Sentence("Give the student a seat reserved for others"),
}

SEAT_LIMITS = frozenset({Override.FULL, Override.RESERVED_SEATS})
"""The overrides that give a student a seat when none is open to them."""

NO_OVERRIDES: frozenset[Override] = frozenset()

SEAT_OVERRIDES = frozenset(
    {
        Override.REQUISITES,
        Override.RESTRICTION,
        Override.REPEAT,
        Override.CONSENT,
        Override.TIME_CONFLICT,
        Override.CREDIT_LIMIT,
    }
)
"""The overrides that a waitlist entry keeps until the student gets a seat."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A staff member who acts for a student, with the reason and the overrides.

    `role` is the one that permits it.
    """

    user_id: int
    reason: str
    overrides: frozenset[Override] = NO_OVERRIDES
    role: Role = Role.REGISTRAR
