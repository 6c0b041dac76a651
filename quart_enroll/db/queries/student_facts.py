"""All that a student's pages ask about the student, in one question, with the names of the rows it came from."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from hashlib import blake2s
from sys import intern
from typing import Any

from quart_enroll.db.client import Database
from quart_enroll.db.collections.waitlist import has_course, to_entry
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.models import SectionKey, WaitlistEntry
from quart_enroll.domain.student import StudentSeat, StudentSnapshot

COLLECTIONS = ("enrollment", "waitlist", "plan", "alert", "feed")
"""Where those rows are; each has a `user_id`."""


async def find(db: Database, user_id: int) -> StudentSnapshot:
    """Return what is stored about the student; nothing of somebody who does not exist."""
    found = await multi_find.find(db, {name: {"user_id": user_id} for name in COLLECTIONS})
    seats = sorted(map(_seat, found["enrollment"]), key=lambda seat: seat.key.courseID)
    placed = [document for document in found["waitlist"] if has_course(document)]
    waiting = sorted(map(to_entry, placed), key=lambda one: one.key.courseID)
    return StudentSnapshot(
        seats=tuple(seats),
        waiting=tuple(waiting),
        planned=frozenset(map(_key, found["plan"])),
        alerts=tuple(sorted(map(_key, found["alert"]))),
        calendar_since=next((document["made_at"] for document in found["feed"]), None),
        row_ids=frozenset(hashable_row_id(document["_id"]) for documents in found.values() for document in documents),
        fingerprint=_fingerprint([*seats, *waiting]),
    )


def hashable_row_id(key: Any) -> Hashable:
    """Return a row's key as something to look up; an imported one may be a document itself."""
    return key if isinstance(key, Hashable) else str(key)


def _fingerprint(what: Iterable[StudentSeat | WaitlistEntry]) -> str:
    return blake2s("".join(sorted(map(repr, what))).encode(), digest_size=8).hexdigest()


def _seat(document: Mapping[str, Any]) -> StudentSeat:
    moved_at = document.get("moved_at")
    return StudentSeat(_key(document), _name(document, "status"), moved_at if isinstance(moved_at, datetime) else None)


def _key(document: Mapping[str, Any]) -> SectionKey:
    return SectionKey(*(_name(document, name) for name in ("term", "courseID", "section")))


def _name(document: Mapping[str, Any], field: str) -> str:
    """Return the field as text; equal texts of all students share memory."""
    return intern(str(document.get(field) or ""))
