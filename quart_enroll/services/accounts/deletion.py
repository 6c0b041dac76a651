"""Deletes accounts, at once or on request."""

from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.collections import enrollments, schedules, sections, terms, users, waitlist
from quart_enroll.db.queries import user_data
from quart_enroll.domain.errors import LastRegistrar
from quart_enroll.domain.models import SectionKey, Term, User
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
        found = await users.find(db, user.user_id, transaction.session)
        if found is not None:
            await remove_account(transaction, found)

    await change_seats(context.locks, user.user_id, now, await enrollments.find_section_keys(db, user.user_id), body)


async def remove_account(transaction: SeatTransaction, user: User, *, keeps_courses: bool = False) -> None:
    """Remove the user and all their rows inside the transaction, free their seats, and promote waitlisted students.

    With `keeps_courses`, what they took in terms that are over stays, under a number that is never reused; so do
    withdrawn courses, and those of a running term become withdrawn after its drop deadline. Raises LastRegistrar.
    """
    db, session = transaction.db, transaction.session
    if Role.REGISTRAR in user.roles and not await users.has_another_registrar(db, user.user_id, session):
        raise LastRegistrar
    known = await terms.find_all(db)
    await _leave_waitlists(transaction, user.user_id, known)
    if keeps_courses:
        await _end_running_courses(transaction, user.user_id, known)
    else:
        for key in await enrollments.find_section_keys(db, user.user_id, session):
            await _give_up_seat(transaction, user.user_id, key)
    await accounts.end_all_access(db, user.user_id, session)
    await user_data.remove(db, user.user_id, session, keeps_courses=keeps_courses)
    await promote_waitlists(transaction)


async def _leave_waitlists(transaction: SeatTransaction, user_id: int, known: Sequence[Term]) -> None:
    """Close the user's schedules, so that no request under way can change them, and remove them from all waitlists."""
    db, session = transaction.db, transaction.session
    for term in known:
        await schedules.close(db, user_id, term.term, transaction.now, session)
    for waiting in await waitlist.find_in_all_terms(db, user_id, session):
        await waitlist.remove(db, waiting, session)
        await sections.leave_waitlist(db, waiting.key, session)
        transaction.changed_waitlists.add(waiting.key)
        await seat_changes.record_event(transaction, user_id, "leave", waiting.key)


async def _end_running_courses(transaction: SeatTransaction, user_id: int, known: Sequence[Term]) -> None:
    """Drop the user's courses in terms that are not over, or withdraw from them; keep all others."""
    now, running = transaction.now, {term.term: term for term in known if term.is_ongoing(transaction.now)}
    for key in await enrollments.find_section_keys(transaction.db, user_id, transaction.session):
        if (term := running.get(key.term)) is not None:
            await _give_up_seat(transaction, user_id, key, withdraws=now >= term.drop_deadline)
    await enrollments.make_anonymous(transaction.db, user_id, transaction.session)


async def _give_up_seat(
    transaction: SeatTransaction, user_id: int, key: SectionKey, *, withdraws: bool = False
) -> None:
    [pool] = await enrollments.count_pools(transaction.db, key, [user_id], transaction.session) or [""]
    end = enrollments.withdraw if withdraws else enrollments.remove
    await end(transaction.db, user_id, key, transaction.session)
    await seat_changes.record_event(transaction, user_id, "withdraw" if withdraws else "drop", key)
    await seat_changes.release_seat(transaction, key, pool)
