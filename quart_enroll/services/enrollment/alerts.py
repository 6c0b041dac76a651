"""Seat alerts: a student who isn't on the waitlist is notified, once, that a seat is open to them.

`promotion.promote_waitlists` sends them, in the transaction that leaves the seat open.
"""

from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import alerts, sections
from quart_enroll.domain import rules
from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, SeatOpen, TooManyAlerts
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_changes
from quart_enroll.services.enrollment.candidates import Offering, load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction

MAX_ALERTS = 20
"""Alerts that a student may have in all terms together."""


@metrics.count_change("alert_ask")
async def add(context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime) -> Offering:
    """Set an alert for the section; one that is set already stays.

    Raises UnknownCourse, UnknownTerm, UnknownSection, NotTaught, NotOpenYet, Closed, AlreadyEnrolled, AlreadyWaiting
    (both for this very section), SeatOpen, TooManyAlerts.
    """
    db = context.db
    key = (await resolve.find_section(db, user_id, request, now)).key

    async def body(session: Session) -> Offering:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, key.term)
        candidate = await load_candidate(db, user_id, key, session)
        offering = candidate.offering
        rules.check_open(offering.term, now)
        if key in [one.section.key for one in candidate.registrations if one.status == "enrolled"]:
            raise AlreadyEnrolled(offering.course.title, offering.term.term)
        if key in [entry.key for entry in candidate.waitlist_entries]:
            raise AlreadyWaiting(offering.course.title, key.section)
        alert_keys = await alerts.find_by_student(db, user_id, session)
        if key not in alert_keys and len(alert_keys) >= MAX_ALERTS:
            raise TooManyAlerts(MAX_ALERTS)
        if offering.section.open_seats:
            raise SeatOpen(offering.course.title, key.section)
        await alerts.add(db, user_id, key, now, offering.term.withdraw_deadline, session)
        # This writes the section, as a drop does, so the one of the two that comes second sees the other.
        await sections.count_alert(db, key, session)
        return offering

    return await context.locks.run([key], body)


@metrics.count_change("alert_end")
async def remove(db: Database, user_id: int, key: SectionKey) -> None:
    """Remove the student's alert, if it has not been sent already."""
    await alerts.remove(db, user_id, key)
