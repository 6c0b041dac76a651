"""Permits, permission numbers and enrollment appointments with the names of the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.appointments import RecordedAppointment
from quart_enroll.domain.permission_numbers import PermissionNumber
from quart_enroll.domain.permits import RecordedPermit

R = TypeVar("R", bound=RecordedAppointment | RecordedPermit | PermissionNumber)


@dataclass(frozen=True, slots=True)
class NamedRecord(Generic[R]):
    """A record with the names of its student, if it has one, and its author; a deleted account's name is empty."""

    record: R
    student_name: str
    author_name: str

    @property
    def student_name_or_id(self) -> str:
        """The student's name, or the number of a deleted account; empty without a student."""
        user_id = self.record.user_id
        return "" if user_id is None else self.student_name or str(user_id)

    @property
    def author_name_or_id(self) -> str:
        """The author's name, or the number of a deleted account."""
        return self.author_name or str(self.record.author)


async def add_names(db: Database, records: Sequence[R]) -> list[NamedRecord[R]]:
    """Return the records with names."""
    ids = {user_id for one in records for user_id in (one.user_id, one.author) if user_id is not None}
    names = await users.find_names(db, ids)

    def name(user_id: int | None) -> str:
        return "" if user_id is None else names.get(user_id, "")

    return [NamedRecord(one, name(one.user_id), name(one.author)) for one in records]
