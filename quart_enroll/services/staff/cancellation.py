"""Cancels sections: their students are dropped without a W, told, and shown the other sections that fit.

Up to MAX_STUDENTS_IN_TRANSACTION students are one transaction. A larger section is closed first, and emptied in several
transactions, the last of which cancels it. If the process dies in between, the section is closed and holds the
remaining students; canceling it again continues from there.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import (
    alerts,
    courses,
    events,
    notices,
    sections,
    users,
)
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.db.queries.import_guards import AffectedStudent
from quart_enroll.db.transactions import transaction as run_transaction
from quart_enroll.domain import rules
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.errors import (
    SectionEditConflict,
    TermEnded,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
    alternatives,
)
from quart_enroll.domain.models import (
    Course,
    Event,
    Notice,
    Registration,
    Section,
    SectionKey,
    SectionStatus,
    Term,
)
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.staff import audit, consent, group_drop
from quart_enroll.services.staff.section_effects import change_section

MAX_STUDENTS_IN_TRANSACTION = 500
"""The largest number of students who are dropped in one transaction."""


@dataclass(frozen=True, slots=True)
class CancelledStudent:
    """A student who loses a seat in a section, or a place on its waitlist, and the other sections that fit."""

    user_id: int
    is_waiting: bool
    alternatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Affected:
    """The students of a section that is canceled, and the facts about it."""

    term: Term
    course: Course
    section: Section
    rows: Sequence[AffectedStudent]
    others: Mapping[int, tuple[str, ...]]

    @property
    def students(self) -> list[CancelledStudent]:
        return [CancelledStudent(one.user_id, one.is_waiting, self.others[one.user_id]) for one in self.rows]


async def preview(db: Database, key: SectionKey, now: datetime) -> list[CancelledStudent]:
    """Return the students who would lose their places; raise what `cancel` raises, except SectionEditConflict."""

    async def body(session: Session) -> list[CancelledStudent]:
        return (await _find_affected(db, key, now, session)).students

    return await run_transaction(db, body)


async def cancel(
    context: EnrollmentContext, staff_id: int, key: SectionKey, revision: int, reason: str, now: datetime
) -> list[CancelledStudent]:
    """Cancel the section and return the students who lost their places.

    Raises UnknownTerm, UnknownCourse, UnknownSection, TermEnded, and SectionEditConflict if it was changed since
    the `revision`. Canceling a canceled section changes nothing.
    """
    lost: list[CancelledStudent] = []
    while True:
        body = partial(_cancel_batch, key=key, revision=revision, reason=reason)
        students, section = await change_section(context, staff_id, now, key, body)
        lost += students
        if section.status is SectionStatus.CANCELLED:
            return lost
        revision = section.revision


async def _cancel_batch(
    transaction: SeatTransaction, key: SectionKey, revision: int, reason: str
) -> tuple[list[CancelledStudent], Section]:
    """Drop the next students, and cancel the section with the last of them; return them, and the section then."""
    db, session, now = transaction.db, transaction.session, transaction.now
    affected = await _find_affected(db, key, now, session)
    old = affected.section
    if old.status is SectionStatus.CANCELLED:
        return [], old
    if old.revision != revision:
        raise SectionEditConflict(old)
    batch = replace(affected, rows=affected.rows[:MAX_STUDENTS_IN_TRANSACTION])
    is_last = len(batch.rows) == len(affected.rows)
    status = SectionStatus.CANCELLED if is_last else SectionStatus.CLOSED
    await _drop(transaction, batch)
    left = await sections.find(db, key, session) or old  # the seats of its pools are no longer taken
    new = replace(left, status=status, revision=old.revision + 1)
    if not await sections.edit(db, new, session):
        raise SectionEditConflict(old)
    if is_last and (hoping := await alerts.find_students(db, key, session)):
        await alerts.remove_all(db, key, hoping, session)
    if is_last:
        await consent.close_requests(transaction, affected.course, key)
    await promote_waitlists(transaction)
    about = About("section", key.term, key.courseID, key.section)
    changes = (Change("status", old.status, new.status),) if old.status != new.status else ()
    action = "section.cancel" if is_last else "section.edit"
    await audit.record(db, session, AuditEntry(now, transaction.actor, action, about, reason=reason, changes=changes))
    return batch.students, new


async def _find_affected(db: Database, key: SectionKey, now: datetime, session: Session) -> _Affected:
    term = await stored_terms.find(db, key.term, session)
    course = await courses.find(db, key.courseID, session)
    section = await sections.find(db, key, session)
    if term is None:
        raise UnknownTerm(key.term, [])
    if course is None:
        raise UnknownCourse(key.courseID)
    if section is None:
        raise UnknownSection(course.title, key.section, key.term)
    if not term.is_ongoing(now):
        raise TermEnded(key.term)
    rows = await import_guards.find_affected(db, [key], session)
    return _Affected(term, course, section, rows, await _find_alternatives(db, term, course, section, rows, session))


async def _find_alternatives(
    db: Database, term: Term, course: Course, section: Section, rows: Sequence[AffectedStudent], session: Session
) -> dict[int, tuple[str, ...]]:
    """Return, for each student, the other sections of the course with an open seat that fit the rest of the schedule.

    A student who has a seat in another section, and waited for this one, needs none.
    """
    offered = await import_guards.find_sections(db, [term.term], session)
    others = [one for one in offered.values() if one.courseID == course.courseID and one.key != section.key]
    known = {one.courseID: one for one in await courses.find_all(db, session)}
    schedule = defaultdict[int, list[Registration]](list)
    students = {one.user_id for one in rows}
    for user_id, held in await import_guards.find_section_keys(db, students, [term.term], session):
        if held != section.key and held in offered and held.courseID in known:
            schedule[user_id].append(Registration(known[held.courseID], offered[held], "enrolled"))
    has_groups = any(one.restriction or one.pools for one in others)
    people = await users.find_many(db, students, session) if has_groups else {}

    def fits(user_id: int, one: Section) -> bool:
        attributes = people[user_id].attributes if user_id in people else None
        seen = one.seen_by(attributes) if attributes else one
        return bool(seen.open_seats) and rules.fits(term, course, one, schedule[user_id], attributes)

    return {user_id: tuple(sorted(one.section for one in others if fits(user_id, one))) for user_id in students}


async def _drop(transaction: SeatTransaction, batch: _Affected) -> None:
    """Remove these students from the section and from its waitlist, and tell them."""
    if not batch.rows:
        return
    db, session, now, key = transaction.db, transaction.session, transaction.now, batch.section.key
    enrolled = [one.user_id for one in batch.rows if not one.is_waiting]
    waiting = [one.user_id for one in batch.rows if one.is_waiting]
    await group_drop.remove_students(transaction, batch.course, key, enrolled, waiting)
    happened = [
        Event(now, transaction.actor, one.user_id, "cancelled", key.courseID, key.term, key.section)
        for one in batch.rows
    ]
    await events.add_all(db, happened, session)
    await notices.add_all(db, [_notice(event, batch) for event in happened], session)


def _notice(event: Event, batch: _Affected) -> Notice:
    others = batch.others[event.user_id]
    return Notice.of(event, batch.course.title, alternatives(others) if others else None)
