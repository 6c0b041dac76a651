"""What rita has done as a member of the staff, and what she sees on the dashboard."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from quart_enroll.db.client import Database
from quart_enroll.db.collections import alerts, events, users
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.models import Event, SectionKey
from tests.support.people import ADA, BOB, CAL, FALL, FALL_MORNING, PASSWORD_HASH, RITA

EDIT = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "section.edit",
    About("section", "Fall 2026", "1111", "01"),
    changes=(Change("capacity", "30", "40"), Change("room", "", "Hall 4")),
)
"""A change of a section."""

OVERRIDE = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "student.add",
    About("section", "Fall 2026", "3333", "01"),
    user_id=ADA.user_id,
    reason="=Graduates in spring",
    overrides=("full",),
)
"""A seat for ada in a full section; the reason looks like a formula."""

PYT, PYT_EVENING, PHP = (SectionKey("Fall 2026", *key) for key in (("1111", "01"), ("1111", "02"), ("3333", "01")))
DAN = replace(CAL, user_id=9, email="dan@school.example", first_name="Dan")


def event(second: float, user_id: int, action: str, key: SectionKey, result: str = "ok") -> Event:
    """Return an event so many seconds after the opening of the fall."""
    at = FALL.opens_at + timedelta(seconds=second)
    return Event(at, user_id, user_id, action, key.courseID, key.term, key.section, result)


HAPPENED: Sequence[Event] = (
    event(0.2, ADA.user_id, "enroll", PHP),
    event(0.9, 101, "enroll", PYT),
    event(3, 102, "promote", PYT),
    event(3.5, BOB.user_id, "join", PHP),
    event(65, 101, "drop", PYT),
)
REFUSALS: Sequence[Event] = (
    event(0.3, BOB.user_id, "enroll", PHP, "section_full"),
    event(0.4, CAL.user_id, "enroll", PHP, "section_full"),
    event(2, CAL.user_id, "enroll", PHP, "section_full"),
    event(4, CAL.user_id, "join", PHP, "waitlist_full"),
    event(4, ADA.user_id, "enroll", PYT, "time_conflict"),
    event(70, DAN.user_id, "enroll", PYT, "credit_limit"),
    event(5, BOB.user_id, "skip", PHP, "credit_limit"),
)


async def add_opening(db: Database) -> None:
    """Add the events of an opening: cal and dan, who is not to be passed on, were refused; cal has an alert."""
    await users.add(db, CAL, PASSWORD_HASH)
    await users.add(db, DAN, PASSWORD_HASH)
    await db.user.update_one({"user_id": DAN.user_id}, {"$set": {"directory_opt_out": True}})
    for one in HAPPENED:
        await events.add(db, one)
    for one in REFUSALS:
        await events.add_refusal(db, one)
    await alerts.add(db, CAL.user_id, PHP, FALL_MORNING, FALL.withdraw_deadline, None)
