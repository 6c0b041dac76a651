"""Imports users: all rows of a file or none, but a long file in batches, each all or none.

What takes long for all rows of a long file runs in a thread, so that no request waits.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Credentials, User
from quart_enroll.domain.roles import STAFF_ROLES, STUDENT_ONLY, Role
from quart_enroll.i18n.language import Sentence
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

UNCONFIRMED_STAFF = Sentence(
    "This email was registered, but never confirmed. First have its owner set a new password, with a link from "
    "`password-link`."
)
"""Why a row can't give an account a staff role: the person who registered first knows its password."""


KEPT_FIELDS = ("first_name", "last_name", "subjects", "advisors", "directory_opt_out")
"""The fields that keep their stored value if a row does not give them."""

LAST_REGISTRAR = Sentence("This would leave the school without a registrar.")


@dataclass(frozen=True, slots=True)
class ImportedUser:
    """A user from row `number` of a file; fields that are not `given` keep their stored values.

    A new user may have no user_id, and a user who can't sign in yet has no password hash. `advisors` are the emails or
    user_ids of other users, stored or in the same file.
    """

    number: int
    user_id: int | None
    user: User
    password: str | None
    given: frozenset[str] = frozenset({"first_name", "last_name"})
    advisors: tuple[str, ...] = ()


class MatchedRow(NamedTuple):
    """A row, and the stored user that it is about, if there is one."""

    row: ImportedUser
    found: User | None

    @property
    def roles(self) -> frozenset[Role]:
        """The roles that the user will have."""
        return self.row.user.roles or (self.found.roles if self.found else STUDENT_ONLY)


class MatchedRows(NamedTuple):
    """Rows with the stored users that they are about, these and their advisors, and the conflicts between them."""

    rows: Sequence[MatchedRow]
    known: Sequence[User]
    problems: Sequence[RowProblem]


class PreparedUsers(NamedTuple):
    """New users and their rows, what rows change about existing ones, and these users as they will be."""

    new: Sequence[Credentials]
    new_rows: Sequence[int]
    changes: Sequence[RowChange]
    changed: Sequence[User]


async def import_users(
    db: Database,
    rows: Sequence[ImportedUser],
    *,
    unusable_password: str,
    dry_run: bool = False,
    record: Record = record_nothing,
) -> ImportResult:
    """Store users by user_id, or by email address if the row has no user_id.

    An existing user keeps the password, and the roles if the row has none. `unusable_password` is the hash for new
    users without one. All rows are compared with the database before the first BATCH_ROWS of them are stored, and
    `record` is called for each batch. Raises InvalidRows if rows share a user_id or an email address, if an address
    belongs to a user with another user_id, if a user whose address is not confirmed would get a staff role, if somebody
    named as an advisor isn't one, and if no registrar would be left.
    """
    await asyncio.to_thread(_refuse_duplicates, rows)
    batches = _batches(sorted(rows, key=_order))
    matches = await _match_all(db, batches)
    if dry_run:
        unused = count(await users.last_user_id(db) + 1)  # a dry run must not use up user_ids
        return _result(rows, await asyncio.to_thread(_prepare, matches, unused, unusable_password))
    await users.raise_user_id_counter(db, max((row.user_id or 0 for row in rows), default=0))
    results: list[ImportResult] = []
    for batch in batches:
        try:
            results.append(await run_import(db, partial(_store, db, batch, unusable_password), record=record))
        except InvalidRows as refused:
            raise InvalidRows(refused.problems, sum(result.rows for result in results)) from refused
    return total(results)


