"""Grant and revoke permits; each is one transaction, with its audit entry and the student's notice."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, notices, permits, schedules, users
from quart_enroll.db.collections import sections as stored_sections
from quart_enroll.domain import permissions
from quart_enroll.domain.actors import Override
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import (
    AccountGone,
    OwnPermit,
    RegistrarsPermit,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
)
from quart_enroll.domain.models import Course, Notice, Section, SectionKey, User
from quart_enroll.domain.permits import Permit, PermitStatus, RecordedPermit
from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence, TermName, Value
from quart_enroll.services.enrollment.act_for import Record, record_nothing
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit


@dataclass(frozen=True, slots=True)
class Granted:
    """A permit that was granted, and how many students wait for the sections it is for."""

    permit_id: str
    waiting: int


async def find_of_student(db: Database, user_id: int) -> list[RecordedPermit]:
    """Return all permits of the student, the latest first."""
    return await permits.find_of_student(db, user_id)


async def find_of_section(db: Database, key: SectionKey) -> list[RecordedPermit]:
    """Return the permits for the section or for its whole course, the latest first."""
    return await permits.find_of_section(db, key)


async def find(db: Database, permit_id: str) -> RecordedPermit | None:
    """Return the permit, or None."""
    return await permits.find(db, permit_id)


async def grant(
    context: EnrollmentContext,
    staff: User,
    user_id: int,
    permit: Permit,
    reason: str,
    now: datetime,
    record: Record = record_nothing,
) -> Granted:
    """Grant the student the permit; it takes no seat, except that a waiting student is tried again.

    A permit like one that the student can still use is not granted again. Raises OwnPermit, AccountGone for an unknown
    student, UnknownTerm, UnknownCourse and UnknownSection.
    """
    if staff.user_id == user_id:
        raise OwnPermit

    async def body(transaction: SeatTransaction) -> Granted:
        db, session = transaction.db, transaction.session
        await schedules.bump_version(db, user_id, permit.term, session)
        await record(session)
        if await users.find(db, user_id, session) is None:
            raise AccountGone
        course, offered = await _find_offered(transaction, permit)
        waiting = sum(one.waiting for one in offered)
        for one in await permits.find_of_student(db, user_id, permit.term, session):
            if one.is_usable(now) and _is_same(one.permit, permit):
                return Granted(one.permit.permit_id, waiting)
        granted = RecordedPermit(
            permit, user_id, PermitStatus.GRANTED, now, staff.user_id, reason, Role.REGISTRAR in staff.roles
        )
        added = await permits.add(db, granted, session)
        if Override.CONSENT in permit.overrides:
            await permits.remove_requests(db, user_id, permit, session)
        await _record(transaction, "permit.grant", user_id, permit, reason)
        await notices.add(db, _notice(user_id, permit, course, now), session)
        transaction.unblocked_students.append((user_id, permit.term))
        await promote_waitlists(transaction)
        return Granted(added.permit.permit_id, waiting)

    return await change_seats(context.locks, staff.user_id, now, [], body)


async def revoke(context: EnrollmentContext, staff: User, permit_id: str, reason: str, now: datetime) -> bool:
    """Revoke the permit; return False if it is revoked, used or unknown. A seat that it was used for stays.

    Raises RegistrarsPermit if a registrar granted it and the staff member isn't one.
    """

    async def body(transaction: SeatTransaction) -> bool:
        db, session = transaction.db, transaction.session
        found = await permits.find(db, permit_id, session)
        if found is None:
            return False
        if not permissions.can_revoke(staff, found):
            raise RegistrarsPermit
        await schedules.bump_version(db, found.user_id, found.permit.term, session)
        if not await permits.revoke(db, permit_id, session):
            return False
        await _record(transaction, "permit.revoke", found.user_id, found.permit, reason)
        return True

    return await change_seats(context.locks, staff.user_id, now, [], body)


async def _find_offered(transaction: SeatTransaction, permit: Permit) -> tuple[Course, list[Section]]:
    """Return the course, and its sections that the permit is for."""
    db, session = transaction.db, transaction.session
    course = await courses.find(db, permit.courseID, session)
    if course is None:
        raise UnknownCourse(permit.courseID)
    offered = await stored_sections.find_all(db, [permit.term], [permit.courseID], session)
    if not offered:
        raise UnknownTerm(permit.term, [])
    found = [one for one in offered if permit.covers(one.key)]
    if not found:
        raise UnknownSection(course.title, permit.section, permit.term)
    return course, found


def _is_same(one: Permit, other: Permit) -> bool:
    return (one.courseID, one.section, one.overrides, one.expires_at) == (
        other.courseID,
        other.section,
        other.overrides,
        other.expires_at,
    )


async def _record(transaction: SeatTransaction, action: str, user_id: int, permit: Permit, reason: str) -> None:
    about = About("section" if permit.section else "course", permit.term, permit.courseID, permit.section)
    overrides = tuple(sorted(permit.overrides))
    entry = AuditEntry(transaction.now, transaction.actor, action, about, user_id, reason, overrides)
    await audit.record(transaction.db, transaction.session, entry)


def _notice(user_id: int, permit: Permit, course: Course, now: datetime) -> Notice:
    where: dict[str, Value] = {"title": course.title, "term": TermName(permit.term)}
    if permit.section:
        message = Sentence(
            "You have a permit to enroll in %(title)s, section %(section)s, for %(term)s. It doesn’t hold a seat: "
            "you still need to enroll.",
            section=permit.section,
            **where,
        )
    else:
        message = Sentence(
            "You have a permit to enroll in %(title)s for %(term)s. It doesn’t hold a seat: you still need to enroll.",
            **where,
        )
    about = permit.courseID, course.title, permit.term, permit.section
    return Notice(now, user_id, "permit", *about, because=message)
