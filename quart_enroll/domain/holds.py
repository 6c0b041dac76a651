"""Holds: an office blocks changes of a student until it lifts the hold, or until the hold ends."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quart_enroll.i18n.language import Sentence, join_sentences

MAX_NAME_LENGTH = 60
"""The maximum number of characters in the name of a type or an office."""

MAX_TEXT_LENGTH = 200
"""The maximum number of characters in a reason, or in how to reach an office."""


class HoldBlock(StrEnum):
    """A change that a hold can block. The values never change, because holds are stored with them."""

    ENROLL = "enroll"
    WAITLIST = "waitlist"
    DROP = "drop"
    SWAP = "swap"

    @property
    def label(self) -> Sentence:
        """The change in the words of staff."""
        return _LABELS[self]


_LABELS: Mapping[HoldBlock, Sentence] = {
    HoldBlock.ENROLL: Sentence("Enrolling"),
    HoldBlock.WAITLIST: Sentence("Joining waitlists"),
    HoldBlock.DROP: Sentence("Dropping courses"),
    HoldBlock.SWAP: Sentence("Swapping courses"),
}

_CONSEQUENCES: Mapping[HoldBlock, Sentence] = {
    HoldBlock.ENROLL: Sentence("You can’t enroll."),
    HoldBlock.WAITLIST: Sentence("You can’t join waitlists."),
    HoldBlock.DROP: Sentence("You can’t drop courses."),
    HoldBlock.SWAP: Sentence("You can’t swap courses."),
}


IN_EFFECT = Sentence("In effect")
SCHEDULED = Sentence("Not yet in effect")
ENDED = Sentence("Ended on its date")
LIFTED = Sentence("Lifted")


@dataclass(frozen=True, slots=True)
class HoldType:
    """A type of hold as the school defines it: its name, the office that owns it, and what its holds block."""

    name: str
    office: str
    contact: str
    blocks: frozenset[HoldBlock]

    def hold(self, reason: str, begins_at: datetime | None = None, ends_at: datetime | None = None) -> "Hold":
        """Return a hold of this type."""
        return Hold(self.name, self.office, reason, self.contact, self.blocks, begins_at, ends_at)


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of a `type`, with the `office` that placed it, and what it `blocks`.

    The student reads the office, the `reason` and the `contact`. It blocks nothing before `begins_at`, nor from
    `ends_at` on.
    """

    type: str
    office: str
    reason: str
    contact: str
    blocks: frozenset[HoldBlock]
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Return whether the hold has begun and hasn't ended."""
        return (self.begins_at is None or self.begins_at <= now) and (self.ends_at is None or now < self.ends_at)

    def blocks_any(self, changes: Collection[HoldBlock], now: datetime) -> bool:
        """Return whether the hold blocks one of these changes now."""
        return self.is_active(now) and not self.blocks.isdisjoint(changes)

    @property
    def consequences(self) -> Sentence:
        """What the student can't do."""
        return consequences(self.blocks)


@dataclass(frozen=True, slots=True)
class RecordedHold:
    """A hold on a student's record, with the staff who placed and lifted it.

    `lifted_by` is None for one that ended on its date.
    """

    hold_id: str
    user_id: int
    hold: Hold
    placed_at: datetime
    placed_by: int
    lifted_at: datetime | None = None
    lifted_by: int | None = None
    lift_reason: str = ""

    def state(self, now: datetime) -> Sentence:
        """Return the state of the hold in the words of staff."""
        if self.lifted_at is not None:
            return ENDED if self.lifted_by is None else LIFTED
        if self.hold.begins_at is not None and now < self.hold.begins_at:
            return SCHEDULED
        return IN_EFFECT if self.hold.is_active(now) else ENDED


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """Which holds a list has: of a student or a type (None or empty for all), and whether lifted ones."""

    user_id: int | None = None
    type: str = ""
    is_lifted: bool | None = None

    @classmethod
    def of(cls, user_id: int | None, type: str, state: str) -> "HoldFilter":
        """Return the filter for a state: "current" for holds that aren't lifted, "lifted", or any other for all."""
        return cls(user_id, type, {"current": False, "lifted": True}.get(state))


def can_take_effect(begins_at: datetime | None, ends_at: datetime | None, now: datetime) -> bool:
    """Return whether a hold with this period ends in the future, and after it begins."""
    return ends_at is None or ends_at > max(begins_at or now, now)


def consequences(blocks: Collection[HoldBlock]) -> Sentence:
    """Return in sentences what a student whose hold blocks these changes can't do."""
    return join_sentences([sentence for block, sentence in _CONSEQUENCES.items() if block in blocks])


def active(holds: Iterable[Hold], now: datetime) -> tuple[Hold, ...]:
    """Return the holds that have begun and haven't ended."""
    return tuple(hold for hold in holds if hold.is_active(now))


def blocked_changes(holds: Iterable[Hold], now: datetime) -> dict[HoldBlock, Hold]:
    """Return the changes that are blocked now, each with the first hold that blocks it."""
    found: dict[HoldBlock, Hold] = {}
    for hold in active(holds, now):
        found = dict.fromkeys(hold.blocks, hold) | found
    return found
