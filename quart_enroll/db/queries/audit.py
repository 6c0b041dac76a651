"""All rows about seats, read as of one moment for an audit, and repairs of the counters that depend on them.

Incomplete rows are read too; `find_violations` says what they lack.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import nan
from typing import Any

from bson import ObjectId

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import appointments, enrollments, holds, permits, schedules, sections, terms, waitlist
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import is_valid_counter, to_int, to_section
from quart_enroll.db.collections.terms import find_unknown_timezones, is_complete, to_term
from quart_enroll.db.collections.users import ATTRIBUTE_FIELDS, HAS_USER_ID
from quart_enroll.db.queries import schema_violations
from quart_enroll.db.queries.schema_violations import SchemaViolation
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.holds import Hold
from quart_enroll.domain.models import Course, Section, SectionKey, Term, WaitlistEntry
from quart_enroll.domain.permits import Permit
from quart_enroll.domain.student_attributes import StudentAttributes

WAITLIST_ORDER = [("section", 1), ("place", 1), ("joined_at", 1), ("_id", 1)]
"""The order within each waitlist; two entries share a place only where the unique index is missing."""

AUDITED_SCHEMAS: dict[str, Mapping[str, Any]] = {
    "term": terms.SCHEMA,
    "section": sections.SCHEMA,
    "enrollment": enrollments.SCHEMA,
    "waitlist": waitlist.SCHEMA,
    "schedule": schedules.SCHEMA,
    "permit": permits.SCHEMA,
    "appointment": appointments.SCHEMA,
}
"""The schemas of the audited collections."""


@dataclass(frozen=True, slots=True)
class AuditedSeat:
    """A row of `enrollment`; in old rows, the term and the section may be empty.

    `overrides` are the rules that staff set aside for it, and `pool` is the name of the pool to which it belongs.
    An anonymous one has stayed although the registrar has removed the student's account.
    """

    row_id: str
    user_id: Any
    key: SectionKey
    is_enrolled: bool
    enrolled_at: datetime | None
    overrides: frozenset[str]
    is_anonymous: bool = False
    grade: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class AuditedSection:
    """A section as stored, with the last place of its waitlist, and notes of imports (see `import_guards`).

    `overbooked` is how many students may be enrolled, if that is more than the capacity. `has_valid_counters` means
    that each counter is an integer from 0; otherwise they are recounted.
    """

    section: Section
    queue_tail: int
    has_valid_counters: bool
    overbooked: int
    moved_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditedRows:
    """All rows as of one moment.

    `user_ids` and `term_names` include incomplete rows, `terms` has the complete ones. `credits` are by user_id and
    term; NaN stands for a stored value that isn't a number. `unknown_timezones` are by term. `holds`
    are those that haven't been lifted, and `permits` those that weren't revoked, by user_id like `attributes`.
    `appointments` are by user_id and term.
    """

    user_ids: frozenset[Any]
    term_names: frozenset[str]
    terms: Mapping[str, Term]
    courses: Mapping[str, Course]
    sections: Mapping[SectionKey, AuditedSection]
    seats: tuple[AuditedSeat, ...]
    waitlist_entries: tuple[WaitlistEntry, ...]
    credits: Mapping[tuple[Any, str], int | float]
    unknown_timezones: Mapping[str, str]
    holds: Mapping[Any, Sequence[Hold]]
    permits: Mapping[Any, Sequence[Permit]]
    attributes: Mapping[Any, StudentAttributes]
    appointments: Mapping[tuple[Any, str], Appointment]


async def read(db: Database, session: Session) -> AuditedRows:
    """Read all rows as of the moment of the session's transaction."""
    stored_terms = await db.term.find({"term": {"$type": "string"}}, session=session).to_list(None)
    courses = [to_course(row) async for row in db.course.find({"courseID": {"$exists": True}}, session=session)]
    audited = [_to_audited_section(row) async for row in db.section.find(section_keys.HAS_KEY, session=session)]
    order = [("term", 1), ("courseID", 1), *WAITLIST_ORDER]
    entries = db.waitlist.find(waitlist.HAS_SECTION_AND_USER, session=session).sort(order)
    stored_credits = db.schedule.find(HAS_USER_ID | {"term": {"$type": "string"}}, session=session)
    found = db.user.find(HAS_USER_ID, ATTRIBUTE_FIELDS, session=session)
    users = {row["user_id"]: StudentAttributes.read(row.get("attributes")) async for row in found}
    return AuditedRows(
        user_ids=frozenset(users),
        term_names=frozenset(row["term"] for row in stored_terms),
        terms={row["term"]: to_term(row) for row in stored_terms if is_complete(row)},
        courses={course.courseID: course for course in courses},
        sections={one.section.key: one for one in audited},
        seats=tuple([_to_audited_seat(row) async for row in db.enrollment.find(session=session).sort("_id")]),
        waitlist_entries=tuple([waitlist.to_entry(row) async for row in entries]),
        credits={(row["user_id"], row["term"]): _number(row.get("credits")) async for row in stored_credits},
        unknown_timezones=await find_unknown_timezones(db, session),
        holds=await _find_holds(db, session),
        permits=await _find_permits(db, session),
        attributes=users,
        appointments=await _find_appointments(db, session),
    )


