"""The users in a file: the stored users they match, and whether their new roles fit together."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import users
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import STAFF_ROLES, STUDENT_ONLY, Role
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_checks import refuse
from quart_enroll.system.compact_list import CompactList

UNCONFIRMED_STAFF = Sentence(
    "This email was registered, but never confirmed. First have its owner set a new password, with a link from "
    "`password-link`."
)
"""Why a row can't give an account a staff role: the person who registered first knows its password."""

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

    @property
    def names(self) -> set[str]:
        """The names by which other rows may refer to the user: the key of the email, and the user_id."""
        user_id = self.found.user_id if self.found else self.row.user_id
        return {email_key(self.row.user.email), *([str(user_id)] if user_id else ())}


class MatchedRows(NamedTuple):
    """Rows with the stored users that they are about, these and their advisors, and the conflicts between them."""

    rows: Sequence[MatchedRow]
    known: Sequence[User]
    problems: Sequence[RowProblem]


async def match_users(db: Database, rows: Sequence[ImportedUser], session: Session | None = None) -> MatchedRows:
    """Compare the rows with the users who have their user_ids or email addresses."""
    names = {name for row in rows for name in row.advisors}
    numbers = {int(name) for name in names if users.is_user_id(name)}
    user_ids = {row.user_id for row in rows if row.user_id is not None} | numbers
    known = await users.find_owners(db, user_ids, {row.user.email for row in rows} | names, session)
    return await asyncio.to_thread(_match, rows, known)


def _match(rows: Sequence[ImportedUser], known: Sequence[User]) -> MatchedRows:
    by_user_id = {user.user_id: user for user in known}
    by_email: dict[str, list[User]] = {}
    for user in known:
        by_email.setdefault(email_key(user.email), []).append(user)
    matched, problems = [], []
    for row in rows:
        owners = by_email.get(email_key(row.user.email), [])
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


class RoleCheck:
    """Checks the roles of all users in a file, whose batches are added one by one.

    It keeps what concerns registrars and advisors: the file may have very many students.
    """

    def __init__(self, registrars: Collection[int]) -> None:
        self._registrars = registrars
        self._ended: list[int] = []
        self._names_registrar = False
        self._advisors: set[str] = set()
        self._former_advisors: set[str] = set()
        self._advised = CompactList[tuple[int, str]]()
        self.advisor_ids: dict[str, int] = {}

    @property
    def ends_registrar(self) -> bool:
        """Whether a registrar would lose that role."""
        return bool(self._ended)

    def add(self, matches: MatchedRows) -> None:
        """Consider the users of a batch, and the stored ones whom it names."""
        for user in matches.known:
            if Role.ADVISOR in user.roles:
                self._advisors |= {email_key(user.email), str(user.user_id)}
                self.advisor_ids[email_key(user.email)] = user.user_id
        for one in matches.rows:
            self._advised.extend((one.row.number, name) for name in one.row.advisors)
            if Role.ADVISOR in one.roles:
                self._advisors |= one.names
            elif one.found and Role.ADVISOR in one.found.roles:
                self._former_advisors |= one.names
            if Role.REGISTRAR in one.roles:
                self._names_registrar = True
            elif one.found and one.found.user_id in self._registrars:
                self._ended.append(one.row.number)

    def refuse_problems(self) -> None:
        """Raise InvalidRows if a user named as an advisor won't be one, or if no registrar would be left."""
        refuse(sorted(self._wrong_advisors(), key=lambda one: one.number))
        if len(self._registrars) == len(self._ended) and not self._names_registrar:
            refuse([RowProblem(number, LAST_REGISTRAR, "roles") for number in self._ended])

    def _wrong_advisors(self) -> Iterator[RowProblem]:
        advisors = self._advisors - self._former_advisors
        for number, name in self._advised:
            if email_key(name) not in advisors:
                yield RowProblem(number, Sentence("%(name)s isn’t an advisor.", name=name), "advisors")


def email_key(email: str) -> str:
    """Return the same text for all spellings of an email."""
    return email_addresses.canonical(email)
