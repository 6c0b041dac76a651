"""Create permission numbers, list and revoke them, and let students use them."""

import secrets
from collections.abc import Collection
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import permission_numbers, permits, schedules, sections
from quart_enroll.db.collections.idempotency import AlreadyMade
from quart_enroll.domain import permissions
from quart_enroll.domain.actors import Override
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import (
    OwnPermit,
    PermissionNumberExpired,
    PermissionNumberRevoked,
    PermissionNumberUsed,
    UnknownPermissionNumber,
    UnknownSection,
)
from quart_enroll.domain.models import SectionKey, SectionStatus, User
from quart_enroll.domain.permission_numbers import ALPHABET, CODE_LENGTH, NumberBatch, PermissionNumber, read_code
from quart_enroll.domain.permits import Permit, PermitStatus, RecordedPermit
from quart_enroll.domain.roles import Role
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit, button_presses, named_records
from quart_enroll.services.staff.named_records import NamedRecord


async def find_of_section(db: Database, key: SectionKey) -> list[NamedRecord[PermissionNumber]]:
    """Return the section's permission numbers, the latest first."""
    return await named_records.add_names(db, await permission_numbers.find_of_section(db, key))


async def create(context: EnrollmentContext, staff: User, batch: NumberBatch, button: str, now: datetime) -> bool:
    """Create the permission numbers; return False if the same `button` has created them before.

    Raises UnknownSection if there is no such section.
    """
    key, by_registrar = batch.key, Role.REGISTRAR in staff.roles
    about = frozenset(batch.overrides), batch.expires_at, now, staff.user_id, batch.reason, by_registrar
    new = [PermissionNumber(_new_code(), key, *about) for _ in range(batch.number)]

    async def body(transaction: SeatTransaction) -> None:
        db, session = transaction.db, transaction.session
        await button_presses.record(db, staff.user_id, button_presses.make_key(button, batch), now, session)
        if not await sections.accept_numbers(db, key, session):
            raise UnknownSection(key.courseID, key.section, key.term)
        await permission_numbers.add_all(db, new, session)
        await _record(transaction, "numbers.add", key, batch.reason, batch.overrides)

    try:
        await change_seats(context.locks, staff.user_id, now, [key], body)
    except AlreadyMade:
        return False
    return True


async def revoke(
    context: EnrollmentContext, staff: User, key: SectionKey, codes: Collection[str], reason: str, now: datetime
) -> int:
    """Revoke those of the section's unused numbers that have these codes, and return how many.

    Numbers created by a registrar can be revoked only by a registrar.
    """

    async def body(transaction: SeatTransaction) -> int:
        db, session = transaction.db, transaction.session
        found = await permission_numbers.find_of_section(db, key, session)
        chosen = [one for one in found if one.code in codes and permissions.can_revoke(staff, one)]
        revoked = await permission_numbers.revoke(db, chosen, session) if chosen else 0
        if revoked:
            await _record(transaction, "numbers.revoke", key, reason)
        return revoked

    return await change_seats(context.locks, staff.user_id, now, [], body)


async def use(
    context: EnrollmentContext, user_id: int, term: str, courseID: str, text: str, now: datetime
) -> PermissionNumber:
    """Grant the student the permit that this code of the course stands for, and return the permission number.

    It takes no seat, but if the student is on a waitlist, promotion is tried again. Repeating the request has no
    further effect, and a student who has a permit for as much leaves the number unused. Raises UnknownPermissionNumber,
    PermissionNumberUsed by another student, PermissionNumberRevoked, also for a canceled section,
    PermissionNumberExpired, OwnPermit and AccountGone.
    """

    async def body(transaction: SeatTransaction) -> PermissionNumber:
        db, session = transaction.db, transaction.session
        await schedules.bump_version(db, user_id, term, session)
        number = await permission_numbers.find(db, term, courseID, read_code(text), session)
        if number is None:
            raise UnknownPermissionNumber
        _check_usable(number, user_id, now)
        if number.used_by == user_id:
            await _check_permit(transaction, number)
            return number
        section = await sections.find(db, number.key, session)
        if section is None or section.status is SectionStatus.CANCELLED:
            raise PermissionNumberRevoked
        for one in await permits.find_of_student(db, user_id, term, session):
            is_enough = one.permit.covers(number.key) and one.permit.overrides >= number.overrides
            if one.is_usable(now) and is_enough:
                return number
        if not await permission_numbers.use(db, number, user_id, now, session):
            raise PermissionNumberUsed
        added = await permits.add(db, _permit(number, user_id, now), session)
        if Override.CONSENT in number.overrides:
            await permits.remove_requests(db, user_id, added.permit, session)
        await _record(transaction, "numbers.use", number.key, number.reason, number.overrides, user_id)
        transaction.unblocked_students.append((user_id, term))
        await promote_waitlists(transaction)
        return number

    return await change_seats(context.locks, user_id, now, [], body)


def _check_usable(number: PermissionNumber, user_id: int, now: datetime) -> None:
    if number.used_by not in (None, user_id):
        raise PermissionNumberUsed
    if number.is_revoked:
        raise PermissionNumberRevoked
    if now >= number.expires_at:
        raise PermissionNumberExpired
    if number.author == user_id:
        raise OwnPermit


async def _check_permit(transaction: SeatTransaction, number: PermissionNumber) -> None:
    """Raise PermissionNumberRevoked if the permit that the student got for the number was revoked."""
    of_student = await permits.find_of_student(transaction.db, transaction.actor, number.key.term, transaction.session)
    for one in of_student:
        is_same = one.at == number.used_at and one.permit.covers(number.key)
        if is_same and one.status is PermitStatus.REVOKED:
            raise PermissionNumberRevoked


def _permit(number: PermissionNumber, user_id: int, now: datetime) -> RecordedPermit:
    key = number.key
    permit = Permit("", key.term, key.courseID, key.section, number.overrides, number.expires_at)
    status, author = PermitStatus.GRANTED, number.author
    return RecordedPermit(permit, user_id, status, now, author, number.reason, number.by_registrar)


def _new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


async def _record(
    transaction: SeatTransaction,
    action: str,
    key: SectionKey,
    reason: str,
    overrides: Collection[Override] = (),
    user_id: int | None = None,
) -> None:
    about = About("section", key.term, key.courseID, key.section)
    entry = AuditEntry(transaction.now, transaction.actor, action, about, user_id, reason, tuple(sorted(overrides)))
    await audit.record(transaction.db, transaction.session, entry)
