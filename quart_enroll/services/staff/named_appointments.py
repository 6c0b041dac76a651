"""Enrollment appointments with the names of the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.appointments import RecordedAppointment


@dataclass(frozen=True, slots=True)
class NamedAppointment:
    """An appointment with the names of its student and its author; a deleted account has none."""

    record: RecordedAppointment
    student_name: str
    author_name: str


async def add_names(db: Database, records: Sequence[RecordedAppointment]) -> list[NamedAppointment]:
    """Return the appointments with names."""
    names = await users.find_names(db, {user_id for one in records for user_id in (one.user_id, one.author)})
    return [NamedAppointment(one, names.get(one.user_id, ""), names.get(one.author, "")) for one in records]
