"""Imports users: all rows of a file, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Credentials, User
from quart_enroll.domain.roles import STAFF_ROLES, STUDENT_ONLY, Role
from quart_enroll.services.catalog.imports import (
    ImportResult,
    RowChange,
    field_changes,
    refuse,
    refuse_duplicates,
    run_import,
)

UNCONFIRMED_STAFF = (
    "This email was registered, but never confirmed. First have its owner set a new password, with a link from "
    "`password-link`."
)
"""Why a row can't give an account a staff role: the person who registered first knows its password."""


KEPT_FIELDS = ("first_name", "last_name", "subjects", "advisors", "directory_opt_out")
"""The fields that keep their stored value if a row does not give them."""

LAST_REGISTRAR = "This would leave the school without a registrar."


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


async def import_users(
    db: Database, rows: Sequence[ImportedUser], *, unusable_password: str, dry_run: bool = False
) -> ImportResult:
    """Store users by user_id, or by email address if the row has no user_id.

    An existing user keeps the password, and the roles if the row has none. `unusable_password` is the hash for new
    users without one. Raises InvalidRows if rows share a user_id or an email address, if an address belongs to a user
    with another user_id, if a user whose address is not confirmed would get a staff role, if somebody named as an
    advisor isn't one, and if no registrar would be left.
    """
    refuse_duplicates([(row.number, row.user.email) for row in rows], "email", email_addresses.canonical)
    refuse_duplicates([(row.number, str(row.user_id)) for row in rows if row.user_id is not None], "user_id")
    highest = max((row.user_id or 0 for row in rows), default=0)
    if not dry_run:
        await users.raise_user_id_counter(db, highest)

    async def body(session: Session) -> ImportResult:
        known = await users.find_all(db, session)
        unused = count(max([highest, *(user.user_id for user in known)]) + 1)  # a dry run must not use up user_ids
        matched = _match(rows, known)
        _check_advisors(matched, known)
        if _check_registrars(matched, known):
            await users.hold_registrars(db, session)
        user_ids = {_key(user.email): user.user_id for user in known}
        for row, found in matched:
            if found is not None:
                user_ids[_key(row.user.email)] = found.user_id
            else:
                user_ids[_key(row.user.email)] = row.user_id or (
                    next(unused) if dry_run else await users.next_user_id(db)
                )
        new, changes, changed = [], [], []
        for row, found in matched:
            wanted = _merge(row, found, user_ids)
            if found is None:
                new.append(Credentials(wanted, row.password or unusable_password))
            elif wanted != found:
                changes.append(RowChange(row.number, f"user {found.user_id}", field_changes(found, wanted)))
                changed.append(wanted)
        await users.put_all(db, new, changed, session)
        return ImportResult(len(new), len(changed), len(rows) - len(new) - len(changed), changes)

    return await run_import(db, body, dry_run=dry_run)


def _match(rows: Sequence[ImportedUser], known: Sequence[User]) -> list[MatchedRow]:
    """Return the rows with the stored users that they are about; raise InvalidRows for conflicts."""
    by_user_id = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(_key(user.email), []).append(user)
    matched, problems = [], []
    for row in rows:
        owners = by_email.get(_key(row.user.email), [])
        found = by_user_id.get(row.user_id) if row.user_id else next(iter(owners), None)
        if [owner for owner in owners if owner != found]:
            numbers = " and ".join(str(owner.user_id) for owner in owners)
            problems.append(RowProblem(row.number, f"This email belongs to user {numbers}.", "email"))
        elif found and found.email_unconfirmed and row.user.roles & STAFF_ROLES - found.roles:
            problems.append(RowProblem(row.number, UNCONFIRMED_STAFF, "roles"))
        else:
            matched.append(MatchedRow(row, found))
    refuse(problems)
    return matched


def _check_advisors(matched: Sequence[MatchedRow], known: Sequence[User]) -> None:
    """Raise InvalidRows if a row names an advisor who won't be one."""
    roles = {name: user.roles for user in known for name in (_key(user.email), str(user.user_id))}
    for one in matched:
        numbers = (one.row.user_id, one.found and one.found.user_id)
        roles |= dict.fromkeys([_key(one.row.user.email), *(str(number) for number in numbers if number)], one.roles)
    refuse(
        [
            RowProblem(row.number, f"There is no advisor {name}.", "advisors")
            for row, _ in matched
            for name in row.advisors
            if Role.ADVISOR not in roles.get(_key(name), ())
        ]
    )


def _check_registrars(matched: Sequence[MatchedRow], known: Sequence[User]) -> bool:
    """Return whether somebody stops being a registrar; raise InvalidRows if nobody would be one any more."""
    before = {user.user_id for user in known if Role.REGISTRAR in user.roles}
    ended = [one for one in matched if one.found and one.found.user_id in before and Role.REGISTRAR not in one.roles]
    stay = len(before) - len(ended) or any(Role.REGISTRAR in one.roles for one in matched)
    refuse([RowProblem(one.row.number, LAST_REGISTRAR, "roles") for one in ended if not stay])
    return bool(ended)


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
        email_unconfirmed=found.email_unconfirmed and same_address,
        **kept,
    )


def _key(email: str) -> str:
    """Return the same text for all spellings of an email."""
    return email_addresses.canonical(email)
