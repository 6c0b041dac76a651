"""Imports: a file's rows into the database, all of them or none; here the people, in catalog_files the rest."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import count
from typing import Any

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Course, Credentials, Event, Section, Term, User

PATIENCE = 120.0
"""Seconds for which an import retries: longer than MongoDB itself keeps a transaction whose process was killed."""


UNCONFIRMED_REGISTRAR = (
    "Somebody registered with this address and did not confirm that it is theirs. First let its owner choose a new "
    "password, by the link that password-link makes."
)
"""Why a row can't make an account a registrar's: the person who registered first knows its password."""


class BadRows(Exception):
    """Some rows contradict the database or each other; `rows` names each."""

    def __init__(self, rows: Sequence[RowProblem]) -> None:
        super().__init__(f"{len(rows)} rows can't be taken")
        self.rows = rows


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What a field held before, and what it holds now; moments are by the school's clock."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class RowChange:
    """What a row of a file changed in the entry `name`, and the number of students affected."""

    number: int
    name: str
    fields: Sequence[FieldChange]
    enrolled: int = 0
    waiting: int = 0

    @property
    def capacity_below_enrolled(self) -> int | None:
        """The new capacity, if more students are enrolled; otherwise None."""
        return next((one.new for one in self.fields if one.field == "capacity" and one.new < self.enrolled), None)


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were new, how many changed something, how many were there just so.

    `changes` has the old and new values of each row; `promoted` the waitlisted students who got a seat; `notes` are
    sentences about what is still missing.
    """

    added: int
    changed: int
    unchanged: int
    changes: Sequence[RowChange] = ()
    promoted: Sequence[Event] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user as a file has it: without a number for a new one, without a hash for who can't sign in yet.

    Names that are not `given` keep what is stored.
    """

    number: int
    user_id: int | None
    user: User
    password: str | None
    given: frozenset[str] = frozenset({"first_name", "last_name"})


class _DryRunDone(Exception):
    """Aborts the transaction of a dry run."""


async def run_import(
    db: Database, body: Callable[[Session], Coroutine[Any, Any, Imported]], *, dry_run: bool
) -> Imported:
    """Run the import in one transaction and return what it did; a dry run then rolls it back."""
    if not dry_run:
        return await transaction(db, body, PATIENCE)
    done: list[Imported] = []

    async def run_and_abort(session: Session) -> None:
        done[:] = [await body(session)]
        raise _DryRunDone

    with suppress(_DryRunDone):
        await transaction(db, run_and_abort, PATIENCE)
    return done[0]


def field_changes(old: Course | Section | Term | User, new: Course | Section | Term | User) -> list[FieldChange]:
    """Return the fields that differ."""

    def by_clock(value: Any) -> Any:
        return new.local(value) if isinstance(new, Term) and isinstance(value, datetime) else value

    pairs = [(one.name, getattr(old, one.name), getattr(new, one.name)) for one in fields(new)]
    return [FieldChange(name, by_clock(was), by_clock(now)) for name, was, now in pairs if was != now]


async def import_users(
    db: Database, rows: Sequence[NewUser], *, unusable_password: str, dry_run: bool = False
) -> Imported:
    """Store users under their user_id, or under their address when they have none.

    Somebody who has an account keeps the password, and the role if the row has none. Raises BadRows when rows
    share a number or an address, when an address belongs to somebody with another number, and when somebody would be
    the registrar whose address is not confirmed.
    """
    refuse_twins([(row.number, row.user.email) for row in rows], "email", email_addresses.canonical)
    refuse_twins([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")
    highest = max((row.user_id or 0 for row in rows), default=0)
    if not dry_run:
        await users.raise_user_id_counter(db, highest)

    async def body(session: Session) -> Imported:
        known = await users.find_all(db, session)
        unused = count(max([highest, *(user.user_id for user in known)]) + 1)  # a dry run must not use up numbers
        new, changes, changed = _sorted_out(rows, known)
        stored = []
        for row in new:
            number = row.user_id or (next(unused) if dry_run else await users.next_user_id(db))
            user = replace(row.user, user_id=number, role=row.user.role or "student")
            stored.append(Credentials(user, row.password or unusable_password))
        await users.put_all(db, stored, changed, session)
        return Imported(len(new), len(changed), len(rows) - len(new) - len(changed), changes)

    return await run_import(db, body, dry_run=dry_run)


def _sorted_out(rows: Sequence[NewUser], known: Sequence[User]) -> tuple[list[NewUser], list[RowChange], list[User]]:
    """Return the rows of new users, and the users that rows change; raise BadRows for what belongs to other users."""
    by_number = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(email_addresses.canonical(user.email), []).append(user)
    new, changes, changed, bad = [], [], [], []
    for row in rows:
        owners = by_email.get(email_addresses.canonical(row.user.email), [])
        found = by_number.get(row.user_id) if row.user_id else next(iter(owners), None)
        if [owner for owner in owners if owner != found]:
            numbers = " and ".join(str(owner.user_id) for owner in owners)
            bad.append(RowProblem(row.number, f"This email belongs to user {numbers}.", "email"))
        elif found is None:
            new.append(row)
        elif found.email_unconfirmed and row.user.role == "registrar" and found.role != "registrar":
            bad.append(RowProblem(row.number, UNCONFIRMED_REGISTRAR, "role"))
        elif (wanted := _changed(row, found)) != found:
            changes.append(RowChange(row.number, f"user {found.user_id}", field_changes(found, wanted)))
            changed.append(wanted)
    if bad:
        raise BadRows(bad)
    return new, changes, changed


def _changed(row: NewUser, found: User) -> User:
    """Return the user as the row has it, with what it does not say; an address keeps its stored spelling."""
    given, same_address = row.user, email_addresses.canonical(row.user.email) == email_addresses.canonical(found.email)
    return replace(
        given,
        user_id=found.user_id,
        email=found.email if same_address else given.email,
        first_name=given.first_name if "first_name" in row.given else found.first_name,
        last_name=given.last_name if "last_name" in row.given else found.last_name,
        role=given.role or found.role,
        language=found.language,
        email_unconfirmed=found.email_unconfirmed and same_address,
    )


def refuse_twins(names: Sequence[tuple[int, str]], field: str, key: Callable[[str], str] = str) -> None:
    """Raise BadRows if two rows, each given by its number and its name, have names of the same `key`."""
    first: dict[str, int] = {}
    twins = [
        RowProblem(number, f"{name} is in the file twice.", field, first=first[key(name)])
        for number, name in names
        if first.setdefault(key(name), number) != number
    ]
    if twins:
        raise BadRows(twins)
