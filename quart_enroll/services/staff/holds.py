"""Place and lift holds; each is one transaction, with its audit entry and the student's notice."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import NamedTuple

from quart_enroll.db.client import Database
from quart_enroll.db.collections import holds, notices, schedules, users
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import AccountGone
from quart_enroll.domain.holds import Hold, HoldFilter, RecordedHold
from quart_enroll.domain.models import SYSTEM_ACTOR, Notice
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment.act_for import Record, record_nothing
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_students
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit
from quart_enroll.system.background import work_at_dates
from quart_enroll.system.clock import Clock

MAX_HOLDS_AT_ONCE = 100
"""Ended holds that are read at once."""


async def find_of_student(db: Database, user_id: int) -> list[RecordedHold]:
    """Return all holds of the student, lifted ones included, the latest first."""
    return await holds.find_of_student(db, user_id)


async def find(db: Database, user_id: int, hold_id: str) -> RecordedHold | None:
    """Return the student's hold, or None."""
    return await holds.find(db, user_id, hold_id)


async def find_page(db: Database, wanted: HoldFilter, after: str, at_most: int) -> tuple[list[RecordedHold], str]:
    """Return a page of these holds, the latest first, and the cursor of the next page, which is empty on the last one.

    Raises ValueError for an invalid cursor.
    """
    return await holds.find_page(db, wanted, after, at_most)


def batches(db: Database, wanted: HoldFilter) -> AsyncGenerator[list[RecordedHold], None]:
    """Yield all these holds in batches, the latest first."""
    return holds.batches(db, wanted)


class PlacedHold(NamedTuple):
    """The key of the student's hold, and whether it is new."""

    hold_id: str
    is_new: bool


async def place(
    context: EnrollmentContext,
    staff_id: int,
    user_id: int,
    hold: Hold,
    now: datetime,
    record: Record = record_nothing,
) -> PlacedHold:
    """Place the hold on the student, and `record` it; raise AccountGone for an unknown student.

    The student keeps all seats and waitlist places. A hold like one that the student has already is not placed again,
    nor recorded.
    """

    async def body(transaction: SeatTransaction) -> PlacedHold:
        db, session = transaction.db, transaction.session
        await schedules.bump_all_versions(db, [user_id], session)
        if await users.find(db, user_id, session) is None:
            raise AccountGone
        for one in await holds.find_of_student(db, user_id, hold.type, session):
            if one.lifted_at is None and one.hold == hold:
                return PlacedHold(one.hold_id, is_new=False)
        hold_id = await holds.add(db, user_id, hold, staff_id, now, session)
        about = About("hold", name=hold.type)
        await audit.record(db, session, AuditEntry(now, staff_id, "hold.place", about, user_id, reason=hold.reason))
        await notices.add(db, Notice(now, user_id, "hold_placed", because=_placed(hold)), session)
        await record(session)
        return PlacedHold(hold_id, is_new=True)

    return await change_seats(context.locks, staff_id, now, [], body)


async def lift(
    context: EnrollmentContext,
    staff_id: int | None,
    user_id: int,
    hold_id: str,
    reason: str,
    now: datetime,
    record: Record = record_nothing,
) -> bool:
    """Lift the hold, and give the student each open seat they wait for; return False if it is lifted already.

    For a hold that has ended on its date, `staff_id` is None, and the audit log has no entry.
    """

    async def body(transaction: SeatTransaction) -> bool:
        db, session = transaction.db, transaction.session
        await schedules.bump_all_versions(db, [user_id], session)
        await record(session)
        hold = await holds.lift(db, user_id, hold_id, staff_id, now, reason, session)
        if hold is None:
            return False
        if staff_id is not None:
            about = About("hold", name=hold.type)
            await audit.record(db, session, AuditEntry(now, staff_id, "hold.lift", about, user_id, reason=reason))
        await notices.add(db, Notice(now, user_id, "hold_lifted", because=_lifted(hold)), session)
        await promote_students(transaction, [user_id])
        return True

    return await change_seats(context.locks, SYSTEM_ACTOR if staff_id is None else staff_id, now, [], body)


async def lift_ended(context: EnrollmentContext, clock: Clock) -> int:
    """Lift the holds that have ended, so that waiting students are tried again; return how many."""
    number = 0
    while ended := await holds.find_ended(context.db, clock(), MAX_HOLDS_AT_ONCE):
        for one in ended:
            number += await lift(context, None, one.user_id, one.hold_id, "", clock())
    return number


async def lift_ended_forever(context: EnrollmentContext, clock: Clock) -> None:
    """Lift holds as soon as they end, until cancelled. Several processes may do so: each hold is lifted once."""

    async def work() -> datetime | None:
        await lift_ended(context, clock)
        return await holds.find_next_end(context.db, clock())

    await work_at_dates("holds", work, clock)


def _placed(hold: Hold) -> Sentence:
    return Sentence(
        "A hold was placed on your account (%(office)s): “%(reason)s”. %(consequences)s To have it lifted, contact "
        "%(contact)s.",
        office=hold.office,
        reason=hold.reason,
        consequences=hold.consequences,
        contact=hold.contact,
    )


def _lifted(hold: Hold) -> Sentence:
    return Sentence(
        "The hold on your account (%(office)s) is no longer in effect: “%(reason)s”.",
        office=hold.office,
        reason=hold.reason,
    )
