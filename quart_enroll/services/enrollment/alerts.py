"""Seat alerts: who does not stand in line may be told, once, that a seat is open to everybody.

Telling is the business of `seats.settle`: in the transaction that leaves the seat open. So no process that dies can
lose a word or say it twice, nothing has to look for open seats, and where nobody asks it costs one indexed read.
"""

from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import alerts, sections
from quart_enroll.domain import rules
from quart_enroll.domain.errors import AlreadyEnrolled, AlreadyWaiting, SeatOpen, TooManyAlerts
from quart_enroll.domain.models import SectionKey, SectionRequest
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_changes
from quart_enroll.services.enrollment.seat_changes import Offer, SeatTransaction
from quart_enroll.services.enrollment.section_lock import run_locked

MOST = 20
"""Sections that a student may ask about in all terms together."""


@metrics.count_change("alert_ask")
async def ask(db: Database, user_id: int, wish: SectionRequest, now: datetime) -> Offer:
    """Tell the student when a seat opens in the section; asking again changes nothing.

    Raises UnknownCourse, UnknownTerm, UnknownSection, NotTaught, NotOpenYet, Closed, AlreadyEnrolled, AlreadyWaiting
    (both of this very section), SeatOpen, TooManyAlerts.
    """
    wanted = await resolve.section_meant(db, user_id, wish, now, None)

    async def body(session: Session) -> Offer:
        step = SeatTransaction(db, session, now, user_id)
        await seat_changes.bump_version(step, user_id, wanted.key.term)
        there = await seat_changes.load_student(step, user_id, wanted.key)
        found, held = there.offer, there.held
        rules.check_open(found.term, now)
        if found.key in [one.section.key for one in held if one.status == "enrolled"]:
            raise AlreadyEnrolled(found.course.title, found.term.term)
        if found.key in [waiting.key for waiting in there.lines]:
            raise AlreadyWaiting(found.course.title, found.key.section)
        asked = await alerts.find_by_student(db, user_id, session)
        if found.key not in asked and len(asked) >= MOST:
            raise TooManyAlerts(MOST)
        await alerts.add(db, user_id, found.key, now, found.term.withdraw_deadline, session)
        # It writes the section, as who frees a seat does: so one of the two sees the other.
        if not await sections.count_alert(db, found.key, session):
            raise SeatOpen(found.course.title, found.key.section)
        return found

    return await run_locked(db, [wanted.key], body)


@metrics.count_change("alert_end")
async def end(db: Database, user_id: int, key: SectionKey) -> None:
    """Do not tell the student any more, who may be told already."""
    await alerts.remove(db, user_id, key)
