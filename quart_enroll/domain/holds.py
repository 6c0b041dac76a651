"""Holds: what an office blocks for a student until it lifts the hold."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class HoldBlock(StrEnum):
    """A change that a hold can block. The values never change, because holds are stored with them."""

    ENROLL = "enroll"
    WAITLIST = "waitlist"
    DROP = "drop"
    SWAP = "swap"


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold: the code of its `type`, the `office` that placed it, and what it `blocks`.

    The student reads the office, the `reason` and the `contact`.
    """

    type: str
    office: str
    reason: str
    contact: str
    blocks: frozenset[HoldBlock]

    def blocks_any(self, changes: Collection[HoldBlock]) -> bool:
        """Return whether the hold blocks one of these changes."""
        return not self.blocks.isdisjoint(changes)
