"""Holds with the names of the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.holds import RecordedHold


@dataclass(frozen=True, slots=True)
class NamedHold:
    """A hold with the names of its student and of the staff who placed and lifted it; a deleted account has none."""

    record: RecordedHold
    student_name: str
    placed_by_name: str
    lifted_by_name: str


async def add_names(db: Database, records: Sequence[RecordedHold]) -> list[NamedHold]:
    """Return the holds with names."""
    ids = {user_id for one in records for user_id in (one.user_id, one.placed_by, one.lifted_by) if user_id is not None}
    names = await users.find_names(db, ids)
    return [
        NamedHold(
            one,
            names.get(one.user_id, ""),
            names.get(one.placed_by, ""),
            "" if one.lifted_by is None else names.get(one.lifted_by, ""),
        )
        for one in records
    ]
