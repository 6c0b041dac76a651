"""The enrollments that a Flask site left: each gets its term, its section and a seat there.

Each step may be stopped halfway, and run again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from quart_enroll.models import Course, Section, SectionKey
from quart_enroll.mongo import DUPLICATE_KEY, Database, Document, Session
from quart_enroll.repositories.courses import to_course
from quart_enroll.repositories.pipelines import Stage

BATCH = 1000
"""Rows that are written at once."""

FIRST_SECTION = "01"


@dataclass(frozen=True, slots=True)
class Placing:
    """How many enrollments got a term, how many were folded into another, and why the others were not."""

    placed: int
    folded: int
    reasons: list[str]


async def fold(db: Database) -> int:
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


async def place(db: Database, term: str, now: datetime) -> Placing:
    """Give enrollments without a term this one, the oldest first; the others of that seat are folded into it.

    The section is the first that the course has in the term, else 01, which `needed_sections` names then.
    Needs the unique index of the collection: it tells whether the student has the seat already. A row
    without a time in its _id is as old as `now`. Who or what isn't known is left alone.
    """
    courses = set(await db.course.distinct("courseID", {"courseID": {"$type": "string"}}))
    users = set(await db.user.distinct("user_id", {"user_id": {"$type": "number"}}))
    first = await _first_sections(db)
    rows, reasons = [], []
    async for old in db.enrollment.find({"term": None}).sort("_id"):
        row = _row(old, term, now)
        row["section"] = first.get((term, row["courseID"]), FIRST_SECTION)
        if row["courseID"] not in courses:
            reasons.append(f"enrollment: {old['_id']} is for course “{row['courseID']}”, which is unknown")
        elif not isinstance(row["user_id"], int) or row["user_id"] not in users:
            reasons.append(f"enrollment: {old['_id']} is of user {row['user_id']}, who has no account")
        else:
            rows.append(row)
    placed = folded = 0
    for start in range(0, len(rows), BATCH):
        newly, taken = await _place(db, rows[start : start + BATCH])
        placed += newly
        folded += await _fold(db, taken)
    return Placing(placed, folded, reasons)


async def place_in_sections(db: Database) -> int:
    """Give enrollments that have a term but no section the first one, as `place` does; return how many."""
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


async def lack_terms(db: Database) -> bool:
    """Tell whether a row has no term."""
    return await db.enrollment.find_one({"term": None}, {"_id": 1}) is not None


async def terms_named(db: Database) -> list[str]:
    """Return the names of the terms that enrollments are in."""
    return [name for name in await db.enrollment.distinct("term") if isinstance(name, str)]


async def needed_sections(db: Database, terms: Sequence[str]) -> set[SectionKey]:
    """Return the sections of these terms that enrollments are in and that do not exist, of courses that do."""
    courses = set(await db.course.distinct("courseID"))
    sections = {_key(row) async for row in db.section.find()}
    return {key for key in await _seats(db, None) if key.courseID in courses and key.term in terms} - sections


async def courses_without_sections(db: Database) -> list[Course]:
    """Return the courses of the Flask site that are offered in no section; it did not know prerequisites."""
    offered = await db.section.distinct("courseID")
    untouched = {"courseID": {"$type": "string", "$nin": offered}, "prerequisites": {"$exists": False}}
    return [to_course(row) async for row in db.course.find(untouched).sort("courseID")]


async def make_sections(db: Database, sections: Sequence[Section], session: Session) -> int:
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
    numbered = db.section.find({}, {"term": 1, "courseID": 1, "section": 1}).sort("section", -1)
    return {(row["term"], row["courseID"]): row["section"] async for row in numbered}


def _key(row: Document) -> SectionKey:
    return SectionKey(row["term"], row["courseID"], row["section"])


async def _place(db: Database, rows: Sequence[Document]) -> tuple[int, list[Document]]:
    """Give the rows their term; return how many have it now, and those whose seat the student had already."""
    writes = [UpdateOne({"_id": row["_id"], "term": None}, {"$set": row}) for row in rows]
    try:
        return (await db.enrollment.bulk_write(writes, ordered=False)).modified_count, []
    except BulkWriteError as error:
        failures = error.details["writeErrors"]
        if any(failure["code"] != DUPLICATE_KEY for failure in failures):
            raise
        return error.details["nModified"], [rows[failure["index"]] for failure in failures]


async def _fold(db: Database, rows: Sequence[Document]) -> int:
    """Remove rows whose seat the student has; the seat is then as old as the oldest of them."""
    for row in rows:
        seat = {key: row[key] for key in ("user_id", "courseID", "term")}
        await db.enrollment.update_one(seat, {"$min": {"enrolled_at": row["enrolled_at"]}})
    gone = {"_id": {"$in": [row["_id"] for row in rows]}, "term": None}
    return (await db.enrollment.delete_many(gone)).deleted_count


def _row(old: Document, term: str, now: datetime) -> Document:
    """Return what an enrollment of the Flask site is here; its courseID is text."""
    return {
        "_id": old["_id"],
        "user_id": _whole(old.get("user_id")),
        "courseID": str(_whole(old.get("courseID", ""))),
        "term": term,
        "enrolled_at": old["_id"].generation_time if isinstance(old["_id"], ObjectId) else now,
        "status": "enrolled",
    }


def _whole(value: Any) -> Any:
    """Return 3 for 3.0, as old database shells stored it, and anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
