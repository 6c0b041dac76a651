"""The students in the scope of a staff member."""

from collections.abc import Iterable
from typing import Any

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices
from quart_enroll.db.collections.notices import SentNotice
from quart_enroll.domain import permissions
from quart_enroll.domain.models import PeopleFilter, User
from quart_enroll.domain.roles import STUDENT_ONLY

LATEST_NOTICES = 50
"""Notices that a record shows."""


def in_scope(staff: User, words: Iterable[str], **options: Any) -> PeopleFilter:
    """Return the filter for the students in the person's scope who match all the words; `options` are its fields."""
    advisor = None if permissions.can_read_all_students(staff) else staff.user_id
    return PeopleFilter(tuple(words), STUDENT_ONLY, advisor=advisor, **options)


async def latest_notices(db: Database, user_id: int) -> list[SentNotice]:
    """Return what the student was told lately about seats."""
    return await notices.find_latest(db, user_id, LATEST_NOTICES)
