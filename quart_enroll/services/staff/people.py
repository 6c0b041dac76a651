"""People and what they may do: the list of accounts, and the roles, subjects and advisors that registrars set."""

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import schedules, users
from quart_enroll.db.queries import people
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.errors import AccountGone, EditConflict, EmailUnconfirmed, LastRegistrar, NotAnAdvisor
from quart_enroll.domain.models import PeopleFilter, PeopleMatches, Profile, User
from quart_enroll.domain.permissions import can_manage_people
from quart_enroll.domain.roles import STAFF_ROLES, STUDENT_ONLY, Role
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, StudentAttributes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_students
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.staff import audit
from quart_enroll.services.staff.seat_previews import GainedSeat, change_or_preview

PERSON = About("person")

PROFILE_ACTIONS = {
    "roles": "roles.set",
    "subjects": "subjects.set",
    "advisors": "advisors.set",
    "directory_opt_out": "directory.set",
    "attributes": "attributes.set",
}
"""The action of the audit log for each field of a profile."""


class NotPermitted(Exception):
    """The person may no longer do this; their roles have changed since the request began."""


async def match(db: Database, wanted: PeopleFilter) -> PeopleMatches:
    """Return how many of these people there are; in a search, also who."""
    return await people.match(db, wanted)


async def find_page(db: Database, wanted: PeopleFilter, matches: PeopleMatches, *, skip: int, limit: int) -> list[User]:
    """Return at most `limit` of these people after the first `skip`."""
    return await people.find(db, wanted, matches, skip=skip, limit=limit)


def batches(db: Database, wanted: PeopleFilter) -> AsyncGenerator[list[User], None]:
    """Yield all these people in batches, without those who keep out of the directory unless they are wanted."""
    return people.batches(db, wanted)


async def has_students(db: Database) -> bool:
    """Return whether the school has any students."""
    return bool(await people.find_after(db, PeopleFilter(roles=STUDENT_ONLY, order="user_id"), None, limit=1))


async def find_after(db: Database, wanted: PeopleFilter, after: int | None, *, limit: int) -> list[User]:
    """Return at most `limit` of these people, who are sorted by user_id, from the one that follows `after` on."""
    return await people.find_after(db, wanted, after, limit=limit)


async def find(db: Database, user_id: int) -> User | None:
    """Return the person, or None."""
    return await users.find(db, user_id)


async def find_many(db: Database, user_ids: Collection[int]) -> list[User]:
    """Return the people with these user_ids, in their order."""
    found = await users.find_many(db, user_ids) if user_ids else {}
    return [found[user_id] for user_id in sorted(found)]


async def count_advisees(db: Database, user_id: int) -> int:
    """Return how many students have this advisor."""
    return await people.count_advisees(db, user_id)


async def find_advisors(db: Database, names: Sequence[str]) -> tuple[int, ...]:
    """Return the user_ids of the advisors with these emails or user_ids; raise NotAnAdvisor for any other name."""
    found = []
    for name in names:
        user = await users.find_by_id_or_email(db, name)
        if user is None or Role.ADVISOR not in user.roles:
            raise NotAnAdvisor(name)
        found.append(user.user_id)
    return tuple(sorted(set(found)))


@dataclass(frozen=True, slots=True)
class EditedProfile:
    """A person before the edit of their profile, and the students who get a seat from a waitlist by it."""

    before: User
    gained: Sequence[GainedSeat] = ()


async def change_profile(
    context: EnrollmentContext,
    staff: User,
    user_id: int,
    wanted: Profile,
    now: datetime,
    *,
    seen: str,
    preview: bool = False,
) -> EditedProfile:
    """Set the person's profile, and return what this does; a `preview` stores nothing.

    If other attributes let a waiting student take an open seat, the student gets it. `seen` is the fingerprint of the
    profile that the registrar saw. Raises AccountGone, EditConflict, EmailUnconfirmed, LastRegistrar and NotAnAdvisor,
    and NotPermitted if `staff` is no longer a registrar. Repeating the request changes nothing.
    """

    async def body(transaction: SeatTransaction) -> EditedProfile:
        db, session = transaction.db, transaction.session
        await schedules.bump_all_versions(db, [user_id], session)
        actor, found = [await users.find(db, number, session) for number in (staff.user_id, user_id)]
        if actor is None or not can_manage_people(actor):
            raise NotPermitted
        if found is None:
            raise AccountGone
        before = Profile.of(found)
        if before != wanted:
            if before.fingerprint != seen:
                raise EditConflict
            await _check(db, found, wanted, session)
            await users.set_profile(db, user_id, wanted, session)
            await _record(db, session, AuditEntry(now, staff.user_id, "", PERSON, user_id), before, wanted)
            if before.attributes != wanted.attributes:
                await promote_students(transaction, [user_id])
        return EditedProfile(found, [GainedSeat.of(one) for one in transaction.promotions])

    return await change_or_preview(context, staff.user_id, now, [], body, preview=preview)


async def _record(db: Database, session: Session, entry: AuditEntry, before: Profile, wanted: Profile) -> None:
    """Record each kind of change in an entry of its own."""
    for name, action in PROFILE_ACTIONS.items():
        if changes := _changes(name, getattr(before, name), getattr(wanted, name)):
            await audit.record(db, session, replace(entry, action=action, changes=changes))


def _changes(name: str, before: Any, wanted: Any) -> tuple[Change, ...]:
    if isinstance(before, StudentAttributes):
        pairs = [(one, getattr(before, one), getattr(wanted, one)) for one in ATTRIBUTE_NAMES]
    else:
        pairs = [(name, before, wanted)]
    texts = [Change(one, _text(old), _text(new)) for one, old, new in pairs]
    return tuple(change for change in texts if change.old != change.new)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Collection) and not isinstance(value, str):
        return ", ".join(sorted(map(str, value)))
    return "" if value is None else str(value)


async def _check(db: Database, found: User, wanted: Profile, session: Session) -> None:
    """Raise a refusal if the person can't have this profile."""
    if found.email_unconfirmed and wanted.roles & STAFF_ROLES - found.roles:
        raise EmailUnconfirmed
    lost = found.roles - wanted.roles
    if Role.REGISTRAR in lost and not await users.has_another_registrar(db, found.user_id, session):
        raise LastRegistrar
    new = [number for number in wanted.advisors if number not in found.advisors]
    people_by_id = await users.find_many(db, new, session)
    for number in new:
        if number not in people_by_id or Role.ADVISOR not in people_by_id[number].roles:
            raise NotAnAdvisor(str(number))
