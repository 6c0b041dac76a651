"""What an import writes besides its rows, so that it conflicts with simultaneous changes that depend on them.

MongoDB runs two transactions side by side as long as they write different documents. A seat that is released while an
import moves a meeting could thus skip a student who can take it only because of the import. So where an import changes
what such a decision depends on, it also writes a document that the decision writes.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pymongo import UpdateOne

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.schedules import added_credits
from quart_enroll.db.collections.sections import to_int, to_section
from quart_enroll.db.collections.users import HAS_USER_ID
from quart_enroll.domain.models import Section, SectionKey


class AffectedStudent(NamedTuple):
    """A student who is enrolled in a section, or `is_waiting` for it, with the `_id` of that row."""

    row_id: Any
    user_id: int
    key: SectionKey
    is_waiting: bool


INCREMENT_VERSION = {"$inc": {"version": 1}}


async def find_sections(
    db: Database, terms: Collection[str], session: Session | None = None
) -> dict[SectionKey, Section]:
    """Return the sections of those terms, by key."""
    wanted = section_keys.HAS_KEY | {"term": {"$in": list(terms)}}
    found = [to_section(row) async for row in db.section.find(wanted, session=session)]
    return {section.key: section for section in found}


async def guard_terms(db: Database, terms: Collection[str], session: Session) -> None:
    """Make this transaction conflict with any change of seats in these terms."""
    if terms:
        await db.section.update_many({"term": {"$in": list(terms)}}, INCREMENT_VERSION, session=session)


async def guard_courses(db: Database, terms: Collection[str], courseIDs: Collection[str], session: Session) -> None:
    """Make this transaction conflict with any change of seats in these courses."""
    if courseIDs:
        of_courses = {"term": {"$in": list(terms)}, "courseID": {"$in": list(courseIDs)}}
        await db.section.update_many(of_courses, INCREMENT_VERSION, session=session)


async def guard_students(db: Database, sections: Collection[SectionKey], session: Session) -> None:
    """Make this transaction conflict with any change by or for the students who are enrolled in these sections."""
    for key in sections:
        enrolled = section_keys.to_filter(key) | {"status": "enrolled"}
        students = await _distinct(db, "enrollment", "user_id", enrolled, session)
        if students:
            schedules = {"term": key.term, "user_id": {"$in": students}}
            await db.schedule.update_many(schedules, INCREMENT_VERSION, session=session)


async def find_affected(db: Database, keys: Collection[SectionKey], session: Session) -> list[AffectedStudent]:
    """Return the students who are enrolled in these sections or wait for them."""
    if not keys:
        return []
    wanted = HAS_USER_ID | section_keys.to_superset_filter(keys)
    fields = {"user_id": 1, **dict.fromkeys(section_keys.KEY_FIELDS, 1)}
    affected = []
    for name, more in (("enrollment", {"status": "enrolled"}), ("waitlist", {})):
        rows = await db[name].find(wanted | more, fields, session=session).to_list(None)
        affected += [
            AffectedStudent(row["_id"], to_int(row["user_id"]), key, name == "waitlist")
            for row in rows
            if (key := section_keys.from_row(row)) in keys
        ]
    return affected


async def mark_moved(db: Database, affected: Collection[AffectedStudent], at: datetime, session: Session) -> None:
    """Record in these students' rows when their section changed, so that pages about them are updated."""
    for name, is_waiting in (("enrollment", False), ("waitlist", True)):
        if row_ids := [one.row_id for one in affected if one.is_waiting == is_waiting]:
            await db[name].update_many({"_id": {"$in": row_ids}}, {"$set": {"moved_at": at}}, session=session)


async def find_section_keys(
    db: Database, students: Collection[int], terms: Collection[str], session: Session
) -> list[tuple[int, SectionKey]]:
    """Return the user_id and section of each enrollment of these students in these terms."""
    if not students:
        return []
    wanted = {"user_id": {"$in": list(students)}, "term": {"$in": list(terms)}, "status": "enrolled"}
    rows = await db.enrollment.find(wanted, session=session).to_list(None)
    return [(row["user_id"], section_keys.from_row(row)) for row in rows]


async def add_credits(db: Database, terms: Collection[str], more: Mapping[str, float], session: Session) -> None:
    """Add these credits, by courseID, for every student who is enrolled in the course; they may be negative.

    This makes the transaction conflict with any change by these students, even if the number is 0.
    """
    for courseID, number in more.items():
        for term in terms:
            enrolled = {"term": term, "courseID": courseID, "status": "enrolled"}
            students = await _distinct(db, "enrollment", "user_id", enrolled, session)
            if students:
                change = [{"$set": {"credits": added_credits(number), "version": {"$add": ["$version", 1]}}}]
                await db.schedule.update_many({"term": term, "user_id": {"$in": students}}, change, session=session)


async def count_enrolled_students(db: Database, terms: Collection[str], session: Session) -> dict[str, int]:
    """Return the number of enrolled students in each of these terms."""
    stages: list[Document] = [
        {"$match": {"term": {"$in": list(terms)}, "status": "enrolled"}},
        {"$group": {"_id": {"term": "$term", "user_id": "$user_id"}}},
        {"$group": {"_id": "$_id.term", "students": {"$sum": 1}}},
    ]
    if not terms:
        return {}
    return {row["_id"]: row["students"] async for row in db.enrollment.aggregate(stages, session=session)}


async def count_seats(
    db: Database, terms: Collection[str], courseIDs: Collection[str], session: Session
) -> dict[str, tuple[int, int]]:
    """Return the numbers of enrolled and of waiting students in each of these courses in these terms."""
    stages: list[Document] = [
        {"$match": {"term": {"$in": list(terms)}, "courseID": {"$in": list(courseIDs)}}},
        {"$group": {"_id": "$courseID", "enrolled": {"$sum": "$seats_taken"}, "waiting": {"$sum": "$waiting"}}},
    ]
    if not terms or not courseIDs:
        return {}
    found = db.section.aggregate(stages, session=session)
    return {row["_id"]: (row["enrolled"], row["waiting"]) async for row in found}


async def find_offered(db: Database, courseIDs: Collection[str], session: Session) -> set[str]:
    """Return those of these courses that have a section in any term."""
    return set(await _distinct(db, "section", "courseID", {"courseID": {"$in": list(courseIDs)}}, session))


async def note_section_changes(
    db: Database, resized: Sequence[Section], moved: Sequence[Section], now: datetime, session: Session
) -> None:
    """Record on sections why `check-seats` must not report a discrepancy after a new capacity or new meetings.

    `overbooked` is the number of students enrolled when the capacity was lowered below it; they keep their seats.
    `moved_at` is when the meetings changed; since then, students may have two courses at the same time.
    """
    writes = [UpdateOne(section_keys.to_filter(one.key), [_set_overbooked(one.capacity)]) for one in resized]
    writes += [UpdateOne(section_keys.to_filter(one.key), {"$set": {"moved_at": now}}) for one in moved]
    if writes:
        await db.section.bulk_write(writes, session=session)


async def _distinct(db: Database, collection: str, field: str, wanted: Document, session: Session) -> list[Any]:
    """Return the different values of the field in these rows.

    On a sharded collection, MongoDB refuses its own `distinct` inside a transaction.
    """
    stages: list[Document] = [{"$match": wanted}, {"$group": {"_id": f"${field}"}}]
    return [row["_id"] async for row in db[collection].aggregate(stages, session=session)]


def _set_overbooked(capacity: int) -> Document:
    return {"$set": {"overbooked": {"$cond": [{"$gt": ["$seats_taken", capacity]}, "$seats_taken", "$$REMOVE"]}}}
