"""Lists of people, for staff: counted, sorted and searched by indexes alone.

Each query names its index, because MongoDB would try several indexes in turn, which takes longer than the query.
"""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from bson import Regex
from motor.motor_asyncio import AsyncIOMotorCursor

from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections import users
from quart_enroll.db.collections.users import CASE_INSENSITIVE, HAS_USER_ID, PEOPLE_BY_EMAIL, PEOPLE_BY_NAME
from quart_enroll.domain import people_search
from quart_enroll.domain.models import PeopleFilter, PeopleMatches, PeopleOrder, User
from quart_enroll.domain.roles import STUDENT_ONLY

BATCH_SIZE = 500
"""People in memory at the same time: some 250 kB."""

MAX_FOUND = 250
"""People that the pages of a search show at most: nobody reads on, and files have all of them."""

MAX_COUNTED_WORDS = 4
"""The most words of a search that are counted before it, the longest first."""

MAX_COUNTED_SHARE = 8
"""A word is counted until every eighth user has it: then it is as if everybody had it."""

Keys: TypeAlias = Sequence[tuple[str, int]]

_ORDERS: Mapping[PeopleOrder, Keys] = {
    "name": PEOPLE_BY_NAME,
    "user_id": (("user_id", 1),),
    "email": PEOPLE_BY_EMAIL,
}
_SEARCH_WORDS = (("search_words", 1),)


class _Plan(NamedTuple):
    """What to find, and the keys of the index to read."""

    filter: Document
    keys: Keys


async def match(db: Database, wanted: PeopleFilter) -> PeopleMatches:
    """Return how many of these people there are; in a search, also who."""
    if not people_search.prefixes(wanted.words):
        plan = await _plan(db, replace(wanted, order="user_id"))  # the smallest index
        # One range of it contains all users, and is counted twice as fast as the two ranges that sorting needs.
        anybody = {} if wanted.roles else {"is_student": {"$gte": False}}
        total = await db.user.count_documents(plan.filter | anybody, hint=[*plan.keys], collation=CASE_INSENSITIVE)
        return PeopleMatches(int(total))
    plan = await _plan(db, wanted)
    found = _sorted(db, plan, wanted, ["user_id"]).limit(MAX_FOUND + 1)
    user_ids = [row["user_id"] async for row in found]
    return PeopleMatches(len(user_ids[:MAX_FOUND]), user_ids[:MAX_FOUND], is_cut=len(user_ids) > MAX_FOUND)


async def find(db: Database, wanted: PeopleFilter, matches: PeopleMatches, *, skip: int = 0, limit: int) -> list[User]:
    """Return at most `limit` of these people after the first `skip`."""
    if matches.user_ids is not None:
        user_ids = matches.user_ids[skip : skip + limit]
        people_by_id = await users.find_many(db, user_ids)
        return [people_by_id[user_id] for user_id in user_ids if user_id in people_by_id]
    number = max(0, min(limit, matches.total - skip))
    if is_backwards := skip > matches.total - skip - number:  # then the end of the list is nearer
        wanted, skip = replace(wanted, descending=not wanted.descending), matches.total - skip - number
    found = _sorted(db, await _plan(db, wanted), wanted).skip(skip).limit(number or 1)
    people = [users.to_user(row) async for row in found]
    return people[::-1] if is_backwards else people


async def batches(db: Database, wanted: PeopleFilter) -> AsyncGenerator[list[User], None]:
    """Yield all these people in batches."""
    cursor = _sorted(db, await _plan(db, wanted), wanted)
    try:
        while rows := await cursor.to_list(BATCH_SIZE):
            yield [users.to_user(row) for row in rows]
    finally:
        await cursor.close()


async def find_after(db: Database, wanted: PeopleFilter, after: int | None, *, limit: int) -> list[User]:
    """Return at most `limit` of these people, who are sorted by user_id, from the one that follows `after` on."""
    plan = await _plan(db, wanted)
    later: Document = {} if after is None else {"user_id": {"$gt": after}}
    found = _sorted(db, _Plan(plan.filter | later, plan.keys), wanted).limit(limit)
    return [users.to_user(row) async for row in found]


async def count_advisees(db: Database, user_id: int) -> int:
    """Return how many students have this advisor."""
    return int(await db.user.count_documents({"advisors": user_id}))


def _sorted(
    db: Database, plan: _Plan, wanted: PeopleFilter, fields: Sequence[str] = tuple(users.USER_FIELDS)
) -> AsyncIOMotorCursor[Document]:
    order = [(name, -1 if wanted.descending else 1) for name, _ in _ORDERS[wanted.order]]
    found = db.user.find(
        plan.filter,
        dict.fromkeys(fields, 1) | {"_id": 0},
        collation=CASE_INSENSITIVE,
        batch_size=BATCH_SIZE,
        hint=[*plan.keys],
    )
    return found.sort(order)


async def _plan(db: Database, wanted: PeopleFilter) -> _Plan:
    """Store what an older version has left out, then choose the index: that of the words, or one in the order."""
    await users.store_derived_fields(db)
    found, keys = _of_roles(wanted)
    if not wanted.with_opted_out:
        found |= {"directory_opt_out": {"$ne": True}}
    words = [_of_word(one) for one in people_search.prefixes(wanted.words)]
    if wanted.advisor is not None:
        return _Plan(found | {"advisors": wanted.advisor} | _all(words), (("advisors", 1),))
    rarest = await _find_rarest(db, words)
    if rarest is None:
        return _Plan(found | _all(words), keys)
    # Negated twice, the other words are no reason for MongoDB to try the index with each of them.
    others = [{"search_words": {"$not": one["search_words"]}} for one in words if one is not rarest]
    return _Plan(found | rarest | ({"$nor": others} if others else {}), _SEARCH_WORDS)


def _all(words: Sequence[Document]) -> Document:
    return {"$and": words} if words else {}


def _of_roles(wanted: PeopleFilter) -> _Plan:
    if wanted.roles and wanted.roles != STUDENT_ONLY:
        return _Plan(HAS_USER_ID | {"roles": {"$in": sorted(wanted.roles)}}, (("roles", 1), *PEOPLE_BY_NAME))
    is_student = True if wanted.roles else {"$in": [True, False]}
    return _Plan({"is_student": is_student}, (("is_student", 1), *_ORDERS[wanted.order]))


def _of_word(prefixes: Sequence[str]) -> Document:
    regexes = [Regex("^" + re.escape(prefix)) for prefix in prefixes]
    # Only without `$in`, MongoDB counts in the index.
    return {"search_words": regexes[0] if len(regexes) == 1 else {"$in": regexes}}


async def _find_rarest(db: Database, words: Sequence[Document]) -> Document | None:
    """Return the rarest word, if it takes less to read everyone who has it than to read the list in its order.

    The latter ends as soon as enough people have all words. With 50,000 students, 3,500 may have a single word, and
    8,500 each of two words.
    """
    total = await db.user.estimated_document_count()
    rarest, least, share = None, total, 1.0
    for word in words[:MAX_COUNTED_WORDS]:
        number = await db.user.count_documents(word, hint=[*_SEARCH_WORDS], limit=total // MAX_COUNTED_SHARE + 1)
        if number <= total // MAX_COUNTED_SHARE:
            share *= number / total
            if number < least:
                rarest, least = word, number
        if rarest and least * share <= MAX_FOUND:
            return rarest
    return None
