"""The enrollments that a Flask site left: each gets its term, its section and a seat there.

Each step may be stopped halfway, and run again.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from quart_enroll.db.client import DUPLICATE_KEY_CODE, Database, Document, Session
from quart_enroll.db.collections.courses import SCHEMA as COURSE_SCHEMA
from quart_enroll.db.collections.courses import to_course
from quart_enroll.db.collections.sections import HAS_KEY
from quart_enroll.db.queries.pipelines import Stage
from quart_enroll.domain.models import Course, Section, SectionKey

BATCH_SIZE = 1000
"""Rows that are written at once."""

FIRST_SECTION = "01"

HAS_VALID_COURSE_ID: Document = {
    "$jsonSchema": {
        "required": ["courseID"],
        "properties": {"courseID": COURSE_SCHEMA["properties"]["courseID"]},  # type: ignore[index]  # a plain mapping
    }
}
"""Courses whose number a section may have; `upgrade-db` lists the others."""


@dataclass(frozen=True, slots=True)
class PlacementResult:
    """How many enrollments got each term, how many were folded into another one there, and why the others were not."""

    placed: Counter[str]
    folded: Counter[str]
    reasons: list[str]


async def merge_duplicates(db: Database) -> int:
    """Keep the oldest of several enrollments of a student in a course and term; return how many went."""
    seats: list[Stage] = [
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
    folded = 0
    async for seat in db.enrollment.aggregate(seats):
        folded += (await db.enrollment.delete_many({"_id": {"$in": seat["rows"][1:]}})).deleted_count
    return folded


async def place_in_terms(
    db: Database, terms: Mapping[str, str | None], coming: Collection[str], now: datetime
) -> PlacementResult:
    """Give enrollments without a term the one that `terms` has for their course, the oldest first.

    The other rows of that seat are folded into it, and so are those of students who are enrolled in the course in
    another term to come. The section is the first that the course has in the term, else 01, which
    `find_missing_sections` names then.
    Needs the unique index of the collection: it tells whether the student has the seat already. A row
    without a time in its _id is as old as `now`. Who or what isn't known is left alone, and so are rows of courses
    for which `terms` has None.
    """
    users = set(await db.user.distinct("user_id", {"user_id": {"$type": "number"}}))
    first = await _first_sections(db)
    held = await _held(db, coming) if await has_rows_without_term(db) else {}
    rows, again, reasons = [], [], []
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
        elif held.get((user_id, courseID), term) != term:
            again.append(row | {"term": held[user_id, courseID]})
        else:
            rows.append(row | {"term": term, "section": first.get((term, courseID), FIRST_SECTION)})
    reasons += [
        f"enrollment: {number} of course {courseID} can’t be assigned until a term exists that the course names"
        for courseID, number in sorted(waiting.items())
    ]
    placed: Counter[str] = Counter()
    folded = await _fold(db, again)
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        taken = await _place(db, batch)
        places = {row["_id"] for row in taken}
        placed.update(row["term"] for row in batch if row["_id"] not in places)
        folded += await _fold(db, taken)
    return PlacementResult(placed, folded, reasons)


async def place_in_sections(db: Database) -> int:
    """Give enrollments that have a term but no section the first one, as `place_in_terms` does; return how many."""
    lacking: list[Stage] = [
        {"$match": {"term": {"$ne": None}, "section": None}},
        {"$group": {"_id": {"term": "$term", "courseID": "$courseID"}}},
    ]
    first = await _first_sections(db)
    placed = 0
    async for row in db.enrollment.aggregate(lacking):
        group = row["_id"]
        section = first.get((group["term"], group.get("courseID")), FIRST_SECTION)
        change = {"$set": {"section": section}}
        placed += (await db.enrollment.update_many({**group, "section": None}, change)).modified_count
    return placed


async def has_rows_without_term(db: Database) -> bool:
    """Tell whether a row has no term."""
    return await db.enrollment.find_one({"term": None}, {"_id": 1}) is not None


async def find_terms(db: Database) -> list[str]:
    """Return the names of the terms that enrollments are in."""
    return [name for name in await db.enrollment.distinct("term") if isinstance(name, str)]


async def find_missing_sections(db: Database, terms: Sequence[str]) -> set[SectionKey]:
    """Return the sections of these terms that enrollments are in and that do not exist, of courses that do."""
    courses = set(await db.course.distinct("courseID", HAS_VALID_COURSE_ID))
    sections = {_key(row) async for row in db.section.find(HAS_KEY)}
    return {key for key in await _seats(db, None) if key.courseID in courses and key.term in terms} - sections


async def find_courses_without_sections(db: Database, *, imported: bool) -> list[Course]:
    """Return the courses that have no section in any term: those of the Flask site, or also those that were `imported`.

    An import writes prerequisites, if only an empty list; the Flask site did not know them.
    """
    offered = await db.section.distinct("courseID")
    lacking: Document = HAS_VALID_COURSE_ID | {"courseID": {"$nin": offered}}
    if not imported:
        lacking["prerequisites"] = {"$exists": False}
    return [to_course(row) async for row in db.course.find(lacking).sort("courseID")]


async def has_imported_sections(db: Database, capacity: int) -> bool:
    """Tell whether a term or a section is not as `upgrade-db` makes them, with that capacity.

    Its terms have one deadline and no days on which courses begin and end, its sections neither times nor a room.
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
    """Return the sections of courses that are not in the catalog, and of terms that are not among these."""
    courses = await db.course.distinct("courseID", HAS_VALID_COURSE_ID)
    lost = {"$or": [{"courseID": {"$nin": courses}}, {"term": {"$nin": list(terms)}}]}
    return {_key(row) async for row in db.section.find(HAS_KEY | lost)}


