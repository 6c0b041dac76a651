"""A school on registration day, and a check of its rows."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import Course, Section, Term
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from tests.support.school import build

FALL = "Fall 2026"

Rows = dict[str, list[dict[str, Any]]]


async def open_school(db: Database, courseIDs: Sequence[str], *, capacity: int, waitlist_capacity: int) -> None:
    """Fill an empty database with an open term and one-credit courses with a section each."""
    await build(db)
    opened = datetime.now(UTC) - timedelta(days=1)
    ends = opened + timedelta(days=30)
    await terms.put_all(db, [Term("Fall 2026", opened, ends, ends, ends, max_credits=100)])
    courses = [Course(courseID, f"Course {courseID}", "", 1, "Fall") for courseID in courseIDs]
    await db.course.insert_many([asdict(course) for course in courses])
    await sections.put_all(
        db, [Section(FALL, name, "01", capacity, waitlist_capacity=waitlist_capacity) for name in courseIDs]
    )


async def read_all(db: Database) -> Rows:
    """Return all rows."""
    return {name: await db[name].find().to_list(None) for name in COLLECTION_MODULES}


def discrepancies(rows: Rows) -> list[str]:
    """Recount everything, and return the disagreements. In this school, no student can be skipped."""
    found = []
    seated = {(row["user_id"], row["courseID"]) for row in rows["enrollment"] if row["status"] == "enrolled"}
    waiting = {(row["user_id"], row["courseID"]) for row in rows["waitlist"]}
    if both := seated & waiting:
        found.append(f"have a seat and are on its waitlist: {both}")
    if (len(seated), len(waiting)) != (len(rows["enrollment"]), len(rows["waitlist"])):
        found.append("a student has two rows for one course")
    for section in rows["section"]:
        found += [
            f"{section['courseID']}, section {section['section']}: {fault}"
            for fault in _section_discrepancies(section, rows)
        ]
    credit = Counter(user_id for user_id, _ in seated)
    found += [
        f"student {row['user_id']} has {credit[row['user_id']]} credits, not {row['credits']}"
        for row in rows["schedule"]
        if row["credits"] != credit[row["user_id"]]
    ]
    return found + _unexplained_rows(rows, seated, waiting)


def _section_discrepancies(section: dict[str, Any], rows: Rows) -> list[str]:
    name = section["courseID"], section["section"]
    enrolled = [row for row in rows["enrollment"] if row["status"] == "enrolled"]
    taken = sum((row["courseID"], row["section"]) == name for row in enrolled)
    places = [row["place"] for row in rows["waitlist"] if (row["courseID"], row["section"]) == name]
    checks = {
        f"{taken} seats are taken, not {section['seats_taken']}": taken == section["seats_taken"],
        f"{taken} seats of {section['capacity']} are taken": taken <= section["capacity"],
        f"{len(places)} wait, not {section['waiting']}": len(places) == section["waiting"],
        "the waitlist is longer than its capacity": len(places) <= section["waitlist_capacity"],
        "two students have the same place": len(places) == len(set(places)),
        "a place is beyond the end of the queue": max(places, default=0) <= section["queue_tail"],
        "a seat is open while a student is waiting": not places or taken == section["capacity"],
    }
    return [fault for fault, fine in checks.items() if not fine]


def _unexplained_rows(rows: Rows, seated: set[tuple[int, str]], waiting: set[tuple[int, str]]) -> list[str]:
    """Compare with the events, written with each change, and with the notices of promotions."""
    seats: dict[tuple[int, str], int] = defaultdict(int)
    places: dict[tuple[int, str], int] = defaultdict(int)
    for row in rows["event"]:
        if row["result"] == "ok":
            key = (row["user_id"], row["courseID"])
            seats[key] += {"enroll": 1, "promote": 1, "drop": -1}.get(row["action"], 0)
            places[key] += {"join": 1, "promote": -1, "leave": -1}.get(row["action"], 0)
    promoted = Counter((row["user_id"], row["courseID"]) for row in rows["event"] if row["action"] == "promote")
    noticed = Counter((row["user_id"], row["courseID"]) for row in rows["notice"])
    checks = {
        "the events disagree about seats": seated == {key for key, number in seats.items() if number == 1},
        "the events disagree about waitlist entries": waiting == {key for key, number in places.items() if number == 1},
        "something happened twice": {*seats.values(), *places.values()} <= {0, 1},
        "notices and promotions disagree": promoted == noticed,
    }
    return [fault for fault, fine in checks.items() if not fine]
