"""Upgrades of the Flask site's enrollments, which get a term, a section and a seat in it.

Each step may be interrupted and run again.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from quart_enroll.db import section_keys
from quart_enroll.db.client import DUPLICATE_KEY_CODE, Database, Document, Session
from quart_enroll.db.collections.courses import SCHEMA as COURSE_SCHEMA
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import to_row
from quart_enroll.db.queries.pipelines import Stage
from quart_enroll.domain.models import Course, Section, SectionKey

UPGRADE_BATCH_SIZE = 1000
"""Rows written in one operation."""

FIRST_SECTION = "01"

HAS_VALID_COURSE_ID: Document = {
    "$jsonSchema": {
        "required": ["courseID"],
        "properties": {"courseID": COURSE_SCHEMA["properties"]["courseID"]},  # type: ignore[index]  # a plain mapping
    }
}
"""Matches courses with a courseID that a section may have; `upgrade-db` lists the others."""


@dataclass(frozen=True, slots=True)
class PlacementResult:
    """How many enrollments got each term, how many were duplicates there, and the reasons for those without a term."""

    placed: Counter[str]
    duplicates: Counter[str]
    reasons: list[str]


async def merge_duplicates(db: Database) -> int:
    """Keep the oldest of several enrollments of a student in a course and term; return how many were removed."""
    stages: list[Stage] = [
        {"$match": {"term": {"$ne": None}}},
        {"$sort": {"status": 1, "enrolled_at": 1, "_id": 1}},  # "enrolled" comes before "withdrawn"
        {
            "$group": {
                "_id": {"user_id": "$user_id", "courseID": "$courseID", "term": "$term"},
                "rows": {"$push": "$_id"},
            }
        },
        {"$match": {"rows.1": {"$exists": True}}},
    ]
    removed = 0
    async for group in db.enrollment.aggregate(stages):
        removed += (await db.enrollment.delete_many({"_id": {"$in": group["rows"][1:]}})).deleted_count
    return removed


async def place_in_terms(
    db: Database, terms: Mapping[str, str | None], coming: Collection[str], now: datetime
) -> PlacementResult:
    """Give each enrollment without a term the term that `terms` has for its course, the oldest first.

    Duplicates are removed, also of enrollments in the course in another of the terms `coming`. The section is the
    course's first one in the term, or 01, which `find_missing_sections` returns. The collection's unique index must
    exist, as it detects duplicates. A row without a time in its _id counts as created `now`. Rows of unknown users or
    courses stay as they are, and so do rows of courses for which `terms` has None.
    """
    users = set(await db.user.distinct("user_id", {"user_id": {"$type": "number"}}))
    first = await _first_sections(db)
    enrolled = await _find_enrolled_terms(db, coming) if await has_rows_without_term(db) else {}
    rows, repeated, reasons = [], [], []
    waiting: Counter[str] = Counter()
    async for old in db.enrollment.find({"term": None}).sort("_id"):
        row = _row(old, now)
        user_id, courseID = row["user_id"], row["courseID"]
        if courseID not in terms:
            reasons.append(f"enrollment: {old['_id']} is for course “{courseID}”, which is unknown")
        elif not isinstance(user_id, int) or user_id not in users:
            reasons.append(f"enrollment: {old['_id']} is of user {user_id}, who has no account")
        elif (term := terms[courseID]) is None:
            waiting[courseID] += 1
        elif enrolled.get((user_id, courseID), term) != term:
            repeated.append(row | {"term": enrolled[user_id, courseID]})
        else:
            rows.append(row | {"term": term, "section": first.get((term, courseID), FIRST_SECTION)})
    reasons += [
        f"enrollment: {number} of course {courseID} can’t be assigned until a term exists that the course names"
        for courseID, number in sorted(waiting.items())
    ]
    placed: Counter[str] = Counter()
    duplicates = await _remove_duplicates(db, repeated)
    for start in range(0, len(rows), UPGRADE_BATCH_SIZE):
        batch = rows[start : start + UPGRADE_BATCH_SIZE]
        refused = await _set_terms(db, batch)
        refused_ids = {row["_id"] for row in refused}
        placed.update(row["term"] for row in batch if row["_id"] not in refused_ids)
        duplicates += await _remove_duplicates(db, refused)
    return PlacementResult(placed, duplicates, reasons)


async def place_in_sections(db: Database) -> int:
    """Give each enrollment with a term but no section the first section, as `place_in_terms` does; return how many."""
    stages: list[Stage] = [
        {"$match": {"term": {"$ne": None}, "section": None}},
        {"$group": {"_id": {"term": "$term", "courseID": "$courseID"}}},
    ]
    first = await _first_sections(db)
    placed = 0
    async for row in db.enrollment.aggregate(stages):
        group = row["_id"]
        section = first.get((group["term"], group.get("courseID")), FIRST_SECTION)
        change = {"$set": {"section": section}}
        placed += (await db.enrollment.update_many({**group, "section": None}, change)).modified_count
    return placed


async def has_rows_without_term(db: Database) -> bool:
    """Return whether any enrollment has no term."""
    return await db.enrollment.find_one({"term": None}, {"_id": 1}) is not None


async def find_terms(db: Database) -> list[str]:
    """Return the names of all terms with enrollments."""
    return [name for name in await db.enrollment.distinct("term") if isinstance(name, str)]


async def find_missing_sections(db: Database, terms: Sequence[str]) -> set[SectionKey]:
    """Return the sections in these terms that have enrollments and don't exist, of courses that do."""
    courses = set(await db.course.distinct("courseID", HAS_VALID_COURSE_ID))
    sections = {section_keys.from_row(row) async for row in db.section.find(section_keys.HAS_KEY)}
    return {key for key in await _count_enrolled(db, None) if key.courseID in courses and key.term in terms} - sections


