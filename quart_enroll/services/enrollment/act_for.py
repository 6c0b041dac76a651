"""Act for a student, with a reason: make the changes that the student could make, or override a rule.

Each change is one transaction, with the event in the student's history, the audit entry and the notice to the student,
and whatever else the caller wants to `record` in it.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, notices, users
from quart_enroll.db.queries import section_facts
from quart_enroll.domain.actors import Actor
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.errors import UnknownCourse, UnknownTerm
from quart_enroll.domain.models import Course, Event, Notice, SectionKey, Term
from quart_enroll.i18n.language import Sentence, TermName
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import seat_actions
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_actions import Dropped, Joined, Reordered
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit

Result = TypeVar("Result")

Record = Callable[[Session], Awaitable[None]]
"""Writes something in the transaction of a change; raises if that must not be committed."""


async def record_nothing(_: Session) -> None:
    """Write nothing."""


NOTICE_SENTENCES = {
    "enroll": Sentence("%(name)s enrolled you in %(title)s, section %(section)s, for %(term)s. Reason: %(reason)s"),
    "drop": Sentence("%(name)s dropped you from %(title)s, section %(section)s, for %(term)s. Reason: %(reason)s"),
    "withdraw": Sentence("%(name)s withdrew you from %(title)s, section %(section)s, for %(term)s. Reason: %(reason)s"),
    "swap": Sentence("%(name)s swapped you into %(title)s, section %(section)s, for %(term)s. Reason: %(reason)s"),
    "join": Sentence(
        "%(name)s added you to the waitlist for %(title)s, section %(section)s, for %(term)s. Reason: %(reason)s"
    ),
    "leave": Sentence(
        "%(name)s removed you from the waitlist for %(title)s, section %(section)s, for %(term)s. Reason: %(reason)s"
    ),
    "reorder": Sentence(
        "%(name)s changed your position on the waitlist for %(title)s, section %(section)s, for %(term)s. "
        "Reason: %(reason)s"
    ),
}
"""What the student is told, by the action of the event."""

REGISTRARS_OFFICE = Sentence("The registrar’s office")
"""Who acted, if it was a command or a person whose account is gone."""

AUDIT_ACTIONS = {
    "enroll": "student.add",
    "drop": "student.drop",
    "withdraw": "student.withdraw",
    "swap": "student.swap",
    "join": "student.join",
    "leave": "student.leave",
    "reorder": "student.move",
}
"""The action of the audit entry, by the action of the event."""


@metrics.count_change("enroll")
async def enroll(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    key: SectionKey,
    now: datetime,
    *,
    record: Record = record_nothing,
) -> Enrolled:
    """Enroll the student in the section; a full one only with the override FULL, ahead of its waitlist.

    Raises what `enroll.enroll` raises, unless one of the overrides allows it.
    """

    async def body(transaction: SeatTransaction) -> Enrolled:
        return await seat_actions.enroll(transaction, user_id, key)

    return await _act(context, staff, user_id, now, [key], body, record)


@metrics.count_change("drop")
async def drop(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    key: SectionKey,
    now: datetime,
    *,
    withdraw: bool | None = None,
    with_corequisites: bool = False,
    record: Record = record_nothing,
) -> Dropped:
    """Drop the course, or withdraw the student from it: by default whichever the date says.

    Without `with_corequisites`, the override REQUISITES leaves courses that need this one on the schedule.
    Raises UnknownCourse, UnknownTerm, NotEnrolled; and unless an override allows it, DropDeadlinePassed,
    WithdrawalDeadlinePassed or CorequisitesWouldGo.
    """
    term, course = await _term_and_course(context.db, key)

    async def body(transaction: SeatTransaction) -> Dropped:
        return await seat_actions.drop(
            transaction, user_id, course, term, with_corequisites=with_corequisites, withdraw=withdraw
        )

    return await _act(context, staff, user_id, now, [key], body, record)


@metrics.count_change("swap")
async def swap(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    dropped: str,
    key: SectionKey,
    now: datetime,
    *,
    record: Record = record_nothing,
) -> Enrolled:
    """Enroll the student in the section in exchange for the course `dropped`.

    Raises what `enroll.swap` raises, unless one of the overrides allows it.
    """

    async def body(transaction: SeatTransaction) -> Enrolled:
        return await seat_actions.swap(transaction, user_id, dropped, key)

    old_keys = await enrollments.find_keys(context.db, user_id, key.term, dropped)
    return await _act(context, staff, user_id, now, [key, *old_keys], body, record)


@metrics.count_change("join")
async def join(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    key: SectionKey,
    now: datetime,
    drop_if_enrolled: str | None = None,
    *,
    record: Record = record_nothing,
) -> Joined:
    """Put the student at the end of the waitlist, or enroll them if a seat is open.

    What the overrides allow here, they also allow when a seat opens; but never more seats than the capacity.
    Raises what `waitlist.join` raises, unless one of the overrides allows it, and WaitlistClosed.
    """

    async def body(transaction: SeatTransaction) -> Joined:
        return await seat_actions.join(transaction, user_id, key, drop_if_enrolled)

    return await _act(context, staff, user_id, now, [key], body, record)


@metrics.count_change("leave")
async def leave(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    key: SectionKey,
    now: datetime,
    *,
    record: Record = record_nothing,
) -> SectionKey:
    """Take the student off the course's waitlist; raise UnknownCourse, UnknownTerm or NotWaiting."""
    term, course = await _term_and_course(context.db, key)

    async def body(transaction: SeatTransaction) -> SectionKey:
        return await seat_actions.leave(transaction, user_id, course, term)

    return await _act(context, staff, user_id, now, [key], body, record)


