"""All that a student's pages ask about the student, in one question, with the names of the rows it came from."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from sys import intern
from typing import Any

from quart_enroll.models import SectionKey, Waiting
from quart_enroll.mongo import Database
from quart_enroll.repositories import together
from quart_enroll.repositories.waitlist import is_placed, to_waiting

COLLECTIONS = ("enrollment", "waitlist", "plan", "alert", "feed")
"""Where those rows are; each has a `user_id`."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that a student has or had; what an old row does not say is empty. `moved_at` is when its section moved."""

    key: SectionKey
    status: str
    moved_at: datetime | None = None

    @property
    def told(self) -> str:
        """The status as pages tell it; a seat of which nothing is known counts."""
        return "withdrawn" if self.status == "withdrawn" else "enrolled"


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """A student's seats and places in lines in all terms, in the order of courseID; what is planned, in which
    sections seats are waited for with an alert, in the order of their keys; and when the calendar's address was made.
    The same seats and places have the same `sign`, in all processes, until a section moves. Equal to themselves alone.
    """

    seats: tuple[Seat, ...]
    waiting: tuple[Waiting, ...]
    planned: frozenset[SectionKey]
    alerts: tuple[SectionKey, ...]
    calendar_since: datetime | None
    rows: frozenset[Hashable]
    sign: str

    @property
    def size(self) -> int:
        """About how many bytes they take in memory."""
        return 700 + 200 * (len(self.seats) + 3 * len(self.waiting) + len(self.planned) + len(self.alerts))


async def find(db: Database, user_id: int) -> Facts:
    """Return what is stored about the student; nothing of somebody who does not exist."""
    found = await together.find(db, {name: {"user_id": user_id} for name in COLLECTIONS})
    seats = sorted(map(_seat, found["enrollment"]), key=lambda seat: seat.key.courseID)
    placed = [document for document in found["waitlist"] if is_placed(document)]
    waiting = sorted(map(to_waiting, placed), key=lambda one: one.key.courseID)
    return Facts(
        seats=tuple(seats),
        waiting=tuple(waiting),
        planned=frozenset(map(_key, found["plan"])),
        alerts=tuple(sorted(map(_key, found["alert"]))),
        calendar_since=next((document["made_at"] for document in found["feed"]), None),
        rows=frozenset(row_name(document["_id"]) for documents in found.values() for document in documents),
        sign=_sign([*seats, *waiting]),
    )


def row_name(key: Any) -> Hashable:
    """Return a row's key as something to look up; an imported one may be a document itself."""
    return key if isinstance(key, Hashable) else str(key)


def _sign(what: Iterable[Seat | Waiting]) -> str:
    return blake2s("".join(sorted(map(repr, what))).encode(), digest_size=8).hexdigest()


def _seat(document: Mapping[str, Any]) -> Seat:
    moved_at = document.get("moved_at")
    return Seat(_key(document), _name(document, "status"), moved_at if isinstance(moved_at, datetime) else None)


def _key(document: Mapping[str, Any]) -> SectionKey:
    return SectionKey(*(_name(document, name) for name in ("term", "courseID", "section")))


def _name(document: Mapping[str, Any], field: str) -> str:
    """Return the field as text; equal texts of all students share memory."""
    return intern(str(document.get(field) or ""))
