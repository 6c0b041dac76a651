"""Inserts all rows of the demo school into an empty database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import courses, events, hold_types, holds, sections, terms, users, waitlist
from quart_enroll.domain.holds import HoldType, RecordedHold
from quart_enroll.domain.models import Course, Credentials, Event, Section, SectionKey, Term, WaitlistEntry

CHECKED_COLLECTIONS = ("course", "term", "section", "user", "enrollment")
"""Collections that are empty in an unused database."""


@dataclass(frozen=True, slots=True)
class DemoSeat:
    """A student's seat; `status` is "enrolled" or "withdrawn"."""

    user_id: int
    key: SectionKey
    at: datetime
    status: str = "enrolled"


@dataclass(frozen=True, slots=True)
class School:
    """All rows of a school. Its sections have the right counters; `credits` are by user_id and term."""

    terms: Sequence[Term]
    courses: Sequence[Course]
    sections: Sequence[Section]
    people: Sequence[Credentials]
    seats: Sequence[DemoSeat]
    line: Sequence[WaitlistEntry]
    credits: Mapping[tuple[int, str], int | float]
    events: Sequence[Event]
    hold_types: Sequence[HoldType] = ()
    holds: Sequence[RecordedHold] = ()


async def is_empty(db: Database) -> bool:
    """Return whether the database is unused."""
    return not any([await db[name].find_one({}, {"_id": 1}) for name in CHECKED_COLLECTIONS])


async def insert(db: Database, school: School, session: Session) -> None:
    """Insert all rows."""
    for name, rows in _rows(school).items():
        if rows:
            await db[name].insert_many(rows, session=session)


def _rows(school: School) -> dict[str, list[Document]]:
    return {
        "term": [terms.to_row(term) for term in school.terms],
        "course": [courses.to_row(course) for course in school.courses],
        "section": [sections.to_row(section) | {"queue_tail": section.waiting} for section in school.sections],
        "user": [users.to_row(one.user) | {"password": one.password} for one in school.people],
        "enrollment": [
            section_keys.to_filter(seat.key) | {"user_id": seat.user_id, "enrolled_at": seat.at, "status": seat.status}
            for seat in school.seats
        ],
        "waitlist": [waitlist.to_row(entry) for entry in school.line],
        "schedule": [
            {"user_id": user_id, "term": term, "credits": number, "version": 1}
            for (user_id, term), number in school.credits.items()
        ],
        "event": [events.to_row(event) for event in school.events],
        "hold_type": [hold_types.to_row(one) for one in school.hold_types],
        "hold": [holds.to_row(one.user_id, one.hold, one.placed_by, one.placed_at) for one in school.holds],
    }
