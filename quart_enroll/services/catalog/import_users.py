"""Imports users: all rows of a file or none, but a long file in batches, each all or none.

What takes long for all rows of a long file runs in a thread, so that no request waits.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain, count, islice
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import schedules, users, waitlist
from quart_enroll.domain import email_addresses
from quart_enroll.domain.errors import RowProblem
from quart_enroll.domain.models import Credentials, Event, User
from quart_enroll.domain.roles import STUDENT_ONLY, Role
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_checks import refuse, refuse_duplicates
from quart_enroll.services.catalog.import_results import ImportResult, ImportTotal, RowChange, user_changes
from quart_enroll.services.catalog.import_transactions import BATCH_ROWS, SYSTEM, ImportAuthor, run_batches, run_import
from quart_enroll.services.catalog.imported_users import ImportedUser, MatchedRow, RoleCheck, email_key, match_users
from quart_enroll.services.enrollment import swap_cycles
from quart_enroll.services.enrollment.promotion import promote_students
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.section_lock import SectionLocks
from quart_enroll.system.compact_list import CompactList

OPTIONAL_USER_FIELDS = (
    *("first_name", "last_name", "subjects", "advisors", "directory_opt_out"),
    *("preferred_name", "pronouns"),
)
"""The fields that keep their stored value if a row does not give them."""


MAX_TRIED_STUDENTS = 2000
"""Waitlisted students to whom a dry run gives seats, in one transaction: MongoDB ends one that takes a minute."""

NOT_ALL_TRIED = Sentence(
    "Of the waitlisted students whose attributes change, only the first %(number)s were tried. Others may get a seat "
    "too.",
    number=MAX_TRIED_STUDENTS,
)


class PreparedUsers(NamedTuple):
    """New users and their rows, what rows change about existing ones, and these users as they will be.

    Users `with_other_attributes` are as they are stored, but for their attributes.
    """

    new: Sequence[Credentials]
    new_rows: Sequence[int]
    changes: Sequence[RowChange]
    changed: Sequence[User]
    with_other_attributes: Sequence[User]


async def import_users(
    db: Database,
    rows: Sequence[ImportedUser],
    now: datetime,
    *,
    unusable_password: str,
    dry_run: bool = False,
    author: ImportAuthor = SYSTEM,
) -> ImportResult:
    """Store users by user_id, or by email address if the row has no user_id.

    An existing user keeps the password, and the roles if the row has none. `unusable_password` is the hash for new
    users without one. All rows are compared with the database before the first BATCH_ROWS of them are stored, and the
    author's `record` is called for each batch. A waiting student whose new attributes let them take an open seat gets
    it. Raises InvalidRows if rows share a user_id or an email address, if an address belongs to a user with another
    user_id, if a user whose address is not confirmed would get a staff role, if someone named as an advisor isn't one,
    and if no registrar would be left.
    """
    await asyncio.to_thread(_refuse_duplicates, rows)
    batches = await asyncio.to_thread(Batches, rows)
    matched, advisor_ids = await _match_all(db, batches, keep=dry_run)
    if dry_run:
        predicted, waiting = await _predict(db, matched, advisor_ids, unusable_password)
        promoted = await _predict_promotions(db, waiting[:MAX_TRIED_STUDENTS], author.user_id, now)
        notes = [NOT_ALL_TRIED] if len(waiting) > MAX_TRIED_STUDENTS else []
        return replace(predicted, promoted=promoted, notes=notes)
    await users.raise_user_id_counter(db, batches.highest_user_id)

    async def store(batch: Sequence[ImportedUser]) -> ImportResult:
        changing = partial(_store, db, batch, unusable_password, author.user_id, now)
        return await run_import(db, changing, record=author.record)

    result = await run_batches(batches, store)
    if any(change.field in ATTRIBUTE_NAMES for row in result.changes for change in row.fields):
        await swap_cycles.complete_all_cycles(SectionLocks(db), author.user_id, now)
    return result


def _refuse_duplicates(rows: Sequence[ImportedUser]) -> None:
    refuse_duplicates(rows, lambda row: row.user.email, "email", email_addresses.canonical)
    refuse_duplicates(rows, lambda row: "" if row.user_id is None else str(row.user_id), "user_id")


class Batches:
    """The rows of a file in the batches in which they are stored."""

    def __init__(self, rows: Sequence[ImportedUser]) -> None:
        self._groups = defaultdict[tuple[bool, bool, bool], CompactList[ImportedUser]](CompactList)
        self.highest_user_id = 0
        for row in rows:
            self._groups[_order(row)].append(row)
            self.highest_user_id = max(self.highest_user_id, row.user_id or 0)

    async def __aiter__(self) -> AsyncGenerator[list[ImportedUser], None]:
        rows = chain.from_iterable(self._groups[order] for order in sorted(self._groups))
        while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH_ROWS))):
            yield batch


def _order(row: ImportedUser) -> tuple[bool, bool, bool]:
    """Put registrars first, so that there always is one, and advisors before those whom they advise."""
    return Role.REGISTRAR not in row.user.roles, Role.ADVISOR not in row.user.roles, bool(row.advisors)


async def _match_all(db: Database, batches: Batches, *, keep: bool) -> tuple[CompactList[MatchedRow], dict[str, int]]:
    """Compare all rows with the database; raise InvalidRows.

    Returns the rows with the stored users if it should `keep` them, and the user_ids of stored advisors by email.
    """
    roles = RoleCheck(await users.find_registrars(db))
    matched, problems = CompactList[MatchedRow](), CompactList[RowProblem]()
    async for batch in batches:
        matches = await match_users(db, batch)
        await asyncio.to_thread(roles.add, matches)
        problems.extend(matches.problems)
        if keep:
            matched.extend(matches.rows)
    refuse(sorted(problems, key=lambda one: one.number))
    await asyncio.to_thread(roles.refuse_problems)
    return matched, roles.advisor_ids


async def _store(
    db: Database, rows: Sequence[ImportedUser], unusable_password: str, actor: int, now: datetime, session: Session
) -> ImportResult:
    matches = await match_users(db, rows, session)
    roles = RoleCheck(await users.find_registrars(db, session))
    await asyncio.to_thread(roles.add, matches)
    refuse(sorted(matches.problems, key=lambda one: one.number))
    roles.refuse_problems()
    if roles.ends_registrar:
        await users.hold_registrars(db, session)
    nameless = sum(found is None and row.user_id is None for row, found in matches.rows)
    unused = iter(await users.next_user_ids(db, nameless))
    prepared = await asyncio.to_thread(_prepare, matches.rows, roles.advisor_ids, unused, unusable_password)
    affected = [one.user_id for one in prepared.with_other_attributes]
    await schedules.bump_all_versions(db, affected, session)
    await users.put_all(db, prepared.new, prepared.changed, session)
    change = SeatTransaction(db, session, now, actor)
    await promote_students(change, affected)
    return replace(_result(prepared, len(rows)), promoted=change.promotions)


async def _predict(
    db: Database, matched: CompactList[MatchedRow], advisor_ids: dict[str, int], unusable_password: str
) -> tuple[ImportResult, list[User]]:
    """Return what storing the rows would do, and the waitlisted students whose attributes would be others."""
    unused = count(await users.last_user_id(db) + 1)  # a dry run must not use up user_ids
    rows, total, waiting = iter(matched), ImportTotal(), list[User]()
    while batch := await asyncio.to_thread(lambda: list(islice(rows, BATCH_ROWS))):
        prepared = await asyncio.to_thread(_prepare, batch, advisor_ids, unused, unusable_password)
        await asyncio.to_thread(total.add, _result(prepared, len(batch)))
        entries = await waitlist.find_by_students(db, [one.user_id for one in prepared.with_other_attributes])
        waitlisted = {one.user_id for one in entries}
        waiting += [one for one in prepared.with_other_attributes if one.user_id in waitlisted]
    return total.result(), waiting


async def _predict_promotions(db: Database, waiting: Sequence[User], actor: int, now: datetime) -> Sequence[Event]:
    """Return which of these students would get a seat: store their attributes, promote, and undo both."""

    async def body(session: Session) -> ImportResult:
        await schedules.bump_all_versions(db, [one.user_id for one in waiting], session)
        await users.put_all(db, [], waiting, session)
        change = SeatTransaction(db, session, now, actor)
        await promote_students(change, [one.user_id for one in waiting])
        return ImportResult(0, 0, 0, promoted=change.promotions)

    return (await run_import(db, body, dry_run=True)).promoted if waiting else ()


def _result(prepared: PreparedUsers, rows: int) -> ImportResult:
    added, changed = len(prepared.new), len(prepared.changed)
    return ImportResult(added, changed, rows - added - changed, prepared.changes, new_rows=prepared.new_rows)


def _prepare(
    rows: Sequence[MatchedRow], advisor_ids: dict[str, int], unused: Iterator[int], unusable_password: str
) -> PreparedUsers:
    """Return what is to be stored, and add the advisors among the rows to `advisor_ids`, which are by email."""
    user_ids = [found.user_id if found else row.user_id or next(unused) for row, found in rows]
    for one, user_id in zip(rows, user_ids, strict=True):
        if Role.ADVISOR in one.roles:
            advisor_ids[email_key(one.row.user.email)] = user_id
    prepared = PreparedUsers(new := [], new_rows := [], changes := [], changed := [], with_other_attributes := [])
    for (row, found), user_id in zip(rows, user_ids, strict=True):
        wanted = _merge(row, found, user_id, advisor_ids)
        if found is None:
            new.append(Credentials(wanted, row.password or unusable_password))
            new_rows.append(row.number)
        elif wanted != found:
            changes.append(RowChange(row.number, f"user {found.user_id}", user_changes(found, wanted)))
            changed.append(wanted)
            if wanted.attributes != found.attributes:
                with_other_attributes.append(replace(found, attributes=wanted.attributes))
    return prepared


def _merge(row: ImportedUser, found: User | None, user_id: int, advisor_ids: Mapping[str, int]) -> User:
    """Return the row's user, with missing fields from the stored one; an email address keeps its stored spelling."""
    advisors = tuple(sorted({advisor_ids.get(email_key(name)) or int(name) for name in row.advisors}))
    given = replace(row.user, advisors=advisors)
    if found is None:
        return replace(given, user_id=user_id, roles=given.roles or STUDENT_ONLY)
    same_address = email_key(given.email) == email_key(found.email)
    stored = {name: getattr(found, name) for name in OPTIONAL_USER_FIELDS if name not in row.given}
    kept = {name: getattr(found.attributes, name) for name in ATTRIBUTE_NAMES if name not in row.given}
    return replace(
        given,
        user_id=user_id,
        email=found.email if same_address else given.email,
        roles=given.roles or found.roles,
        language=found.language,
        timezone=found.timezone,
        email_settings=found.email_settings,
        email_unconfirmed=found.email_unconfirmed and same_address,
        attributes=replace(given.attributes, **kept),
        **stored,
    )
