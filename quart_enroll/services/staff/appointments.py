"""Assign enrollment appointments and remove them; each is one transaction, with its audit entry and a notice."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial

from quart_enroll.db.client import Database
from quart_enroll.db.collections import appointments as stored
from quart_enroll.db.collections import notices, schedules, terms, users, waitlist
from quart_enroll.domain import appointments
from quart_enroll.domain.appointments import Appointment, RecordedAppointment
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import AccountGone, UnknownTerm, WrongFields
from quart_enroll.domain.models import SYSTEM_ACTOR, Notice, Term
from quart_enroll.i18n.language import Sentence, TermName, join_sentences
from quart_enroll.services.enrollment.act_for import Record, record_nothing
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit
from quart_enroll.system.background import work_at_dates
from quart_enroll.system.clock import Clock


async def find(db: Database, user_id: int, term: str) -> RecordedAppointment | None:
    """Return the student's appointment in the term, or None."""
    return await stored.find(db, user_id, term)


async def find_of_student(db: Database, user_id: int) -> list[RecordedAppointment]:
    """Return all appointments of the student."""
    return await stored.find_of_student(db, user_id)


async def count(db: Database, term: str, user_id: int | None = None) -> int:
    """Return how many appointments the term has, or 1 or 0 for a student."""
    return await stored.count(db, term, user_id)


async def find_page(
    db: Database, term: str, skip: int, at_most: int, user_id: int | None = None
) -> list[RecordedAppointment]:
    """Return a page of the term's appointments, those that begin first before the others."""
    return await stored.find_page(db, term, skip, at_most, user_id)


def batches(db: Database, term: str, user_id: int | None = None) -> AsyncGenerator[list[RecordedAppointment], None]:
    """Yield all appointments of the term in batches, those that begin first before the others."""
    return stored.batches(db, term, user_id)


async def assign(
    context: EnrollmentContext,
    staff_id: int,
    user_id: int,
    appointment: Appointment,
    now: datetime,
    record: Record = record_nothing,
) -> bool:
    """Give the student the appointment, in place of one in the same term; return False if it is the same.

    It drops nothing. Raises AccountGone for an unknown student, UnknownTerm, and WrongFields for times that contradict
    the term's.
    """

    async def body(transaction: SeatTransaction) -> bool:
        db, session = transaction.db, transaction.session
        await schedules.bump_version(db, user_id, appointment.term, session)
        await record(session)
        if await users.find(db, user_id, session) is None:
            raise AccountGone
        term = await terms.find(db, appointment.term, session)
        if term is None:
            raise UnknownTerm(appointment.term, [])
        if problems := appointments.problems(term, appointment):
            raise WrongFields({name: str(sentence) for name, sentence in problems.items()})
        before = await stored.put(db, user_id, appointment, staff_id, now, session)
        if before == appointment:
            return False
        await _record(transaction, "appointment.assign", user_id, term.term, before, appointment)
        await notices.add(db, notice(user_id, term, appointment, now, is_new=before is None), session)
        transaction.unblocked_students.append((user_id, term.term))  # the credit limit may be another one
        await promote_waitlists(transaction)
        return True

    return await change_seats(context.locks, staff_id, now, [], body)


async def remove(
    context: EnrollmentContext,
    staff_id: int,
    user_id: int,
    term_name: str,
    now: datetime,
    record: Record = record_nothing,
) -> bool:
    """Remove the student's appointment in the term; return False if there is none. It drops nothing."""

    async def body(transaction: SeatTransaction) -> bool:
        db, session = transaction.db, transaction.session
        await schedules.bump_version(db, user_id, term_name, session)
        await record(session)
        removed = await stored.remove(db, user_id, term_name, session)
        if removed is None:
            return False
        await _record(transaction, "appointment.remove", user_id, term_name, removed, None)
        await notices.add(db, Notice(now, user_id, "appointment", term=term_name, because=_removed(term_name)), session)
        transaction.unblocked_students.append((user_id, term_name))
        await promote_waitlists(transaction)
        return True

    return await change_seats(context.locks, staff_id, now, [], body)


async def retry_skipped(context: EnrollmentContext, term: str, now: datetime) -> None:
    """Give the students whose own credit limits have just ended each open seat that they wait for."""

    async def retry(transaction: SeatTransaction, user_id: int) -> None:
        # A skip at this moment bumps the version too: one of the two runs again, so that no open seat is missed.
        await schedules.bump_version(transaction.db, user_id, term, transaction.session)
        transaction.unblocked_students.append((user_id, term))
        await promote_waitlists(transaction)

    skipped = await waitlist.find_skipped_students(context.db, term)
    for user_id in await stored.find_limited(context.db, term, skipped) if skipped else ():
        await change_seats(context.locks, SYSTEM_ACTOR, now, [], partial(retry, user_id=user_id))


async def retry_begun(
    context: EnrollmentContext, known: Iterable[Term], now: datetime, done: set[tuple[str, datetime]]
) -> datetime | None:
    """Retry skipped students in each term whose open enrollment has begun, and return when the next one begins.

    `done` has the terms, with those moments, in which that was done already.
    """
    coming = list[datetime]()
    for term in known:
        if term.open_enrollment_at is None:
            continue
        if not appointments.is_open_enrollment(term, now):
            coming.append(term.open_enrollment_at)
        elif (beginning := (term.term, term.open_enrollment_at)) not in done and term.promotes_waitlist(now):
            await retry_skipped(context, term.term, now)
            done.add(beginning)
    return min(coming, default=None)


async def retry_at_open_enrollment(
    context: EnrollmentContext, catalog: Callable[[], Awaitable[Catalog]], clock: Clock
) -> None:
    """Retry skipped students as soon as open enrollment begins in a term of the catalog, until cancelled.

    Several processes may do so: each seat is given once.
    """
    done: set[tuple[str, datetime]] = set()

    async def work() -> datetime | None:
        return await retry_begun(context, (await catalog()).terms, clock(), done)

    await work_at_dates("appointments", work, clock)


def notice(user_id: int, term: Term, appointment: Appointment, now: datetime, *, is_new: bool) -> Notice:
    """Return the notice about an appointment that was assigned, or changed."""
    text = appointments.describe(term, appointment, now)
    if not is_new:
        text = join_sentences([Sentence("Your enrollment appointment was changed."), text])
    return Notice(now, user_id, "appointment", term=term.term, because=text)


def _removed(term: str) -> Sentence:
    return Sentence("Your enrollment appointment for %(term)s was removed.", term=TermName(term))


async def _record(
    transaction: SeatTransaction,
    action: str,
    user_id: int,
    term: str,
    before: Appointment | None,
    after: Appointment | None,
) -> None:
    old, new = appointments.texts(before), appointments.texts(after)
    changes = tuple(Change(name, old[name], new[name]) for name in new if old[name] != new[name])
    entry = AuditEntry(transaction.now, transaction.actor, action, About("term", term), user_id, changes=changes)
    await audit.record(transaction.db, transaction.session, entry)
