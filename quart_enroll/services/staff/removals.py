"""Requests to remove an account: the registrar grants or declines them."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import enrollments, notices, removals, terms, users, waitlist
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import RemovalDecided
from quart_enroll.domain.models import Notice, User
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.accounts import deletion
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.notifications import outbox
from quart_enroll.services.staff import audit

ACCOUNT = About("person")


@dataclass(frozen=True, slots=True)
class PendingRemoval:
    """A request that is waiting for a decision, with the user."""

    user: User
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Consequences:
    """What the removal ends: the number of courses and waitlist places; and how many courses stay on record."""

    seats: int
    waiting: int
    retained_courses: int


async def find_all(db: Database) -> list[PendingRemoval]:
    """Return all requests, the oldest first."""
    requests = await removals.find_all(db)
    people = await users.find_many(db, [one.user_id for one in requests])
    return [PendingRemoval(people[one.user_id], one.asked_at) for one in requests if one.user_id in people]


async def find(db: Database, user_id: int) -> PendingRemoval | None:
    """Return the user's request, or None."""
    request, user = await removals.find(db, user_id), await users.find(db, user_id)
    return PendingRemoval(user, request.asked_at) if request and user else None


async def preview(db: Database, user_id: int, now: datetime) -> Consequences:
    """Return what the removal of the account does."""
    running = {term.term for term in await terms.find_all(db) if term.is_ongoing(now)}
    keys = await enrollments.find_section_keys(db, user_id)
    ended = sum(key.term in running for key in keys)
    return Consequences(ended, len(await waitlist.find_in_all_terms(db, user_id)), len(keys) - ended)


async def grant(context: EnrollmentContext, staff_id: int, user_id: int, now: datetime) -> None:
    """Remove the account, except the courses of past terms, and tell the user by email.

    Raises RemovalDecided and LastRegistrar.
    """
    db = context.db
    await users.raise_user_id_counter(db, at_least=user_id)

    async def body(transaction: SeatTransaction) -> None:
        session = transaction.session
        user = await users.find(db, user_id, session)
        if user is None or not await removals.remove(db, user_id, session):
            raise RemovalDecided
        await deletion.remove_account(transaction, user, keeps_courses=True)
        await outbox.queue_removal(db, session, user, now)
        await audit.record(db, session, AuditEntry(now, staff_id, "removal.grant", ACCOUNT, user_id))

    await change_seats(context.locks, staff_id, now, await enrollments.find_section_keys(db, user_id), body)


async def decline(db: Database, staff_id: int, user_id: int, reason: str, now: datetime) -> None:
    """Keep the account, and tell the user why; raise RemovalDecided if the request no longer exists."""

    async def body(session: Session) -> None:
        if not await removals.remove(db, user_id, session):
            raise RemovalDecided
        because = Sentence("Reason: %(reason)s", reason=reason)
        await notices.add(db, Notice(now, user_id, "removal_declined", because=because), session)
        entry = AuditEntry(now, staff_id, "removal.decline", ACCOUNT, user_id, reason)
        await audit.record(db, session, entry)

    await transaction(db, body)