@metrics.count_change("reorder")
async def reorder(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    key: SectionKey,
    position: int,
    now: datetime,
    *,
    record: Record = record_nothing,
) -> Reordered:
    """Move the student to another position on the course's waitlist, from 1; one beyond the end is the last.

    Raises UnknownCourse, UnknownTerm or NotWaiting.
    """
    term, course = await _term_and_course(context.db, key)

    async def body(transaction: SeatTransaction) -> Reordered:
        return await seat_actions.reorder(transaction, user_id, course, term, position)

    return await _act(context, staff, user_id, now, [key], body, record)


async def _act(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    now: datetime,
    keys: Collection[SectionKey],
    body: Callable[[SeatTransaction], Coroutine[Any, Any, Result]],
    record: Record,
) -> Result:
    async def recorded(transaction: SeatTransaction) -> Result:
        result = await body(transaction)
        done = [one for one in transaction.student_events if one.action in AUDIT_ACTIONS]
        for event in done:
            await audit.record(context.db, transaction.session, _audit_entry(event, result))
        await _notify(transaction, staff, done)
        await record(transaction.session)
        return result

    return await change_seats(context.locks, user_id, now, keys, recorded, staff=staff)


def _audit_entry(event: Event, result: object) -> AuditEntry:
    changes = [Change("position", str(result.before), str(result.after))] if isinstance(result, Reordered) else []
    return AuditEntry(
        event.at,
        event.actor,
        AUDIT_ACTIONS[event.action],
        About("section", event.term, event.courseID, event.section),
        user_id=event.user_id,
        reason=event.reason,
        overrides=event.overrides,
        changes=tuple(changes),
    )


async def _notify(transaction: SeatTransaction, staff: Actor, done: Sequence[Event]) -> None:
    """Tell the student who did it and why: once for each course, but not what follows from that."""
    db, session = transaction.db, transaction.session
    author = await users.find(db, staff.user_id, session)
    name = author.full_name if author else REGISTRARS_OFFICE
    for event in done:
        if event.action == done[-1].action:
            course = await courses.find(db, event.courseID)
            await notices.add(db, _notice(event, name, course.title if course else event.courseID), session)


def _notice(event: Event, name: str | Sentence, title: str) -> Notice:
    what = Sentence(
        NOTICE_SENTENCES[event.action].message,
        name=name,
        title=title,
        section=event.section,
        term=TermName(event.term),
        reason=event.reason,
    )
    return Notice(event.at, event.user_id, "staff", event.courseID, title, event.term, event.section, because=what)


async def _term_and_course(db: Database, key: SectionKey) -> tuple[Term, Course]:
    """Return them even if the section was deleted; raise UnknownTerm or UnknownCourse."""
    term, course, _ = await section_facts.find(db, key)
    if term is None:
        raise UnknownTerm(key.term, [])
    if course is None:
        raise UnknownCourse(key.courseID)
    return term, course
