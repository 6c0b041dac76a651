"""The writes of a crowd that enrolls, by a bare script straight into MongoDB: how fast the database itself can be.

It writes the rows that the site writes for "Enroll in all", in transactions with the site's write concern, with the
same indexes and validators, and in batches as large as pays. It checks no rules, reads nothing and answers nobody.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import DeleteOne, InsertOne, MongoClient, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.write_concern import WriteConcern

from tests.bench.school_data import FALL

STUDENTS_PER_TRANSACTION = 100
"""Larger transactions are no faster."""


def write_plans(uri: str, plans: Mapping[int, Sequence[str]]) -> float:
    """Enroll each student in all planned one-credit courses, and remove these from the plan; return the seconds."""
    with MongoClient[dict[str, Any]](uri, w="majority") as client:
        db, students = client.get_default_database(), list(plans)
        started = time.monotonic()
        with client.start_session() as session:
            for first in range(0, len(students), STUDENTS_PER_TRANSACTION):
                batch = {user_id: plans[user_id] for user_id in students[first : first + STUDENTS_PER_TRANSACTION]}
                with session.start_transaction(write_concern=WriteConcern("majority")):
                    _write(db, batch, session)
        return time.monotonic() - started


def _write(db: Database[dict[str, Any]], plans: Mapping[int, Sequence[str]], session: ClientSession) -> None:
    """Write the rows of these students in the site's order: schedules first, sections last."""
    now = datetime.now(UTC)
    seats = [(user_id, courseID) for user_id, courses in plans.items() for courseID in courses]
    bulk = {"session": session, "ordered": False}
    db.schedule.bulk_write(
        [
            UpdateOne(
                {"user_id": user_id, "term": FALL}, {"$inc": {"version": 1, "credits": len(courses)}}, upsert=True
            )
            for user_id, courses in plans.items()
        ],
        **bulk,
    )
    where = {"term": FALL, "section": "01"}
    rows = [where | {"user_id": user_id, "courseID": courseID} for user_id, courseID in seats]
    db.enrollment.bulk_write([InsertOne(row | {"enrolled_at": now, "status": "enrolled"}) for row in rows], **bulk)
    event = {"at": now, "action": "enroll", "result": "ok"}
    db.event.bulk_write([InsertOne(row | event | {"actor": row["user_id"]}) for row in rows], **bulk)
    db.plan.bulk_write(
        [DeleteOne({name: row[name] for name in ("user_id", "term", "courseID")}) for row in rows], **bulk
    )
    taken = Counter(courseID for _, courseID in seats)
    db.section.bulk_write(
        [UpdateOne(where | {"courseID": name}, {"$inc": {"seats_taken": number}}) for name, number in taken.items()],
        **bulk,
    )
