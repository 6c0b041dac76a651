"""Deletes accounts."""

from datetime import datetime

from quart_enroll.db.collections import enrollments, schedules, sections, terms, users, waitlist
from quart_enroll.db.queries import user_data
from quart_enroll.domain.errors import LastRegistrar
from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role
from quart_enroll.services.accounts import accounts
from quart_enroll.services.accounts.hashing import Hasher
from quart_enroll.services.enrollment import seat_changes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats


async def delete_account(context: EnrollmentContext, hasher: Hasher, user: User, password: str, now: datetime) -> None:
    """Delete the user and all their rows, free their seats, and promote waitlisted students.

    Only the anonymous history stays. Seats in past terms are deleted too, because no user would be left to own them.
    Everything happens in one transaction, and repeating the request changes nothing. The user_id is never reused.
    Raises WrongPassword and LastRegistrar.
    """
    db = context.db
    await accounts.confirm_password(db, hasher, user, password)
    await users.raise_user_id_counter(db, at_least=user.user_id)

    async def body(transaction: SeatTransaction) -> None:
        session = transaction.session
        found = await users.find(db, user.user_id, session)
        if found is None:
            return
        if Role.REGISTRAR in found.roles and not await users.has_another_registrar(db, user.user_id, session):
            raise LastRegistrar
        await _release_seats(transaction, user.user_id)
        await accounts.end_all_access(db, user.user_id, session)
        await user_data.remove(db, user.user_id, session)
        await promote_waitlists(transaction)

    await change_seats(context.locks, user.user_id, now, await enrollments.find_section_keys(db, user.user_id), body)


async def _release_seats(transaction: SeatTransaction, user_id: int) -> None:
    """Remove the user from all waitlists and sections, whatever the deadlines, and close their schedules."""
    db, session = transaction.db, transaction.session
    for term in await terms.find_all(db):
        await schedules.close(db, user_id, term.term, transaction.now, session)
    for waiting in await waitlist.find_in_all_terms(db, user_id, session):
        await waitlist.remove(db, waiting, session)
        await sections.leave_waitlist(db, waiting.key, session)
        transaction.changed_waitlists.add(waiting.key)
        await seat_changes.record_event(transaction, user_id, "leave", waiting.key)
    for key in await enrollments.find_section_keys(db, user_id, session):
        await enrollments.remove(db, user_id, key, session)
        await seat_changes.record_event(transaction, user_id, "drop", key)
        await seat_changes.release_seat(transaction, key)
