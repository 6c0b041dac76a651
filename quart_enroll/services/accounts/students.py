"""The registrar's list of students."""

from collections.abc import Sequence

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import User


async def count(db: Database, words: Sequence[str]) -> int:
    """Return how many students match all the words."""
    return await users.count_students(db, words)


async def find(db: Database, words: Sequence[str], *, skip: int = 0, max_students: int) -> list[User]:
    """Return the students who match all the words, without the first `skip` of them."""
    return await users.find_students(db, words, skip=skip, limit=max_students)
