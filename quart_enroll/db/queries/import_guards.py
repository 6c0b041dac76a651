"""What an import writes besides its rows: guards against changes that go on beside it, and what follows from it.

MongoDB lets two transactions go on side by side as long as they write different documents. A seat that is freed while
an import moves a meeting could so go past a student who is only now able to take it. Where an import changes
something that such a decision was read from, it therefore writes what the decision must write too.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pymongo import UpdateOne

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.collections.schedules import added_credits
from quart_enroll.db.collections.sections import HAS_KEY, to_int, to_section
from quart_enroll.db.collections.users import HAS_USER_ID
from quart_enroll.domain.models import Section, SectionKey


class AffectedStudent(NamedTuple):
    """A student who has a seat in a section, or `waits` for one, with the `_id` of that row."""

    row: Any
    user_id: int
    key: SectionKey
    waits: bool


PARTS = ("term", "courseID", "section")
"""What names a section, in the order of SectionKey."""

GUARD = {"$inc": {"version": 1}}


async def find_sections(db: Database, terms: Collection[str], session: Session) -> dict[SectionKey, Section]:
    """Return the sections of those terms."""
    wanted = HAS_KEY | {"term": {"$in": list(terms)}}
    found = [to_section(row) async for row in db.section.find(wanted, session=session)]
    return {section.key: section for section in found}


async def guard_terms(db: Database, terms: Collection[str], session: Session) -> None:
    """Let no seat of these terms change hands beside this transaction."""
    if terms:
        await db.section.update_many({"term": {"$in": list(terms)}}, GUARD, session=session)


async def guard_courses(db: Database, terms: Collection[str], courseIDs: Collection[str], session: Session) -> None:
    """Let no seat of these courses change hands beside this transaction."""
    if courseIDs:
        of_courses = {"term": {"$in": list(terms)}, "courseID": {"$in": list(courseIDs)}}
        await db.section.update_many(of_courses, GUARD, session=session)


async def guard_students(db: Database, sections: Collection[SectionKey], session: Session) -> None:
    """Let nobody who is enrolled in these sections be passed over, or do anything, beside this transaction."""
    for key in sections:
        named = {"term": key.term, "courseID": key.courseID, "section": key.section, "status": "enrolled"}
        students = await db.enrollment.distinct("user_id", named, session=session)
        await db.schedule.update_many({"term": key.term, "user_id": {"$in": students}}, GUARD, session=session)


async def find_affected(db: Database, keys: Collection[SectionKey], session: Session) -> list[AffectedStudent]:
    """Return who has a seat in these sections, or waits for one."""
    if not keys:
        return []
    parts: Document = {name: {"$in": sorted({getattr(key, name) for key in keys})} for name in PARTS}
    concerned = []
    for name, more in (("enrollment", {"status": "enrolled"}), ("waitlist", {})):
        found = db[name].find(HAS_USER_ID | parts | more, {"user_id": 1, **dict.fromkeys(PARTS, 1)}, session=session)
        rows = [(row, SectionKey(*(row[part] for part in PARTS))) for row in await found.to_list(None)]
        waits = name == "waitlist"
        concerned += [
            AffectedStudent(row["_id"], to_int(row["user_id"]), key, waits) for row, key in rows if key in keys
        ]
    return concerned


async def mark_moved(db: Database, concerned: Collection[AffectedStudent], at: datetime, session: Session) -> None:
    """Note on these seats and places in line when their section moved: the student's own rows change with it."""
    for name, waits in (("enrollment", False), ("waitlist", True)):
        if rows := [one.row for one in concerned if one.waits == waits]:
            await db[name].update_many({"_id": {"$in": rows}}, {"$set": {"moved_at": at}}, session=session)


async def find_section_keys(
    db: Database, students: Collection[int], terms: Collection[str], session: Session
) -> list[tuple[int, SectionKey]]:
    """Return the sections in which these students have a seat in these terms, each with its student."""
    if not students:
        return []
    wanted = {"user_id": {"$in": list(students)}, "term": {"$in": list(terms)}, "status": "enrolled"}
    found = await db.enrollment.find(wanted, session=session).to_list(None)
    return [(row["user_id"], SectionKey(row["term"], row["courseID"], str(row.get("section") or ""))) for row in found]


async def add_credits(db: Database, terms: Collection[str], more: Mapping[str, float], session: Session) -> None:
    """Count so many credits more for everybody who is enrolled in these courses; less where they are negative.

    That guards the students' schedules, even where the number is 0.
    """
    for courseID, number in more.items():
        for term in terms:
            enrolled = {"term": term, "courseID": courseID, "status": "enrolled"}
            students = await db.enrollment.distinct("user_id", enrolled, session=session)
            if students:
                change = [{"$set": {"credits": added_credits(number), "version": {"$add": ["$version", 1]}}}]
                await db.schedule.update_many({"term": term, "user_id": {"$in": students}}, change, session=session)


async def count_enrolled_students(db: Database, terms: Collection[str], session: Session) -> dict[str, int]:
    """Return how many students are enrolled in each of these terms."""
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
    """Return how many students are enrolled in each of these courses in these terms, and how many wait."""
    stages: list[Document] = [
        {"$match": {"term": {"$in": list(terms)}, "courseID": {"$in": list(courseIDs)}}},
        {"$group": {"_id": "$courseID", "enrolled": {"$sum": "$seats_taken"}, "waiting": {"$sum": "$waiting"}}},
    ]
    if not terms or not courseIDs:
        return {}
    found = db.section.aggregate(stages, session=session)
    return {row["_id"]: (row["enrolled"], row["waiting"]) async for row in found}


async def find_offered(db: Database, courseIDs: Collection[str], session: Session) -> set[str]:
    """Return which of these courses have a section in any term."""
    return set(await db.section.distinct("courseID", {"courseID": {"$in": list(courseIDs)}}, session=session))


async def note_section_changes(
    db: Database, resized: Sequence[Section], moved: Sequence[Section], now: datetime, session: Session
) -> None:
    """Note on sections whose capacity or meetings change what `check-seats` must not take for a fault.

    `overbooked` is how many sat there when the capacity was lowered below that; nobody is unseated. `moved_at` is when
    the meetings changed; students may have two courses at one time since then.
    """
    writes = [UpdateOne(_named(section), [_overbooked(section.capacity)]) for section in resized]
    writes += [UpdateOne(_named(section), {"$set": {"moved_at": now}}) for section in moved]
    if writes:
        await db.section.bulk_write(writes, session=session)


def _overbooked(capacity: int) -> Document:
    return {"$set": {"overbooked": {"$cond": [{"$gt": ["$seats_taken", capacity]}, "$seats_taken", "$$REMOVE"]}}}


def _named(section: Section) -> Document:
    return {"term": section.term, "courseID": section.courseID, "section": section.section}
