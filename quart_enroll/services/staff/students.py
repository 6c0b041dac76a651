"""The students in the scope of a member of the staff."""

from collections.abc import AsyncGenerator, Sequence

from quart_enroll.db.client import Database
from quart_enroll.db.collections import notices, users
from quart_enroll.db.collections.notices import SentNotice
from quart_enroll.domain import permissions
from quart_enroll.domain.models import User

LATEST_NOTICES = 50
"""Notices that a record shows."""


async def count(db: Database, staff: User, words: Sequence[str]) -> int:
    """Return how many students in the person's scope match all the words."""
    return await users.count_students(db, words, _advisor(staff))


async def find(
    db: Database, staff: User, words: Sequence[str], *, sort: str, descending: bool, skip: int, max_students: int
) -> list[User]:
    """Return these students without the first `skip` of them, sorted by a field."""
    return await users.find_students(
        db, words, advisor=_advisor(staff), sort=sort, descending=descending, skip=skip, limit=max_students
    )


async def find_after(
    db: Database, staff: User, words: Sequence[str], after: int | None, *, max_students: int, include_opted_out: bool
) -> list[User]:
    """Return these students in the order of user_id, from the one that follows `after` on.

    Those who opted out of the directory are left out unless they are to be included.
    """
    return await users.find_students_after(
        db, words, after, advisor=_advisor(staff), limit=max_students, include_opted_out=include_opted_out
    )


def batches(
    db: Database, staff: User, words: Sequence[str], *, include_opted_out: bool
) -> AsyncGenerator[list[User], None]:
    """Yield all these students in batches; those who opted out of the directory only if they are to be included."""
    return users.student_batches(db, words, _advisor(staff), include_opted_out=include_opted_out)


async def latest_notices(db: Database, user_id: int) -> list[SentNotice]:
    """Return what the student was told lately about seats."""
    return await notices.find_latest(db, user_id, LATEST_NOTICES)


def _advisor(staff: User) -> int | None:
    """Return the user_id to whose advisees the person is limited; None for someone who sees all students."""
    return None if permissions.can_read_all_students(staff) else staff.user_id
