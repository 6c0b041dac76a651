"""Lists of accounts, for those who manage them."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence

from motor.motor_asyncio import AsyncIOMotorCursor

from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections.users import (
    CASE_INSENSITIVE,
    HAS_USER_ID,
    PEOPLE_BY_NAME,
    USER_FIELDS,
    to_user,
    words_filter,
)
from quart_enroll.domain.models import PeopleFilter, PeopleOrder, User
from quart_enroll.domain.roles import Role

BATCH_SIZE = 500
"""People in memory at the same time: some 250 kB."""

_SORTS: Mapping[PeopleOrder, Sequence[str]] = {
    "name": [name for name, _ in PEOPLE_BY_NAME],
    "user_id": ["user_id"],
}


async def count(db: Database, wanted: PeopleFilter) -> int:
    """Return the number of these people."""
    return int(await db.user.count_documents(_filter(wanted), collation=CASE_INSENSITIVE))


async def find(db: Database, wanted: PeopleFilter, *, skip: int, limit: int) -> list[User]:
    """Return these people: at most `limit` after the first `skip`."""
    return [to_user(row) async for row in _cursor(db, wanted).skip(skip).limit(limit)]


async def batches(db: Database, wanted: PeopleFilter) -> AsyncGenerator[list[User], None]:
    """Yield all these people in batches."""
    cursor = _cursor(db, wanted)
    try:
        while rows := await cursor.to_list(BATCH_SIZE):
            yield [to_user(row) for row in rows]
    finally:
        await cursor.close()


async def find_after(
    db: Database, words: Sequence[str], roles: Collection[Role], after: int | None, *, limit: int
) -> list[User]:
    """Return these people in the order of user_id: at most `limit`, from the one that follows `after` on."""
    later: Document = {} if after is None else {"user_id": {"$gt": after}}
    wanted = _filter(PeopleFilter(tuple(words), frozenset(roles)))
    found = db.user.find(wanted | later, USER_FIELDS, collation=CASE_INSENSITIVE)
    return [to_user(row) async for row in found.sort("user_id").limit(limit)]


async def count_advisees(db: Database, user_id: int) -> int:
    """Return how many students have this advisor."""
    return int(await db.user.count_documents({"advisors": user_id}))


def _cursor(db: Database, wanted: PeopleFilter) -> AsyncIOMotorCursor[Document]:
    direction = -1 if wanted.descending else 1
    found = db.user.find(_filter(wanted), USER_FIELDS, collation=CASE_INSENSITIVE, batch_size=BATCH_SIZE)
    return found.sort([(name, direction) for name in _SORTS[wanted.order]])


def _filter(wanted: PeopleFilter) -> Document:
    found: Document = HAS_USER_ID | words_filter(wanted.words)
    if wanted.roles:
        without_roles = [None] if Role.STUDENT in wanted.roles else []
        found |= {"roles": {"$in": [*sorted(wanted.roles), *without_roles]}}
    if not wanted.with_opted_out:
        found |= {"directory_opt_out": None}
    return found
