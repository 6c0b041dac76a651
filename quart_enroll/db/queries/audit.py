"""All rows that have to do with seats, read at one moment, and the repairs of what is counted from them.

Whatever a row lacks, it is read, and the others with it; `find_violations` tells what it lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import nan
from typing import Any

from bson import ObjectId

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections import enrollments, schedules, sections, terms, waitlist
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import HAS_KEY, is_valid_counter, to_int, to_section
from quart_enroll.db.collections.terms import find_unknown_timezones, is_complete, to_term
from quart_enroll.db.collections.users import HAS_USER_ID
from quart_enroll.db.queries.schema_violations import SchemaViolation, find
from quart_enroll.domain.models import Course, Section, SectionKey, Term, WaitlistEntry

WAITLIST_ORDER = [("section", 1), ("place", 1), ("joined_at", 1), ("_id", 1)]
"""Who comes before whom; two have one place only where the unique index is missing."""

AUDITED_SCHEMAS: dict[str, Mapping[str, Any]] = {
    "term": terms.SCHEMA,
    "section": sections.SCHEMA,
    "enrollment": enrollments.SCHEMA,
    "waitlist": waitlist.SCHEMA,
    "schedule": schedules.SCHEMA,
}
"""What the rows of each collection that has to do with seats must have."""


@dataclass(frozen=True, slots=True)
class AuditedSeat:
    """A row of `enrollment`; old rows may lack a term and a section, which are empty then."""

    row: str
    user_id: Any
    key: SectionKey
    enrolled: bool
    enrolled_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditedSection:
    """A section as it is stored, with the end of its line, and what imports have noted (see `importing`).

    It is `complete` when each of its counters is a whole number from 0 on, and else counted again.
    """

    section: Section
    queue_tail: int
    complete: bool
    overbooked: int
    moved_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditedRows:
    """Everything at one moment.

    `terms` are those that are known, `calendar` what they say as far as it can be read; `credits` are by student and
    term, not a number where that is stored; `timezones` are those of terms that nobody knows.
    """

    users: frozenset[Any]
    terms: frozenset[str]
    calendar: Mapping[str, Term]
    courses: Mapping[str, Course]
    sections: Mapping[SectionKey, AuditedSection]
    seats: tuple[AuditedSeat, ...]
    line: tuple[WaitlistEntry, ...]
    credits: Mapping[tuple[Any, str], int | float]
    timezones: Mapping[str, str]


async def read(db: Database, session: Session) -> AuditedRows:
    """Read the books as they are at the moment of the session's transaction."""
    calendar = await db.term.find({"term": {"$type": "string"}}, session=session).to_list(None)
    catalog = [to_course(row) async for row in db.course.find({"courseID": {"$exists": True}}, session=session)]
    offered = [_to_counted(row) async for row in db.section.find(HAS_KEY, session=session)]
    line = db.waitlist.find(waitlist.HAS_SECTION_AND_USER, session=session).sort(
        [("term", 1), ("courseID", 1), *WAITLIST_ORDER]
    )
    counted = db.schedule.find(HAS_USER_ID | {"term": {"$type": "string"}}, session=session)
    return AuditedRows(
        users=frozenset([row["user_id"] async for row in db.user.find(HAS_USER_ID, {"user_id": 1}, session=session)]),
        terms=frozenset(row["term"] for row in calendar),
        calendar={row["term"]: to_term(row) for row in calendar if is_complete(row)},
        courses={course.courseID: course for course in catalog},
        sections={one.section.key: one for one in offered},
        seats=tuple([_to_seat(row) async for row in db.enrollment.find(session=session).sort("_id")]),
        line=tuple([waitlist.to_entry(row) async for row in line]),
        credits={(row["user_id"], row["term"]): _number(row.get("credits")) async for row in counted},
        timezones=await find_unknown_timezones(db, session),
    )


async def find_violations(db: Database, session: Session) -> dict[str, list[SchemaViolation]]:
    """Return the rows of each collection that lack what its schema asks for."""
    return {name: await find(db, name, schema, session) for name, schema in AUDITED_SCHEMAS.items()}


async def renumber_waitlist(db: Database, key: SectionKey, end: int, session: Session) -> int:
    """Give everybody in the line a place after `end`, in the order that they have; return how many wait."""
    rows = (
        await db.waitlist.find(waitlist.HAS_SECTION_AND_USER | _named(key), {"_id": 1}, session=session)
        .sort(WAITLIST_ORDER)
        .to_list(None)
    )
    for place, row in enumerate(rows, end + 1):
        await db.waitlist.update_one({"_id": row["_id"]}, {"$set": {"place": place}}, session=session)
    return len(rows)


async def set_counts(db: Database, key: SectionKey, counts: Mapping[str, int], session: Session) -> None:
    """Write what was counted into the section."""
    await db.section.update_one(_named(key), {"$set": dict(counts)}, session=session)


async def set_credits(db: Database, user_id: Any, term: str, credits: int | float, session: Session) -> None:
    """Write what was counted into the student's schedule."""
    change = {"$set": {"credits": credits}, "$inc": {"version": 1}}
    await db.schedule.update_one({"user_id": user_id, "term": term}, change, upsert=True, session=session)


def _named(key: SectionKey) -> Document:
    return {"term": key.term, "courseID": key.courseID, "section": key.section}


def _to_counted(row: Mapping[str, Any]) -> AuditedSection:
    counters = [row.get(name) for name in ("seats_taken", "waiting", "queue_tail")]
    complete = all(isinstance(counter, int) and is_valid_counter(counter) for counter in counters)
    overbooked, moved_at = to_int(row.get("overbooked")), _moment(row.get("moved_at"))
    return AuditedSection(to_section(row), to_int(row.get("queue_tail")), complete, overbooked, moved_at)


def _to_seat(row: Mapping[str, Any]) -> AuditedSeat:
    number, user_id = row["_id"], row.get("user_id")
    made = number.generation_time if isinstance(number, ObjectId) else None
    return AuditedSeat(
        row=str(number),
        user_id=user_id if isinstance(user_id, int | float) else str(user_id),
        key=SectionKey(str(row.get("term") or ""), str(row.get("courseID", "")), str(row.get("section") or "")),
        enrolled=row.get("status") != "withdrawn",
        enrolled_at=_moment(row.get("enrolled_at")) or made,
    )


def _moment(stored: Any) -> datetime | None:
    return stored if isinstance(stored, datetime) else None


def _number(stored: Any) -> int | float:
    return stored if isinstance(stored, int | float) else nan
