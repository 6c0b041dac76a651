"""What a student's pages show about the student, read in one query, with the `_id`s of the rows it came from."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2s
from operator import itemgetter
from sys import intern
from typing import Any

from bson import ObjectId

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document
from quart_enroll.db.collections import appointments, holds, permits
from quart_enroll.db.collections.enrollments import to_grade
from quart_enroll.db.collections.plans import to_planned
from quart_enroll.db.collections.saved_plans import to_saved
from quart_enroll.db.collections.waitlist import has_course, to_entry
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.models import SectionKey, WaitlistEntry
from quart_enroll.domain.student import StudentSeat, StudentSnapshot

STUDENT_COLLECTIONS = (
    "enrollment",
    "waitlist",
    "plan",
    "saved_plan",
    "alert",
    "feed",
    "hold",
    "permit",
    "appointment",
)
"""The collections that are read; each row has a `user_id`."""

FILTERS: Mapping[str, Document] = {name: {} for name in STUDENT_COLLECTIONS} | {"hold": holds.IS_NOT_LIFTED}
"""Which of a student's rows are read."""


async def find(db: Database, user_id: int) -> StudentSnapshot:
    """Return what is stored about the student; an unknown student has nothing."""
    return _snapshot(await multi_find.find(db, {name: one | {"user_id": user_id} for name, one in FILTERS.items()}))


async def find_many(db: Database, user_ids: Sequence[int]) -> dict[int, StudentSnapshot]:
    """Return what is stored about each of these students, as `find` does."""
    wanted: Document = {"user_id": {"$in": list(user_ids)}}
    found = await multi_find.find(db, {name: one | wanted for name, one in FILTERS.items()})
    rows: dict[int, dict[str, list[Document]]] = {
        user_id: {name: [] for name in STUDENT_COLLECTIONS} for user_id in user_ids
    }
    for name in STUDENT_COLLECTIONS:
        for row in found[name]:
            rows[row["user_id"]][name].append(row)
    return {user_id: _snapshot(rows_of_student) for user_id, rows_of_student in rows.items()}


def _snapshot(found: Mapping[str, Sequence[Document]]) -> StudentSnapshot:
    seats = sorted(map(_seat, found["enrollment"]), key=lambda seat: seat.key.courseID)
    entries = map(to_entry, filter(has_course, found["waitlist"]))
    waiting = sorted(entries, key=lambda entry: entry.key.courseID)
    own_appointments = tuple(map(appointments.to_appointment, sorted(found["appointment"], key=itemgetter("term"))))
    plan = sorted(map(to_planned, found["plan"]), key=lambda planned: (planned.place, planned.key.courseID))
    return StudentSnapshot(
        seats=tuple(seats),
        waiting=tuple(waiting),
        planned=frozenset(one.key for one in plan),
        alerts=tuple(sorted(map(section_keys.from_row, found["alert"]))),
        calendar_since=next((row["made_at"] for row in found["feed"]), None),
        row_ids=frozenset(hashable_row_id(row["_id"]) for rows in found.values() for row in rows),
        fingerprint=_fingerprint(seats, waiting, own_appointments, [*found["hold"], *found["permit"]]),
        plan=tuple(plan),
        saved_plans=tuple(map(to_saved, found["saved_plan"])),
        holds=tuple(map(holds.to_hold, sorted(found["hold"], key=lambda row: row["at"]))),
        permits=tuple(map(permits.to_record, sorted(found["permit"], key=lambda row: row["_id"]))),
        appointments=own_appointments,
    )


def hashable_row_id(row_id: Any) -> Hashable:
    """Return a row's `_id` as a key of a cache; that of an imported row may be a document."""
    return row_id if type(row_id) is ObjectId or isinstance(row_id, Hashable) else str(row_id)


def _fingerprint(
    seats: Iterable[StudentSeat],
    entries: Iterable[WaitlistEntry],
    own_appointments: Iterable[Appointment],
    rows: Iterable[Document],
) -> str:
    facts: list[tuple[object, ...]] = [
        (*_names(one.key), one.status, one.moved_at, *filter(None, [one.grade])) for one in seats
    ]
    facts += [
        (*_names(one.key), one.place, one.joined_at, one.drop_if_enrolled, one.skipped_because, one.moved_at)
        for one in entries
    ]
    facts += [(one.term, one.starts_at, one.ends_at, one.max_credits) for one in own_appointments]
    facts += [("row", row["_id"], row.get("status")) for row in rows]
    return blake2s("".join(sorted(map(repr, facts))).encode(), digest_size=8).hexdigest()


def _names(key: SectionKey) -> tuple[str, str, str]:
    return key.term, key.courseID, key.section


def _seat(row: Mapping[str, Any]) -> StudentSeat:
    moved_at = row.get("moved_at")
    status = intern(str(row.get("status") or ""))  # equal texts of all students share memory
    moved_at = moved_at if isinstance(moved_at, datetime) else None
    return StudentSeat(section_keys.from_row(row), status, moved_at, to_grade(row))
