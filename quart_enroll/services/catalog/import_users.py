"""Imports users: all rows of a file or none, but a long file in batches, each all or none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Credentials, User
from quart_enroll.services.catalog.imports import (
    ImportResult,
    InvalidRows,
    Record,
    RowChange,
    field_changes,
    record_nothing,
    refuse,
    refuse_duplicates,
    run_import,
    total,
)

BATCH_ROWS = 2000
"""Most users in one transaction: MongoDB ends one that takes a minute, and keeps what it has written in its cache."""

UNCONFIRMED_REGISTRAR = (
    "This email was registered, but never confirmed. First have its owner set a new password, with a link from "
    "`password-link`."
)
"""Why a row can't make an account a registrar's: the person who registered first knows its password."""


@dataclass(frozen=True, slots=True)
class ImportedUser:
    """A user from row `number` of a file; names that are not `given` keep their stored values.

    A new user may have no user_id, and a user who can't sign in yet has no password hash.
    """

    number: int
    user_id: int | None
    user: User
    password: str | None
    given: frozenset[str] = frozenset({"first_name", "last_name"})


class _Comparison(NamedTuple):
    """Rows of new users, what rows change about existing ones, these users as they will be, and conflicts."""

    new: list[ImportedUser]
    changes: list[RowChange]
    changed: list[User]
    problems: list[RowProblem]


async def import_users(
    db: Database,
    rows: Sequence[ImportedUser],
    *,
    unusable_password: str,
    dry_run: bool = False,
    record: Record = record_nothing,
) -> ImportResult:
    """Store users by user_id, or by email address if the row has no user_id.

    An existing user keeps the password, and the role if the row has none. `unusable_password` is the hash for new users
    without one. All rows are compared with the database before the first BATCH_ROWS of them are stored, and `record` is
    called for each batch. Raises InvalidRows if rows share a user_id or an email address, if an address belongs to a
    user with another user_id, and if a user whose address is not confirmed would become a registrar.
    """
    refuse_duplicates([(row.number, row.user.email) for row in rows], "email", email_addresses.canonical)
    refuse_duplicates([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")
    compared = [(batch, await _compare(db, batch)) for batch in _batches(rows)]
    refuse([problem for _, one in compared for problem in one.problems])
    if dry_run:
        return total(_result(batch, one) for batch, one in compared)
    await users.raise_user_id_counter(db, max((row.user_id or 0 for row in rows), default=0))
    results: list[ImportResult] = []
    for batch in _batches(rows):
        try:
            results.append(await run_import(db, partial(_store, db, batch, unusable_password), record=record))
        except InvalidRows as refused:
            raise InvalidRows(refused.problems, sum(result.rows for result in results)) from refused
    return total(results)


async def _store(db: Database, rows: Sequence[ImportedUser], unusable_password: str, session: Session) -> ImportResult:
    compared = await _compare(db, rows, session)
    refuse(compared.problems)
    unused = iter(await users.next_user_ids(db, sum(row.user_id is None for row in compared.new)))
    new = [
        Credentials(
            replace(row.user, user_id=row.user_id or next(unused), role=row.user.role or "student"),
            row.password or unusable_password,
        )
        for row in compared.new
    ]
    await users.put_all(db, new, compared.changed, session)
    return _result(rows, compared)


def _batches(rows: Sequence[ImportedUser]) -> Iterator[Sequence[ImportedUser]]:
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))


def _result(rows: Sequence[ImportedUser], compared: _Comparison) -> ImportResult:
    added, changed = len(compared.new), len(compared.changed)
    return ImportResult(added, changed, len(rows) - added - changed, compared.changes)


async def _compare(db: Database, rows: Sequence[ImportedUser], session: Session | None = None) -> _Comparison:
    """Compare the rows with the users who have their user_ids or email addresses."""
    user_ids, emails = {row.user_id for row in rows if row.user_id is not None}, {row.user.email for row in rows}
    known = await users.find_owners(db, user_ids, emails, session)
    by_user_id = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(email_addresses.canonical(user.email), []).append(user)
    found = _Comparison([], [], [], [])
    for row in rows:
        owners = by_email.get(email_addresses.canonical(row.user.email), [])
        owner = by_user_id.get(row.user_id) if row.user_id else next(iter(owners), None)
        if [other for other in owners if other != owner]:
            numbers = " and ".join(str(other.user_id) for other in owners)
            found.problems.append(RowProblem(row.number, f"This email belongs to user {numbers}.", "email"))
        elif owner is None:
            found.new.append(row)
        elif owner.email_unconfirmed and row.user.role == "registrar" and owner.role != "registrar":
            found.problems.append(RowProblem(row.number, UNCONFIRMED_REGISTRAR, "role"))
        elif (wanted := _merge(row, owner)) != owner:
            found.changes.append(RowChange(row.number, f"user {owner.user_id}", field_changes(owner, wanted)))
            found.changed.append(wanted)
    return found


def _merge(row: ImportedUser, found: User) -> User:
    """Return the row's user, with missing fields from the stored one; an email address keeps its stored spelling."""
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
