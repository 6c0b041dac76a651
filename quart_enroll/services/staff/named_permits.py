"""Permits with the names of the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.permits import RecordedPermit


@dataclass(frozen=True, slots=True)
class NamedPermit:
    """A permit with the names of the student and of its author; a deleted account has its number."""

    record: RecordedPermit
    student_name: str
    author_name: str


async def add_names(db: Database, found: Sequence[RecordedPermit]) -> list[NamedPermit]:
    """Return the permits with names."""
    names = await users.find_names(db, {one for record in found for one in (record.user_id, record.author)})
    return [
        NamedPermit(one, names.get(one.user_id, str(one.user_id)), names.get(one.author, str(one.author)))
        for one in found
    ]
