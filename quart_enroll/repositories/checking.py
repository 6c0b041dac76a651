"""All rows that have to do with seats, read at one moment, and the repairs of what is counted from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from quart_enroll.models import Course, Section, SectionKey, Term, Waiting
from quart_enroll.mongo import Database, Session
from quart_enroll.repositories import waitlist
from quart_enroll.repositories.courses import to_course
from quart_enroll.repositories.sections import to_section
from quart_enroll.repositories.terms import to_term, unknown_timezones
from quart_enroll.repositories.users import NUMBERED


@dataclass(frozen=True, slots=True)
class Seat:
    """A row of `enrollment`; old rows may lack a term and a section, which are empty then."""

    row: str
    user_id: Any
    key: SectionKey
    enrolled: bool
    enrolled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counted:
    """A section as it is stored, with the end of its line, and what imports have noted (see `importing`)."""

    section: Section
    queue_tail: int
    overbooked: int
    moved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Books:
    """Everything at one moment; `credits` by student and term, `timezones` those of terms that nobody knows."""

    users: frozenset[Any]
    terms: Mapping[str, Term]
    courses: Mapping[str, Course]
    sections: Mapping[SectionKey, Counted]
    seats: tuple[Seat, ...]
    line: tuple[Waiting, ...]
    credits: Mapping[tuple[Any, str], int | float]
    timezones: Mapping[str, str]


async def read(db: Database, session: Session) -> Books:
    """Read the books as they are at the moment of the session's transaction."""
    terms = [to_term(row) async for row in db.term.find(session=session)]
    courses = [to_course(row) async for row in db.course.find({"courseID": {"$exists": True}}, session=session)]
    sections = [_to_counted(row) async for row in db.section.find(session=session)]
    line = db.waitlist.find(session=session).sort([("term", 1), ("courseID", 1), ("section", 1), ("place", 1)])
    return Books(
        users=frozenset([row["user_id"] async for row in db.user.find(NUMBERED, {"user_id": 1}, session=session)]),
        terms={term.term: term for term in terms},
        courses={course.courseID: course for course in courses},
        sections={one.section.key: one for one in sections},
        seats=tuple([_to_seat(row) async for row in db.enrollment.find(session=session).sort("_id")]),
        line=tuple([waitlist.to_waiting(row) async for row in line]),
        credits={(row["user_id"], row["term"]): row["credits"] async for row in db.schedule.find(session=session)},
        timezones=await unknown_timezones(db, session),
    )


async def set_counts(db: Database, key: SectionKey, counts: Mapping[str, int], session: Session) -> None:
    """Write what was counted into the section."""
    named = {"term": key.term, "courseID": key.courseID, "section": key.section}
    await db.section.update_one(named, {"$set": dict(counts)}, session=session)


async def set_credits(db: Database, user_id: Any, term: str, credits: int | float, session: Session) -> None:
    """Write what was counted into the student's schedule."""
    change = {"$set": {"credits": credits}, "$inc": {"version": 1}}
    await db.schedule.update_one({"user_id": user_id, "term": term}, change, upsert=True, session=session)


def _to_counted(row: Mapping[str, Any]) -> Counted:
    return Counted(to_section(row), row["queue_tail"], row.get("overbooked", 0), row.get("moved_at"))


def _to_seat(row: Mapping[str, Any]) -> Seat:
    number, user_id = row["_id"], row.get("user_id")
    made = number.generation_time if isinstance(number, ObjectId) else None
    return Seat(
        row=str(number),
        user_id=user_id if isinstance(user_id, int | float) else str(user_id),
        key=SectionKey(row.get("term") or "", str(row.get("courseID", "")), row.get("section") or ""),
        enrolled=row.get("status", "enrolled") == "enrolled",
        enrolled_at=row.get("enrolled_at") or made,
    )
