"""Entries of the logs with the names of the people in them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.audit import AccessEntry, AuditEntry

E = TypeVar("E", bound=AuditEntry | AccessEntry)
T = TypeVar("T")
N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class NamedEntry(Generic[E]):
    """An entry with the names of its actor and of the person it concerns; a deleted account's name is empty."""

    entry: E
    actor_name: str
    person_name: str


async def add_names(db: Database, entries: Sequence[E]) -> list[NamedEntry[E]]:
    """Return the entries with names."""
    ids = {one for entry in entries for one in (entry.actor, entry.user_id) if one is not None}
    names = await users.find_names(db, ids)
    return [
        NamedEntry(entry, names.get(entry.actor, ""), "" if entry.user_id is None else names.get(entry.user_id, ""))
        for entry in entries
    ]


async def named_batches(
    db: Database, batches: AsyncGenerator[list[T], None], add: Callable[[Database, list[T]], Awaitable[list[N]]]
) -> AsyncGenerator[list[N], None]:
    """Yield the batches with the names that `add` adds."""
    async with aclosing(batches):
        async for batch in batches:
            yield await add(db, batch)


async def find_person(db: Database, text: str) -> int | None:
    """Return the user_id that the text names, as a number or an email address; None if no user has that address.

    A number needs no account: the logs still have the entries of deleted ones.
    """
    if users.is_user_id(text):
        return int(text)
    found = await users.find_credentials(db, text)
    return None if found is None else found.user.user_id
