"""Place and lift holds; each is one transaction, with its audit entry."""

from datetime import datetime

from quart_enroll.db.collections import holds, schedules, users, waitlist
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import AccountGone
from quart_enroll.domain.holds import Hold
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit


async def place(context: EnrollmentContext, staff_id: int, user_id: int, hold: Hold, now: datetime) -> str:
    """Place the hold on the student, and return its key; raise AccountGone for an unknown student.

    The student keeps all seats and waitlist places.
    """

    async def body(transaction: SeatTransaction) -> str:
        db, session = transaction.db, transaction.session
        await schedules.bump_all_versions(db, user_id, session)
        if await users.find(db, user_id, session) is None:
            raise AccountGone
        hold_id = await holds.add(db, user_id, hold, staff_id, now, session)
        about = About("hold", name=hold.type)
        await audit.record(db, session, AuditEntry(now, staff_id, "hold.place", about, user_id, reason=hold.reason))
        return hold_id

    return await change_seats(context.locks, staff_id, now, [], body)


async def lift(
    context: EnrollmentContext, staff_id: int, user_id: int, hold_id: str, reason: str, now: datetime
) -> bool:
    """Lift the hold, and give the student each open seat they wait for; return False if it isn't active."""

    async def body(transaction: SeatTransaction) -> bool:
        db, session = transaction.db, transaction.session
        # A skip at this moment bumps the version too: one of the two runs again, so that no open seat is missed.
        await schedules.bump_all_versions(db, user_id, session)
        if not await holds.lift(db, user_id, hold_id, staff_id, now, reason, session):
            return False
        about = About("hold", name=hold_id)
        await audit.record(db, session, AuditEntry(now, staff_id, "hold.lift", about, user_id, reason=reason))
        entries = await waitlist.find_in_all_terms(db, user_id, session)
        transaction.unblocked_students.extend((user_id, term) for term in sorted({one.key.term for one in entries}))
        await promote_waitlists(transaction)
        return True

    return await change_seats(context.locks, staff_id, now, [], body)
