"""The collection `enrollment`: a student holds a seat."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from quart_enroll.models import ScheduledCourse
from quart_enroll.mongo import Database
from quart_enroll.repositories import pipelines
from quart_enroll.repositories.courses import to_course

INDEXES = [
    # Rows of the Flask site have a term as soon as `upgrade-db` could place them; the others may stay.
    IndexModel(
        [("user_id", 1), ("courseID", 1), ("term", 1)],
        name="one_seat",
        unique=True,
        partialFilterExpression={"term": {"$exists": True}},
    ),
    IndexModel([("user_id", 1), ("term", 1)]),
    IndexModel("courseID"),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["user_id", "courseID", "term", "enrolled_at", "status"],
    "properties": {
        "user_id": {"bsonType": ["int", "long"]},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "term": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "enrolled_at": {"bsonType": "date"},
        "status": {"enum": ["enrolled", "withdrawn"]},
    },
}


async def add(db: Database, user_id: int, courseID: str, term: str, at: datetime) -> bool:
    """Give the student the course in that term; return False when the student has it already."""
    row = {"user_id": user_id, "courseID": courseID, "term": term, "enrolled_at": at, "status": "enrolled"}
    try:
        await db.enrollment.insert_one(row)
    except DuplicateKeyError:
        return False
    return True


async def courses_of(db: Database, user_id: int, term: str) -> frozenset[str]:
    """Return the courseIDs that the student has in that term."""
    rows = db.enrollment.find({"user_id": user_id, "term": term}, {"_id": 0, "courseID": 1})
    return frozenset([str(row["courseID"]) async for row in rows])


async def schedule(db: Database, user_id: int, terms: Sequence[str]) -> list[ScheduledCourse]:
    """Return the student's courses in those terms, in the order of courseID."""
    documents = db.user.aggregate(pipelines.schedule(user_id, terms))
    return [ScheduledCourse.of(to_course(document["result_2"]), str(document["term"])) async for document in documents]