def _refuse_duplicates(rows: Sequence[ImportedUser]) -> None:
    refuse_duplicates([(row.number, row.user.email) for row in rows], "email", email_addresses.canonical)
    refuse_duplicates([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")


def _order(row: ImportedUser) -> tuple[bool, bool, bool]:
    """Put registrars first, so that there always is one, and advisors before those whom they advise."""
    return Role.REGISTRAR not in row.user.roles, Role.ADVISOR not in row.user.roles, bool(row.advisors)


def _batches(rows: Sequence[ImportedUser]) -> list[Sequence[ImportedUser]]:
    return [rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS)]


async def _match_all(db: Database, batches: Sequence[Sequence[ImportedUser]]) -> MatchedRows:
    """Compare all rows of the file with the database; raise InvalidRows."""
    found = [await _match(db, batch) for batch in batches]
    matches = MatchedRows(
        [row for one in found for row in one.rows],
        list({user.user_id: user for one in found for user in one.known}.values()),
        [problem for one in found for problem in one.problems],
    )
    await _check(db, matches)
    return matches


async def _store(db: Database, rows: Sequence[ImportedUser], unusable_password: str, session: Session) -> ImportResult:
    matches = await _match(db, rows, session)
    if await _check(db, matches, session):
        await users.hold_registrars(db, session)
    nameless = sum(found is None and row.user_id is None for row, found in matches.rows)
    unused = iter(await users.next_user_ids(db, nameless))
    prepared = _prepare(matches, unused, unusable_password)
    await users.put_all(db, prepared.new, prepared.changed, session)
    return _result(rows, prepared)


def _result(rows: Sequence[ImportedUser], prepared: PreparedUsers) -> ImportResult:
    added, changed = len(prepared.new), len(prepared.changed)
    changes = sorted(prepared.changes, key=lambda change: change.number)
    return ImportResult(added, changed, len(rows) - added - changed, changes, new_rows=prepared.new_rows)


async def _match(db: Database, rows: Sequence[ImportedUser], session: Session | None = None) -> MatchedRows:
    """Compare the rows with the users who have their user_ids or email addresses."""
    names = {name for row in rows for name in row.advisors}
    numbers = {int(name) for name in names if users.is_user_id(name)}
    user_ids = {row.user_id for row in rows if row.user_id is not None} | numbers
    known = await users.find_owners(db, user_ids, {row.user.email for row in rows} | names, session)
    by_user_id = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(_key(user.email), []).append(user)
    matched, problems = [], []
    for row in rows:
        owners = by_email.get(_key(row.user.email), [])
        found = by_user_id.get(row.user_id) if row.user_id else next(iter(owners), None)
        if [owner for owner in owners if owner != found]:
            taken_by = " and ".join(str(owner.user_id) for owner in owners)
            problems.append(
                RowProblem(
                    row.number, Sentence("This email belongs to user %(user_id)s.", user_id=str(taken_by)), "email"
                )
            )
        elif found and found.email_unconfirmed and row.user.roles & STAFF_ROLES - found.roles:
            problems.append(RowProblem(row.number, UNCONFIRMED_STAFF, "roles"))
        else:
            matched.append(MatchedRow(row, found))
    return MatchedRows(matched, known, problems)


async def _check(db: Database, matches: MatchedRows, session: Session | None = None) -> bool:
    """Return whether somebody stops being a registrar; raise InvalidRows."""
    refuse(sorted(matches.problems, key=lambda one: one.number))
    refuse(sorted(await asyncio.to_thread(_wrong_advisors, matches), key=lambda one: one.number))
    before = await users.find_registrars(db, session)
    ended = [
        one for one in matches.rows if one.found and one.found.user_id in before and Role.REGISTRAR not in one.roles
    ]
    if len(before) == len(ended) and not any(Role.REGISTRAR in one.roles for one in matches.rows):
        refuse([RowProblem(one.row.number, LAST_REGISTRAR, "roles") for one in ended])
    return bool(ended)


def _wrong_advisors(matches: MatchedRows) -> list[RowProblem]:
    """Return the rows that name an advisor who won't be one."""
    roles = {name: user.roles for user in matches.known for name in (_key(user.email), str(user.user_id))}
    for one in matches.rows:
        numbers = (one.row.user_id, one.found and one.found.user_id)
        roles |= dict.fromkeys([_key(one.row.user.email), *(str(number) for number in numbers if number)], one.roles)
    return [
        RowProblem(row.number, Sentence("%(name)s isn’t an advisor.", name=name), "advisors")
        for row, _ in matches.rows
        for name in row.advisors
        if Role.ADVISOR not in roles.get(_key(name), ())
    ]


def _prepare(matches: MatchedRows, unused: Iterator[int], unusable_password: str) -> PreparedUsers:
    user_ids = {_key(user.email): user.user_id for user in matches.known}
    for row, found in matches.rows:
        user_ids[_key(row.user.email)] = found.user_id if found else row.user_id or next(unused)
    prepared = PreparedUsers(new := [], new_rows := [], changes := [], changed := [])
    for row, found in matches.rows:
        wanted = _merge(row, found, user_ids)
        if found is None:
            new.append(Credentials(wanted, row.password or unusable_password))
            new_rows.append(row.number)
        elif wanted != found:
            changes.append(RowChange(row.number, f"user {found.user_id}", field_changes(found, wanted)))
            changed.append(wanted)
    return prepared


def _merge(row: ImportedUser, found: User | None, user_ids: Mapping[str, int]) -> User:
    """Return the row's user, with missing fields from the stored one; an email address keeps its stored spelling.

    `user_ids` are by the key of each email.
    """
    advisors = tuple(sorted({user_ids.get(_key(name)) or int(name) for name in row.advisors}))
    given = replace(row.user, advisors=advisors)
    if found is None:
        return replace(given, user_id=user_ids[_key(given.email)], roles=given.roles or STUDENT_ONLY)
    same_address = _key(given.email) == _key(found.email)
    kept = {name: getattr(found, name) for name in KEPT_FIELDS if name not in row.given}
    return replace(
        given,
        user_id=found.user_id,
        email=found.email if same_address else given.email,
        roles=given.roles or found.roles,
        language=found.language,
        timezone=found.timezone,
        email_unconfirmed=found.email_unconfirmed and same_address,
        **kept,
    )


def _key(email: str) -> str:
    """Return the same text for all spellings of an email."""
    return email_addresses.canonical(email)
