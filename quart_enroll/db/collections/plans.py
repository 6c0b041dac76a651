"""The collection `plan`: the sections that a student plans to take in a term, in the order of `place`.

MongoDB removes the rest of a plan at `expires_at`, the end of the term.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import DeleteMany, IndexModel, UpdateOne

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.db.queries import message_codec
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, PlannedSection, SectionKey
from quart_enroll.domain.plan_fit import MAX_ALTERNATIVES
from quart_enroll.i18n.language import Sentence

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1), ("courseID", 1)], unique=True),
    IndexModel([("term", 1), ("courseID", 1), ("section", 1), ("user_id", 1)]),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "courseID", "term", "section", "place", "added_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "place": {"bsonType": ["int", "long"], "minimum": 1},
        "added_at": {"bsonType": "date"},
        "because": message_codec.SENTENCE_SCHEMA,
        "alternatives": {
            "bsonType": "array",
            "maxItems": MAX_ALTERNATIVES,
            "items": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        },
        "expires_at": {"bsonType": "date"},
    },
}


async def find_by_student(
    db: Database, user_id: int, term: str, session: Session | None = None
) -> list[PlannedSection]:
    """Return the student's plan for the term, in its own order."""
    found = db.plan.find({"user_id": user_id, "term": term}, session=session).sort([("place", 1), ("courseID", 1)])
    return [to_planned(row) async for row in found]


async def find_terms(db: Database, user_id: int, courseID: str | None = None) -> set[str]:
    """Return the terms for which the student has planned the course, or any course."""
    return set(await db.plan.distinct("term", {"user_id": user_id} | ({"courseID": courseID} if courseID else {})))


async def put(
    db: Database, user_id: int, planned: PlannedSection, session: Session | None, *, expires_at: datetime
) -> None:
    """Add the section to the plan; it replaces another section of the course, and keeps its place."""
    change = {
        "$set": {"section": planned.key.section, "expires_at": expires_at},
        "$setOnInsert": {"place": planned.place, "added_at": planned.added_at},
        "$unset": {"because": ""},
    }
    await db.plan.update_one(_course(user_id, planned.key), change, upsert=True, session=session)


async def replace_all(
    db: Database,
    user_id: int,
    term: str,
    planned: Iterable[PlannedSection],
    session: Session | None,
    *,
    expires_at: datetime,
) -> None:
    """Replace everything that the student has planned for the term with these sections."""
    await db.plan.delete_many({"user_id": user_id, "term": term}, session=session)
    rows = [_course(user_id, one.key) | _to_row(one) | {"expires_at": expires_at} for one in planned]
    if rows:
        await db.plan.insert_many(rows, session=session)


async def replace_sections(db: Database, user_id: int, keys: Iterable[SectionKey], session: Session | None) -> None:
    """Plan these sections instead of others of the same courses, which keep their places."""
    changes = [
        UpdateOne(
            _course(user_id, key) | {"section": {"$ne": key.section}},
            {"$set": {"section": key.section}, "$unset": {"because": ""}},
        )
        for key in keys
    ]
    await db.plan.bulk_write([*changes], session=session)


async def set_alternatives(
    db: Database, user_id: int, key: SectionKey, alternatives: Sequence[str], session: Session | None
) -> bool:
    """Set what to take instead of the planned section; return whether it is planned."""
    change = {"$set": {"alternatives": [*alternatives]}} if alternatives else {"$unset": {"alternatives": ""}}
    wanted = _course(user_id, key) | {"section": key.section}
    return bool((await db.plan.update_one(wanted, change, session=session)).matched_count)


async def swap_places(
    db: Database, user_id: int, one: PlannedSection, other: PlannedSection, session: Session | None
) -> None:
    """Exchange the places of two planned sections."""
    for planned, place in ((one, other.place), (other, one.place)):
        await db.plan.update_one(_course(user_id, planned.key), {"$set": {"place": place}}, session=session)


async def set_order(db: Database, user_id: int, planned: Iterable[PlannedSection], session: Session | None) -> None:
    """Give the planned sections the positions 1, 2 and so on, in this order."""
    changes = [
        UpdateOne(_course(user_id, one.key), {"$set": {"place": place}})
        for place, one in enumerate(planned, 1)
        if one.place != place
    ]
    if changes:
        await db.plan.bulk_write([*changes], session=session)


async def find_by_students(
    db: Database, students: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], list[PlannedSection]]:
    """Return the planned sections of each pair of a student and a term, in the order of the plan."""
    by_term = defaultdict(list)
    for user_id, term in students:
        by_term[term].append(user_id)
    wanted = [{"term": term, "user_id": {"$in": user_ids}} for term, user_ids in by_term.items()]
    planned = defaultdict(list)
    rows: list[Document] = await db.plan.find({"$or": wanted}).to_list(None)
    for row in sorted(rows, key=lambda row: (row["place"], row["courseID"])):
        planned[row["user_id"], row["term"]].append(to_planned(row))
    return planned


async def settle(
    db: Database,
    enrolled: Iterable[tuple[int, SectionKey]],
    refused: Iterable[tuple[int, SectionKey, Sentence]],
    session: Session,
) -> None:
    """Remove the sections in which students are enrolled from their plans, and record why they were refused others."""
    courses_by_plan = defaultdict(list)
    for user_id, key in enrolled:
        courses_by_plan[user_id, key.term].append(key.courseID)
    removals = [
        DeleteMany({"user_id": user_id, "term": term, "courseID": {"$in": courseIDs}})
        for (user_id, term), courseIDs in courses_by_plan.items()
    ]
    reasons = [
        UpdateOne(_course(user_id, key) | {"section": key.section}, {"$set": {"because": message_codec.encode(reason)}})
        for user_id, key, reason in refused
    ]
    if removals or reasons:
        await db.plan.bulk_write([*removals, *reasons], session=session)


async def remove_course(db: Database, user_id: int, term: str, courseID: str, section: str = "") -> bool:
    """Remove the course from the plan, with a `section` only if that is planned; return whether it was there."""
    of_section = {"section": section} if section else {}
    result = await db.plan.delete_one({"user_id": user_id, "term": term, "courseID": courseID} | of_section)
    return bool(result.deleted_count)


def _course(user_id: int, key: SectionKey) -> Document:
    return {"user_id": user_id, "term": key.term, "courseID": key.courseID}


def _to_row(planned: PlannedSection) -> Document:
    alternatives = {"alternatives": [*planned.alternatives]} if planned.alternatives else {}
    return {"section": planned.key.section, "place": planned.place, "added_at": planned.added_at, **alternatives}


def to_planned(row: Mapping[str, Any]) -> PlannedSection:
    reason = message_codec.decode(row.get("because"))
    alternatives = row.get("alternatives")
    numbers = tuple(map(str, alternatives)) if isinstance(alternatives, list) else ()
    return PlannedSection(section_keys.from_row(row), row["place"], row["added_at"], reason, numbers)
