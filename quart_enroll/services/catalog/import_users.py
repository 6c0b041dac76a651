"""Imports users: all rows of a file, or none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Credentials, User
from quart_enroll.services.catalog.imports import (
    ImportResult,
    RowChange,
    field_changes,
    refuse,
    refuse_duplicates,
    run_import,
)

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


async def import_users(
    db: Database, rows: Sequence[ImportedUser], *, unusable_password: str, dry_run: bool = False
) -> ImportResult:
    """Store users by user_id, or by email address if the row has no user_id.

    An existing user keeps the password, and the role if the row has none. `unusable_password` is the hash for new users
    without one. Raises InvalidRows if rows share a user_id or an email address, if an address belongs to a user with
    another user_id, and if a user whose address is not confirmed would become a registrar.
    """
    refuse_duplicates([(row.number, row.user.email) for row in rows], "email", email_addresses.canonical)
    refuse_duplicates([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")
    highest = max((row.user_id or 0 for row in rows), default=0)
    if not dry_run:
        await users.raise_user_id_counter(db, highest)

    async def body(session: Session) -> ImportResult:
        known = await users.find_all(db, session)
        unused = count(max([highest, *(user.user_id for user in known)]) + 1)  # a dry run must not use up user_ids
        new, changes, changed = _sort_rows(rows, known)
        stored = []
        for row in new:
            user_id = row.user_id or (next(unused) if dry_run else await users.next_user_id(db))
            user = replace(row.user, user_id=user_id, role=row.user.role or "student")
            stored.append(Credentials(user, row.password or unusable_password))
        await users.put_all(db, stored, changed, session)
        return ImportResult(len(new), len(changed), len(rows) - len(new) - len(changed), changes)

    return await run_import(db, body, dry_run=dry_run)


def _sort_rows(
    rows: Sequence[ImportedUser], known: Sequence[User]
) -> tuple[list[ImportedUser], list[RowChange], list[User]]:
    """Return the rows of new users, and what rows change about existing users; raise InvalidRows for conflicts."""
    by_user_id = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(email_addresses.canonical(user.email), []).append(user)
    new, changes, changed, problems = [], [], [], []
    for row in rows:
        owners = by_email.get(email_addresses.canonical(row.user.email), [])
        found = by_user_id.get(row.user_id) if row.user_id else next(iter(owners), None)
        if [owner for owner in owners if owner != found]:
            numbers = " and ".join(str(owner.user_id) for owner in owners)
            problems.append(RowProblem(row.number, f"This email belongs to user {numbers}.", "email"))
        elif found is None:
            new.append(row)
        elif found.email_unconfirmed and row.user.role == "registrar" and found.role != "registrar":
            problems.append(RowProblem(row.number, UNCONFIRMED_REGISTRAR, "role"))
        elif (wanted := _merge(row, found)) != found:
            changes.append(RowChange(row.number, f"user {found.user_id}", field_changes(found, wanted)))
            changed.append(wanted)
    refuse(problems)
    return new, changes, changed


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
