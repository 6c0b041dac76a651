"""The database of a rehearsal: a copy of the school's catalog with invented students.

A marker document distinguishes it from every other database: it is written first and removed last, so a database
without it is never a rehearsal's. Everything here needs no more than the role `readWrite`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from quart_enroll.db import section_keys
from quart_enroll.db.client import DUPLICATE_KEY_CODE, Database, Document
from quart_enroll.db.collections import logins, terms, users
from quart_enroll.db.collections.sections import to_row
from quart_enroll.domain.models import Login, Section, SectionKey, Term, User

MARKER_COLLECTION = "rehearsal"
MARKER_ID = "This is the database of a rehearsal. `quart rehearse` may remove it."

COPIED_COLLECTIONS = ("term", "course", "section")
"""The catalog: no people, and nothing that people have done."""

COUNTERS = {"seats_taken": 0, "waiting": 0, "queue_tail": 0}
UNCOPIED_SECTION_FIELDS = ("alerts", "overbooked", "moved_at", "pools")
"""What students and imports have left in a section; and its pools, because invented students are in no group."""

LEASE_COLLECTION = "lease"

REFUSED_ROW_CODES = (121, DUPLICATE_KEY_CODE)
"""MongoDB's codes for a row that the validator or a unique index refuses."""


@dataclass(frozen=True, slots=True)
class StudentRows:
    """What is stored about an invented student: the user, a sign-in, the plan in its order, and courses of the past."""

    user: User
    login: Login | None
    plan: Sequence[SectionKey]
    taken: Sequence[SectionKey]


@dataclass(frozen=True, slots=True)
class SeatCounts:
    """The seats of a term at one moment: taken, waited for, and the sections without an open seat."""

    taken: int
    waiting: int
    full: frozenset[SectionKey]


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """What the MongoDB server has used so far: CPU seconds (None if it doesn't report them) and bytes of memory."""

    version: str
    cpu_seconds: float | None
    memory: int


async def is_empty(db: Database) -> bool:
    """Return whether the database has no collections: then MongoDB has no such database."""
    return not await db.list_collection_names()


async def is_marked(db: Database, school: str) -> bool:
    """Return whether this is the database of a rehearsal of the database `school`."""
    return await db[MARKER_COLLECTION].find_one({"_id": MARKER_ID, "school": school}) is not None


async def mark(db: Database, school: str, now: datetime) -> bool:
    """Mark an empty database as that of a rehearsal of `school`; return False if another process has just done so."""
    try:
        await db[MARKER_COLLECTION].insert_one({"_id": MARKER_ID, "school": school, "created_at": now})
    except DuplicateKeyError:
        return False
    return True


async def remove(db: Database, school: str) -> None:
    """Remove the marked database, the marker last; do nothing without the marker.

    It drops each collection, because dropping a database requires the role `dbAdmin`.
    """
    if db.name == school or not await is_marked(db, school):
        return
    last = (LEASE_COLLECTION, MARKER_COLLECTION)
    names = [name for name in await db.list_collection_names() if name not in last and not name.startswith("system.")]
    for name in (*names, *last):
        await db.drop_collection(name)


async def copy_catalog(school: Database, target: Database) -> int:
    """Copy the catalog from `school`, which is only read, with every seat open.

    Return the number of rows that were left out because the validators or the unique indexes refuse them.
    """
    refused = 0
    for name in COPIED_COLLECTIONS:
        rows = await school[name].find().to_list(None)
        try:
            await _insert(target, name, [_without_students(row) if name == "section" else row for row in rows])
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if not all(failure["code"] in REFUSED_ROW_CODES for failure in failures):
                raise
            refused += len(failures)
    return refused


def _without_students(section: Document) -> Document:
    return {name: value for name, value in section.items() if name not in UNCOPIED_SECTION_FIELDS} | COUNTERS


