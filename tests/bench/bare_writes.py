"""`python -m tests.bench.bare_writes`: the writes of “Enroll in all” by a bare script, straight into MongoDB.

For each student the rows that the site writes: the schedule, a seat and an event for each course, the removal of the
plan, and the counters of the sections; for many students in one transaction, as the site does, but without reading a
fact, checking a rule, or refusing anybody. This is the most that any site could reach on this database.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo import DeleteMany, InsertOne, MongoClient, UpdateOne

from quart_enroll.cli.local_mongod import local_mongod
from quart_enroll.db.client import open_database
from tests.bench.school_data import FALL
from tests.failure.school import open_school
from tests.support.processes import with_database

STUDENTS, SECTIONS, COURSES_PER_PLAN = 1000, 200, 5
BATCH_SIZES = (25, 50, 100, 200)
"""Students in one transaction; the best one counts."""

Row = dict[str, Any]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, local_mongod(Path(folder)) as uri:
        for size in BATCH_SIZES:
            print(f"{size} students in a transaction: {measure(with_database(uri, f'bare_{size}'), size):,.0f} adds/s")


def measure(uri: str, batch_size: int) -> float:
    """Write everything in an empty database; return the added courses per second."""
    plans = asyncio.run(_create_school(uri))
    with MongoClient[Row](uri, w="majority") as client:
        students = list(plans.items())
        began = time.monotonic()
        # One at a time: transactions side by side would write the same sections and abort each other.
        for first in range(0, len(students), batch_size):
            _write(client, dict(students[first : first + batch_size]))
        seconds = time.monotonic() - began
        added = client.get_default_database().enrollment.count_documents({})
    if added != STUDENTS * COURSES_PER_PLAN:
        raise SystemExit(f"Only {added} seats were written.")
    return added / seconds


async def _create_school(uri: str) -> dict[int, list[str]]:
    """Create the school and the plans; return the planned courses of each student."""
    async with open_database(uri, 20) as db:
        courseIDs = [f"C{number}" for number in range(SECTIONS)]
        await open_school(db, courseIDs, capacity=STUDENTS, waitlist_capacity=0)
        rng = random.Random(1)  # noqa: S311  # the same plans in each run
        plans = {10_001 + number: rng.sample(courseIDs, COURSES_PER_PLAN) for number in range(STUDENTS)}
        planned = {"term": FALL, "section": "01", "added_at": datetime.now(UTC)}
        await db.plan.insert_many(
            planned | {"user_id": user_id, "courseID": courseID, "place": place}
            for user_id, courses in plans.items()
            for place, courseID in enumerate(courses, 1)
        )
        return plans


def _write(client: MongoClient[Row], plans: Mapping[int, Sequence[str]]) -> None:
    now, db = datetime.now(UTC), client.get_default_database()
    seats = [
        {"user_id": user_id, "courseID": courseID, "term": FALL, "section": "01"}
        for user_id, courses in plans.items()
        for courseID in courses
    ]
    events = [seat | {"at": now, "actor": seat["user_id"], "action": "enroll", "result": "ok"} for seat in seats]
    schedules = [
        {"user_id": user_id, "term": FALL, "credits": len(courses), "version": 1} for user_id, courses in plans.items()
    ]
    taken = Counter(str(seat["courseID"]) for seat in seats)
    counters = [
        UpdateOne({"term": FALL, "courseID": courseID, "section": "01"}, {"$inc": {"seats_taken": number}})
        for courseID, number in taken.items()
    ]
    with client.start_session() as session, session.start_transaction():
        db.schedule.bulk_write([InsertOne(row) for row in schedules], session=session)
        db.enrollment.insert_many(
            [seat | {"enrolled_at": now, "status": "enrolled"} for seat in seats], session=session
        )
        db.event.insert_many(events, session=session)
        db.plan.bulk_write([DeleteMany({"user_id": {"$in": list(plans)}, "term": FALL})], session=session)
        db.section.bulk_write(counters, session=session)


if __name__ == "__main__":
    main()
