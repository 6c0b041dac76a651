"""Lists of accounts, for those who manage them."""

from collections.abc import Collection, Sequence

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.users import (
    CASE_INSENSITIVE,
    HAS_USER_ID,
    PEOPLE_BY_NAME,
    USER_FIELDS,
    to_user,
    words_filter,
)
from quart_enroll.domain.models import PeopleOrder, User
from quart_enroll.domain.roles import Role

_SORTS = {"name": [*PEOPLE_BY_NAME], "user_id": [("user_id", 1)]}


async def count(db: Database, words: Sequence[str], roles: Collection[Role]) -> int:
    """Return how many people match all the words and have one of the roles, or any if there are none."""
    return int(await db.user.count_documents(_filter(words, roles), collation=CASE_INSENSITIVE))


async def find(
    db: Database, words: Sequence[str], roles: Collection[Role], order: PeopleOrder, *, skip: int, limit: int
) -> list[User]:
    """Return these people in that order: at most `limit` after the first `skip`."""
    found = db.user.find(_filter(words, roles), USER_FIELDS, collation=CASE_INSENSITIVE)
    return [to_user(row) async for row in found.sort(_SORTS[order]).skip(skip).limit(limit)]


async def find_after(
    db: Database, words: Sequence[str], roles: Collection[Role], after: int | None, *, limit: int
) -> list[User]:
    """Return these people in the order of user_id: at most `limit`, from the one that follows `after` on."""
    later: Document = {} if after is None else {"user_id": {"$gt": after}}
    found = db.user.find(_filter(words, roles) | later, USER_FIELDS, collation=CASE_INSENSITIVE)
    return [to_user(row) async for row in found.sort("user_id").limit(limit)]


async def find_by_ids(db: Database, user_ids: Collection[int], session: Session | None = None) -> list[User]:
    """Return the people with these user_ids, in their order."""
    found = db.user.find({"user_id": {"$in": [*user_ids]}}, USER_FIELDS, session=session).sort("user_id")
    return [to_user(row) async for row in found]


async def count_advisees(db: Database, user_id: int) -> int:
    """Return how many students have this advisor."""
    return int(await db.user.count_documents({"advisors": user_id}))


def _filter(words: Sequence[str], roles: Collection[Role]) -> Document:
    people = HAS_USER_ID | words_filter(words)
    return people | {"roles": {"$in": sorted(roles)}} if roles else people
