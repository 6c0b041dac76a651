"""Drops no-shows without a W, until the census date; their seats go to the waitlist."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, events, notices, terms
from quart_enroll.domain import permissions
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import CensusDatePassed, UnknownCourse, UnknownTerm
from quart_enroll.domain.models import NO_SHOW, Course, Event, Notice, SectionKey, User
from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.staff import audit, group_drop
from quart_enroll.services.staff.seat_previews import GainedSeat
from quart_enroll.services.staff.section_effects import change_section

MAX_STUDENTS_AT_ONCE = 500
"""The largest number of students who are dropped together, in one transaction."""


@dataclass(frozen=True, slots=True)
class NoShowDrop:
    """The students who were dropped, and those who got their seats from the waitlist."""

    dropped: Sequence[int]
    gained: Sequence[GainedSeat] = ()


async def drop(
    context: EnrollmentContext,
    staff: User,
    key: SectionKey,
    user_ids: Collection[int],
    now: datetime,
    *,
    preview: bool = False,
) -> NoShowDrop:
    """Drop those of these students who are enrolled in the section; a `preview` only says what would happen.

    Courses that need this one stay on their schedules. Raises UnknownTerm, UnknownCourse and CensusDatePassed.
    """

    async def body(transaction: SeatTransaction) -> NoShowDrop:
        db, session = transaction.db, transaction.session
        course = await _find_course(db, key, now, session)
        enrolled = await enrollments.find_enrolled(db, key, user_ids, session)
        dropped = [user_id for user_id in user_ids if user_id in enrolled]
        if not dropped:
            return NoShowDrop(dropped)
        await group_drop.remove_students(transaction, course, key, dropped)
        await _record(transaction, staff, course, key, dropped)
        transaction.freed_sections.append(key)
        await promote_waitlists(transaction)
        return NoShowDrop(dropped, [GainedSeat.of(one) for one in transaction.promotions])

    return await change_section(context, staff.user_id, now, key, body, preview=preview)


async def _find_course(db: Database, key: SectionKey, now: datetime, session: Session) -> Course:
    term = await terms.find(db, key.term, session)
    course = await courses.find(db, key.courseID, session)
    if term is None:
        raise UnknownTerm(key.term, [])
    if course is None:
        raise UnknownCourse(key.courseID)
    if now >= term.census_at:
        raise CensusDatePassed(key.term)
    return course


async def _record(
    transaction: SeatTransaction, staff: User, course: Course, key: SectionKey, dropped: Sequence[int]
) -> None:
    """Write each student's event, notice and audit entry."""
    db, session, now = transaction.db, transaction.session, transaction.now
    role = permissions.acting_role(staff, Role.INSTRUCTOR)
    happened = [
        Event(now, staff.user_id, user_id, "drop", key.courseID, key.term, key.section, reason=NO_SHOW, acted_as=role)
        for user_id in dropped
    ]
    because = Sentence("%(name)s recorded that you didn’t attend.", name=staff.full_name)
    told = [
        Notice(now, user_id, "no_show", key.courseID, course.title, key.term, key.section, because)
        for user_id in dropped
    ]
    about = About("section", key.term, key.courseID, key.section)
    entries = [AuditEntry(now, staff.user_id, "student.drop", about, one, reason=NO_SHOW) for one in dropped]
    await events.add_all(db, happened, session)
    await notices.add_all(db, told, session)
    await audit.record_all(db, session, entries)