async def find_courses_without_sections(db: Database, *, imported: bool) -> list[Course]:
    """Return the Flask site's courses without a section in any term, and with `imported` also those from an import.

    An import always writes prerequisites, even an empty list; the Flask site had none.
    """
    offered = await db.section.distinct("courseID")
    lacking: Document = HAS_VALID_COURSE_ID | {"courseID": {"$nin": offered}}
    if not imported:
        lacking["prerequisites"] = {"$exists": False}
    return [to_course(row) async for row in db.course.find(lacking).sort("courseID")]


async def has_imported_sections(db: Database, capacity: int) -> bool:
    """Return whether a term or a section differs from those that `upgrade-db` creates with that capacity.

    Its terms have a single deadline and no first or last day, its sections neither times nor a room.
    """
    one_deadline = [{"$eq": ["$add_deadline", f"${other}_deadline"]} for other in ("drop", "withdraw")]
    of_school: Document = {
        "$or": [
            {"starts_on": {"$exists": True}},
            {"ends_on": {"$exists": True}},
            {"$expr": {"$not": {"$and": one_deadline}}},
        ]
    }
    made = {"section": FIRST_SECTION, "capacity": capacity, "meetings": [], "instructor": "", "room": ""}
    found = await db.term.find_one(of_school, {"_id": 1}) or await db.section.find_one({"$nor": [made]}, {"_id": 1})
    return found is not None


async def find_lost_sections(db: Database, terms: Collection[str]) -> set[SectionKey]:
    """Return the sections of courses that don't exist, and of terms that are not among these."""
    courses = await db.course.distinct("courseID", HAS_VALID_COURSE_ID)
    lost = {"$or": [{"courseID": {"$nin": courses}}, {"term": {"$nin": list(terms)}}]}
    return {section_keys.from_row(row) async for row in db.section.find(section_keys.HAS_KEY | lost)}


async def add_sections(db: Database, sections: Sequence[Section], session: Session) -> int:
    """Add those of the sections that don't exist, with the number of seats taken; return how many were added.

    More students than `capacity` may be enrolled, as the Flask site had no capacity; that is recorded as by an import.
    """
    enrolled = await _count_enrolled(db, session)
    added = 0
    for section in sections:
        taken = enrolled[section.key]
        row = to_row(section) | {"seats_taken": taken, "queue_tail": 0, "meetings": []}
        row |= {"overbooked": taken} if taken > section.capacity else {}
        key = {name: row.pop(name) for name in section_keys.KEY_FIELDS}
        result = await db.section.update_one(key, {"$setOnInsert": row}, upsert=True, session=session)
        added += result.upserted_id is not None
    return added


async def _count_enrolled(db: Database, session: Session | None) -> Counter[SectionKey]:
    """Count the enrolled students of each section; 0 if all have withdrawn."""
    enrolled: Counter[SectionKey] = Counter()
    async for row in db.enrollment.find(section_keys.HAS_KEY, session=session):
        enrolled[section_keys.from_row(row)] += row.get("status") == "enrolled"
    return enrolled


async def _first_sections(db: Database) -> dict[tuple[str, str], str]:
    """Return the first section of each course in each term."""
    found = db.section.find(section_keys.HAS_KEY, dict.fromkeys(section_keys.KEY_FIELDS, 1)).sort("section", -1)
    return {(row["term"], row["courseID"]): row["section"] async for row in found}


async def _find_enrolled_terms(db: Database, terms: Collection[str]) -> dict[tuple[int, str], str]:
    """Return in which of these terms each student is enrolled in each course."""
    enrolled = {"term": {"$in": list(terms)}, "status": "enrolled"}
    rows = db.enrollment.find(enrolled, {"user_id": 1, "courseID": 1, "term": 1})
    return {(row["user_id"], row["courseID"]): row["term"] async for row in rows}


async def _set_terms(db: Database, rows: Sequence[Document]) -> list[Document]:
    """Store the rows, which have a term now; return those refused as duplicates."""
    writes = [UpdateOne({"_id": row["_id"], "term": None}, {"$set": row}) for row in rows]
    try:
        await db.enrollment.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        failures = error.details["writeErrors"]
        if any(failure["code"] != DUPLICATE_KEY_CODE for failure in failures):
            raise
        return [rows[failure["index"]] for failure in failures]
    return []


async def _remove_duplicates(db: Database, rows: Sequence[Document]) -> Counter[str]:
    """Remove duplicates, and keep the earliest time of each enrollment; return their numbers by term."""
    for row in rows:
        seat = {key: row[key] for key in ("user_id", "courseID", "term")}
        await db.enrollment.update_one(seat, {"$min": {"enrolled_at": row["enrolled_at"]}})
    if rows:
        duplicates = {"_id": {"$in": [row["_id"] for row in rows]}, "term": None}
        await db.enrollment.delete_many(duplicates)
    return Counter(row["term"] for row in rows)


def _row(old: Document, now: datetime) -> Document:
    """Convert an enrollment of the Flask site; the courseID becomes text."""
    return {
        "_id": old["_id"],
        "user_id": _whole(old.get("user_id")),
        "courseID": str(_whole(old.get("courseID", ""))),
        "enrolled_at": old["_id"].generation_time if isinstance(old["_id"], ObjectId) else now,
        "status": "enrolled",
    }


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, as old database shells stored integers; return anything else unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
