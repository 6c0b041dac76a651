"""Repairs of a database that a Flask site left: each may be stopped halfway, and run again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from bson import ObjectId
from pymongo import IndexModel, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError, OperationFailure

from quart_enroll.mongo import Database, Document, ensure_indexes
from quart_enroll.repositories.pipelines import Stage
from quart_enroll.repositories.users import ANY_CASE

BATCH = 1000
"""Rows that are written at once."""

DUPLICATE_KEY, INDEX_CLASHES = 11000, (85, 86)
"""MongoDB's codes."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How many enrollments got a term, how many were folded into another, and why the others were not."""

    placed: int
    folded: int
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Indexes:
    """Names of indexes: `made`, `impossible` while rows are the same in it, `clashing` with one there."""

    made: list[str]
    impossible: list[str]
    clashing: list[str]


async def credits_to_numbers(db: Database) -> int:
    """Turn credits that are text into numbers where they can be read; return how many courses that were."""
    changed = 0
    async for course in db.course.find({"credits": {"$type": "string"}}, {"credits": 1}):
        if (number := _number(course["credits"])) is not None:
            same = {"_id": course["_id"], "credits": course["credits"]}
            changed += (await db.course.update_one(same, {"$set": {"credits": number}})).modified_count
    return changed


async def roles_to_students(db: Database) -> int:
    """Make users without a role students, except those who share an address; return how many."""
    shared = [email for email, _ in await repeated(db, "user", "email", ANY_CASE)]
    alone = {"role": None, "email": {"$type": "string", "$nin": shared}}
    result = await db.user.update_many(alone, {"$set": {"role": "student"}}, collation=ANY_CASE)
    return result.modified_count


async def repeated(
    db: Database, collection: str, field: str, collation: Collation | None = None
) -> list[tuple[Any, list[str]]]:
    """Return the values that several rows have in `field`, and those rows' names."""
    row = {"_id": "$_id", "user_id": "$user_id", "courseID": "$courseID"}
    alike: list[Stage] = [
        {"$match": {field: {"$ne": None}}},
        {"$sort": {"_id": 1}},
        {"$group": {"_id": f"${field}", "rows": {"$push": row}}},
        {"$match": {"rows.1": {"$exists": True}}},
        {"$sort": {"_id": 1}},
    ]
    groups = db[collection].aggregate(alike, collation=collation)
    return [(group["_id"], [_name(row) for row in group["rows"]]) async for group in groups]


async def misfits(db: Database, collection: str, schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the rows that `schema` would refuse, each with the fields it lacks."""
    wrong = defaultdict(list)
    for field, rule in schema["properties"].items():
        fits: Document = {"properties": {field: rule}}
        if field in schema["required"]:
            fits["required"] = [field]
        refused = {"$nor": [{"$jsonSchema": fits}]}
        async for row in db[collection].find(refused, {"user_id": 1, "courseID": 1}).sort("_id"):
            wrong[_name(row)].append(field)
    return dict(wrong)


async def fold_enrollments(db: Database) -> int:
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


async def place_enrollments(db: Database, term: str, now: datetime) -> Placing:
    """Give enrollments without a term this one, the oldest first; the others of that seat are folded into it.

    Needs the unique index of the collection: it tells whether the student has the seat already. A row
    without a time in its _id is as old as `now`. Who or what isn't known is left alone.
    """
    courses = set(await db.course.distinct("courseID", {"courseID": {"$type": "string"}}))
    users = set(await db.user.distinct("user_id", {"user_id": {"$type": "number"}}))
    rows, reasons = [], []
    async for old in db.enrollment.find({"term": None}).sort("_id"):
        row = _row(old, term, now)
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


async def make_indexes(db: Database, collection: str, indexes: Sequence[IndexModel]) -> Indexes:
    """Make the indexes that are missing; one that is there under another name is as good."""
    made, impossible, clashing = [], [], []
    for index in indexes:
        try:
            new, refused = await ensure_indexes(db, collection, [index])
        except OperationFailure as error:
            if error.code not in INDEX_CLASHES:
                raise
            name = index.document["name"]
            if name in await db[collection].index_information():
                clashing.append(name)
        else:
            made += new
            impossible += refused
    return Indexes(made, impossible, clashing)


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


def _number(text: str) -> int | float | None:
    with suppress(ValueError, TypeError):
        number = float(text)
        if isfinite(number):
            return int(number) if number.is_integer() else number
    return None


def _name(row: Document) -> str:
    """Name a user or a course by its number, and by its _id, which no other row has."""
    return f"{row.get('user_id', row.get('courseID', 'without a number'))} (_id {row['_id']})"