async def add_sections(db: Database, sections: Sequence[Section], session: Session) -> int:
    """Make sections that do not exist, with the seats that are taken in them; return how many.

    More than `capacity` may sit there, for the Flask site knew no capacity: that is noted as an import would.
    """
    seats = await _seats(db, session)
    made = 0
    for section in sections:
        taken = seats[section.key]
        row = asdict(section) | {"seats_taken": taken, "queue_tail": 0, "meetings": []}
        row |= {"overbooked": taken} if taken > section.capacity else {}
        named = {name: row.pop(name) for name in ("term", "courseID", "section")}
        result = await db.section.update_one(named, {"$setOnInsert": row}, upsert=True, session=session)
        made += result.upserted_id is not None
    return made


async def _seats(db: Database, session: Session | None) -> Counter[SectionKey]:
    """Count who is enrolled, by section; one where all have withdrawn counts 0."""
    placed = {"term": {"$type": "string"}, "section": {"$type": "string"}, "courseID": {"$type": "string"}}
    seats: Counter[SectionKey] = Counter()
    async for row in db.enrollment.find(placed, session=session):
        seats[_key(row)] += row.get("status") == "enrolled"
    return seats


async def _first_sections(db: Database) -> dict[tuple[str, str], str]:
    """Return the first section of each course in each term."""
    numbered = db.section.find(HAS_KEY, {"term": 1, "courseID": 1, "section": 1}).sort("section", -1)
    return {(row["term"], row["courseID"]): row["section"] async for row in numbered}


def _key(row: Document) -> SectionKey:
    return SectionKey(row["term"], row["courseID"], row["section"])


async def _held(db: Database, terms: Collection[str]) -> dict[tuple[int, str], str]:
    """Return in which of these terms students are enrolled in courses."""
    enrolled = {"term": {"$in": list(terms)}, "status": "enrolled"}
    rows = db.enrollment.find(enrolled, {"user_id": 1, "courseID": 1, "term": 1})
    return {(row["user_id"], row["courseID"]): row["term"] async for row in rows}


async def _place(db: Database, rows: Sequence[Document]) -> list[Document]:
    """Give the rows their term; return those whose seat the student had already."""
    writes = [UpdateOne({"_id": row["_id"], "term": None}, {"$set": row}) for row in rows]
    try:
        await db.enrollment.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        failures = error.details["writeErrors"]
        if any(failure["code"] != DUPLICATE_KEY_CODE for failure in failures):
            raise
        return [rows[failure["index"]] for failure in failures]
    return []


async def _fold(db: Database, rows: Sequence[Document]) -> Counter[str]:
    """Remove rows whose seat the student has, which is then as old as the oldest of them; count them by term."""
    for row in rows:
        seat = {key: row[key] for key in ("user_id", "courseID", "term")}
        await db.enrollment.update_one(seat, {"$min": {"enrolled_at": row["enrolled_at"]}})
    if rows:
        gone = {"_id": {"$in": [row["_id"] for row in rows]}, "term": None}
        await db.enrollment.delete_many(gone)
    return Counter(row["term"] for row in rows)


def _row(old: Document, now: datetime) -> Document:
    """Return what an enrollment of the Flask site is here; its courseID is text."""
    return {
        "_id": old["_id"],
        "user_id": _whole(old.get("user_id")),
        "courseID": str(_whole(old.get("courseID", ""))),
        "enrolled_at": old["_id"].generation_time if isinstance(old["_id"], ObjectId) else now,
        "status": "enrolled",
    }


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, as old database shells stored it, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
