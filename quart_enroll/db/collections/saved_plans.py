"""The collection `saved_plan`: a student's plans for a term besides the one in use, each under its name.

The plan in use is in the collection `plan`; it has a row here only if it was given a name. MongoDB removes the plans at
`expires_at`, the end of the term.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import MAX_PLAN_NAME_LENGTH, MAX_TERM_NAME_LENGTH, PlannedSection, SavedPlan, SectionKey
from quart_enroll.domain.plan_fit import MAX_ALTERNATIVES

INDEXES = [
    IndexModel([("user_id", 1), ("term", 1), ("name", 1)], unique=True),
    IndexModel("term"),
    IndexModel("expires_at", expireAfterSeconds=0),
]

SECTION_SCHEMA = {
    "bsonType": "object",
    "required": ["courseID", "section"],
    "properties": {
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "alternatives": {"bsonType": "array", "maxItems": MAX_ALTERNATIVES, "items": {"bsonType": "string"}},
    },
}

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "term", "name", "is_in_use", "sections", "expires_at"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "name": {"bsonType": "string", "maxLength": MAX_PLAN_NAME_LENGTH},
        "is_in_use": {"bsonType": "bool"},
        "sections": {"bsonType": "array", "items": SECTION_SCHEMA},
        "expires_at": {"bsonType": "date"},
    },
}


async def find_in_term(db: Database, user_id: int, term: str, session: Session) -> list[SavedPlan]:
    """Return the student's plans that have a row."""
    return [to_saved(row) async for row in db.saved_plan.find({"user_id": user_id, "term": term}, session=session)]


async def find_sections(
    db: Database, user_id: int, term: str, name: str, now: datetime, session: Session
) -> list[PlannedSection]:
    """Return the plan's sections as if they were planned `now`; none if there is no such plan."""
    row: Document | None = await db.saved_plan.find_one(_plan(user_id, term, name), session=session)
    rows: Sequence[Document] = row["sections"] if row else ()
    return [
        PlannedSection(
            SectionKey(term, one["courseID"], one["section"]), place, now, None, tuple(one.get("alternatives", ()))
        )
        for place, one in enumerate(rows, 1)
    ]


async def save(
    db: Database,
    user_id: int,
    term: str,
    name: str,
    planned: Iterable[PlannedSection],
    session: Session,
    *,
    expires_at: datetime,
) -> None:
    """Save these sections under the name, as a plan that is not in use; replace any plan with that name."""
    change = {"sections": [_to_row(one) for one in planned], "is_in_use": False, "expires_at": expires_at}
    await db.saved_plan.update_one(_plan(user_id, term, name), {"$set": change}, upsert=True, session=session)


async def set_name_in_use(
    db: Database, user_id: int, term: str, old: str, name: str, session: Session, *, expires_at: datetime
) -> None:
    """Give the plan in use this name; `old` is the name of its row, which may not exist yet."""
    change = {"name": name, "sections": [], "is_in_use": True, "expires_at": expires_at}
    await db.saved_plan.update_one(_plan(user_id, term, old), {"$set": change}, upsert=True, session=session)


async def remove(db: Database, user_id: int, term: str, name: str, session: Session) -> None:
    """Remove the plan."""
    await db.saved_plan.delete_one(_plan(user_id, term, name), session=session)


def to_saved(row: Mapping[str, Any]) -> SavedPlan:
    return SavedPlan(row["term"], row["name"], row["is_in_use"], len(row["sections"]))


def _plan(user_id: int, term: str, name: str) -> Document:
    return {"user_id": user_id, "term": term, "name": name}


def _to_row(planned: PlannedSection) -> Document:
    alternatives = {"alternatives": [*planned.alternatives]} if planned.alternatives else {}
    return {"courseID": planned.key.courseID, "section": planned.key.section, **alternatives}