async def count_plans(school: Database, term: str) -> dict[str, int]:
    """Return how many students plan each course for the term, by courseID."""
    stages: list[Document] = [{"$match": {"term": term}}, {"$group": {"_id": "$courseID", "number": {"$sum": 1}}}]
    return {row["_id"]: row["number"] async for row in school.plan.aggregate(stages)}


async def add_term(db: Database, term: Term, sections: Sequence[Section]) -> None:
    """Add a term with its sections."""
    await terms.put_all(db, [term])
    await _insert(db, "section", [to_row(one) | {"queue_tail": 0} for one in sections])


async def set_term(db: Database, term: Term) -> None:
    """Replace the dates of the term; a running site notices that."""
    await terms.put_all(db, [term])


async def add_students(db: Database, students: Iterable[StudentRows], password: str, now: datetime) -> None:
    """Store invented students; `password` is the hash of the password that all of them have."""
    found = list(students)
    await _insert(db, "user", [users.to_row(one.user) | {"password": password} for one in found])
    await _insert(db, "login", [logins.to_row(one.login) for one in found if one.login])
    await _insert(db, "plan", [row for one in found for row in _plan_rows(one, now)])
    await _insert(
        db,
        "enrollment",
        [
            section_keys.to_filter(key) | {"user_id": one.user.user_id, "enrolled_at": now, "status": "enrolled"}
            for one in found
            for key in one.taken
        ],
    )


async def add_credits(db: Database, credits: Mapping[tuple[int, str], int | float]) -> None:
    """Store the credits of students, by user_id and term."""
    rows = [{"user_id": who, "term": term, "credits": number, "version": 1} for (who, term), number in credits.items()]
    await _insert(db, "schedule", rows)


async def count_seats(db: Database, term: str) -> SeatCounts:
    """Count the seats of the term."""
    stages: list[Document] = [
        {"$match": {"term": term}},
        {"$group": {"_id": None, "taken": {"$sum": "$seats_taken"}, "waiting": {"$sum": "$waiting"}}},
    ]
    [totals] = await db.section.aggregate(stages).to_list(1) or [{"taken": 0, "waiting": 0}]
    full = {"term": term, "$expr": {"$gte": ["$seats_taken", "$capacity"]}}
    fields = {"_id": 0, "term": 1, "courseID": 1, "section": 1}
    keys = frozenset([section_keys.from_row(row) async for row in db.section.find(full, fields)])
    return SeatCounts(totals["taken"], totals["waiting"], keys)


async def find_seats(db: Database, term: str) -> set[tuple[int, str]]:
    """Return who is enrolled in which course of the term: pairs of user_id and courseID."""
    found = db.enrollment.find({"term": term, "status": "enrolled"}, {"_id": 0, "user_id": 1, "courseID": 1})
    return {(row["user_id"], row["courseID"]) async for row in found}


async def find_places(db: Database, term: str) -> set[tuple[int, str]]:
    """Return who is on a waitlist of which course of the term: pairs of user_id and courseID."""
    found = db.waitlist.find({"term": term}, {"_id": 0, "user_id": 1, "courseID": 1})
    return {(row["user_id"], row["courseID"]) async for row in found}


async def read_server_usage(db: Database) -> ServerUsage | None:
    """Return what the server has used; None if the user lacks the role `clusterMonitor`."""
    try:
        status: Document = await db.client.admin.command("serverStatus")
    except OperationFailure:
        return None
    times: Any = status.get("extra_info", {})
    microseconds = [times.get(name) for name in ("user_time_us", "system_time_us")]
    cpu_seconds = None if None in microseconds else sum(microseconds) / 1e6
    return ServerUsage(status["version"], cpu_seconds, int(status.get("mem", {}).get("resident", 0)) << 20)


def _plan_rows(student: StudentRows, now: datetime) -> list[Document]:
    return [
        section_keys.to_filter(key) | {"user_id": student.user.user_id, "place": place, "added_at": now}
        for place, key in enumerate(student.plan, 1)
    ]


async def _insert(db: Database, name: str, rows: Sequence[Document]) -> None:
    if rows:
        await db[name].insert_many(rows, ordered=False)
