"""Imports: a file's rows into the database, all of them or none; here the people, in catalog_files the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from quart_enroll.errors import BadRow
from quart_enroll.models import Credentials, User
from quart_enroll.mongo import Database, Session
from quart_enroll.repositories import users
from quart_enroll.transactions import transaction

PATIENCE = 60.0
"""Seconds that an import may try again while students change what it changes."""


class BadRows(Exception):
    """Some rows contradict the database or each other; `rows` names each."""

    def __init__(self, rows: Sequence[BadRow]) -> None:
        super().__init__(f"{len(rows)} rows can't be taken")
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were new, how many changed something, how many were there just so."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user as a file has it: without a number for a new one, without a hash for who can't sign in yet."""

    number: int
    user_id: int | None
    user: User
    password: str | None


async def import_users(db: Database, rows: Sequence[NewUser], *, nobodys_password: str) -> Imported:
    """Store users under their user_id, or under their address when they have none.

    Somebody who has an account keeps the password, and the role if the row has none. Raises BadRows when rows
    share a number or an address, or when an address belongs to somebody with another number.
    """
    refuse_twins([(row.number, row.user.email.casefold()) for row in rows], "email")
    refuse_twins([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")
    await users.raise_counter(db, max((row.user_id or 0 for row in rows), default=0))

    async def body(session: Session) -> Imported:
        known = await users.find_all(db, session)
        new, changed = _sorted_out(rows, known)
        stored = [
            Credentials(
                replace(row.user, user_id=row.user_id or await users.next_number(db), role=row.user.role or "student"),
                row.password or nobodys_password,
            )
            for row in new
        ]
        await users.put_all(db, stored, changed, session)
        return Imported(len(new), len(changed), len(rows) - len(new) - len(changed))

    return await transaction(db, body, PATIENCE)


def _sorted_out(rows: Sequence[NewUser], known: Sequence[User]) -> tuple[list[NewUser], list[User]]:
    """Return the rows of new users and the users that rows change; raise BadRows for what belongs to others."""
    by_number = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(user.email.casefold(), []).append(user)
    new, changed, bad = [], [], []
    for row in rows:
        owners = by_email.get(row.user.email.casefold(), [])
        found = by_number.get(row.user_id) if row.user_id else next(iter(owners), None)
        if [owner for owner in owners if owner != found]:
            numbers = " and ".join(str(owner.user_id) for owner in owners)
            bad.append(BadRow(row.number, f"email: The address belongs to user {numbers}."))
        elif found is None:
            new.append(row)
        elif (wanted := _changed(row.user, found)) != found:
            changed.append(wanted)
    if bad:
        raise BadRows(bad)
    return new, changed


def _changed(given: User, found: User) -> User:
    """Return the user as the row has it, with what no row says."""
    return replace(
        given,
        user_id=found.user_id,
        role=given.role or found.role,
        language=found.language,
        email_unconfirmed=found.email_unconfirmed and given.email.casefold() == found.email.casefold(),
    )


def refuse_twins(keys: Sequence[tuple[int, str]], field: str) -> None:
    """Raise BadRows if two rows, each given by its number and its key, have the same key."""
    first: dict[str, int] = {}
    twins = [
        BadRow(number, f"{field}: {key} stands in row {first[key]} too.")
        for number, key in keys
        if first.setdefault(key, number) != number
    ]
    if twins:
        raise BadRows(twins)