async def _find_holds(db: Database, session: Session) -> dict[Any, list[Hold]]:
    found = defaultdict(list)
    async for row in db.hold.find(holds.IS_NOT_LIFTED, session=session):
        found[row["user_id"]].append(holds.to_hold(row))
    return found


async def _find_permits(db: Database, session: Session) -> dict[Any, list[Permit]]:
    found = defaultdict(list)
    async for row in db.permit.find(permits.IS_GRANTED, session=session).sort("_id"):
        found[row["user_id"]].append(permits.to_permit(row))
    return found


async def _find_appointments(db: Database, session: Session) -> dict[tuple[Any, str], Appointment]:
    rows = db.appointment.find({"user_id": {"$exists": True}}, session=session)
    return {(row["user_id"], row["term"]): appointments.to_appointment(row) async for row in rows}


async def give_back_permit(db: Database, permit: Permit, session: Session) -> None:
    """Let the student use the permit again."""
    await db.permit.update_one({"_id": ObjectId(permit.permit_id)}, {"$unset": {"used_for": ""}}, session=session)


async def find_violations(db: Database, session: Session) -> dict[str, list[SchemaViolation]]:
    """Return the rows of each collection that violate its schema."""
    return {name: await schema_violations.find(db, name, schema, session) for name, schema in AUDITED_SCHEMAS.items()}


async def renumber_waitlist(db: Database, key: SectionKey, after: int, session: Session) -> int:
    """Give the students on a waitlist, in their order, new places following `after`; return the number of students."""
    wanted = waitlist.HAS_SECTION_AND_USER | section_keys.to_filter(key)
    rows = await db.waitlist.find(wanted, {"_id": 1}, session=session).sort(WAITLIST_ORDER).to_list(None)
    for place, row in enumerate(rows, after + 1):
        entry = section_keys.to_filter(key) | {"_id": row["_id"]}
        await db.waitlist.update_one(entry, {"$set": {"place": place}}, session=session)
    return len(rows)


async def set_counts(
    db: Database, key: SectionKey, counts: Mapping[str, int], session: Session, pools: Mapping[str, int]
) -> None:
    """Store the section's counters, and those of its pools by their names."""
    await db.section.update_one(section_keys.to_filter(key), {"$set": dict(counts)}, session=session)
    for name, taken in pools.items():
        pool = section_keys.to_filter(key) | {"pools.name": name}
        await db.section.update_one(pool, {"$set": {"pools.$.taken": taken}}, session=session)


async def set_credits(db: Database, user_id: Any, term: str, credits: int | float, session: Session) -> None:
    """Store the student's credits in the term."""
    change = {"$set": {"credits": credits}, "$inc": {"version": 1}}
    await db.schedule.update_one({"user_id": user_id, "term": term}, change, upsert=True, session=session)


def _to_audited_section(row: Mapping[str, Any]) -> AuditedSection:
    counters = [row.get(name) for name in ("seats_taken", "waiting", "queue_tail")]
    return AuditedSection(
        section=to_section(row),
        queue_tail=to_int(row.get("queue_tail")),
        has_valid_counters=all(isinstance(counter, int) and is_valid_counter(counter) for counter in counters),
        overbooked=to_int(row.get("overbooked")),
        moved_at=_datetime(row.get("moved_at")),
    )


def _to_audited_seat(row: Mapping[str, Any]) -> AuditedSeat:
    row_id, user_id = row["_id"], row.get("user_id")
    created_at = row_id.generation_time if isinstance(row_id, ObjectId) else None
    return AuditedSeat(
        row_id=str(row_id),
        user_id=user_id if isinstance(user_id, int | float) else str(user_id),
        key=section_keys.from_row(row),
        is_enrolled=row.get("status") != "withdrawn",
        enrolled_at=_datetime(row.get("enrolled_at")) or created_at,
        overrides=frozenset(row.get("overrides", ())),
        is_anonymous=row.get("anonymous") is True,
        grade=enrollments.to_grade(row),
        pool=enrollments.to_pool(row),
    )


def _datetime(stored: Any) -> datetime | None:
    return stored if isinstance(stored, datetime) else None


def _number(stored: Any) -> int | float:
    return stored if isinstance(stored, int | float) else nan
