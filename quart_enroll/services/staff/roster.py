"""The roster of a section: the students who are enrolled, waiting, withdrawn or gone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, events, users, waitlist
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Event, SectionKey, User

MAX_DEPARTURES = 2000
"""The largest number of departures that a roster reads, the latest first."""


class RosterStatus(StrEnum):
    """What a student of a roster has in the section."""

    ENROLLED = "enrolled"
    WAITING = "waiting"
    WITHDRAWN = "withdrawn"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A student on a roster, since when, and for those who left the `departure`.

    `position` is that on the waitlist, from 1, and `place` the stored number, which stays the same when others leave.
    `author` is the name of the staff member who dropped the student, if it was one: another student, whose
    change led to a promotion and so to this drop, stays private.
    """

    student: User
    standing: RosterStatus
    since: datetime | None
    position: int = 0
    departure: Event | None = None
    author: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """The enrolled and the withdrawn in the order of their names, the waiting in their own, the last to leave first."""

    enrolled: Sequence[RosterRow]
    waiting: Sequence[RosterRow]
    withdrawn: Sequence[RosterRow]
    left: Sequence[RosterRow]

    def __iter__(self) -> Iterator[RosterRow]:
        yield from (*self.enrolled, *self.waiting, *self.withdrawn, *self.left)


async def find(db: Database, key: SectionKey) -> Roster:
    """Return the section's roster."""
    seats = await enrollments.find_by_section(db, key)
    entries = await waitlist.find_by_section(db, key)
    departures = _latest(await events.find_departures(db, key, MAX_DEPARTURES))
    present = {one.user_id for one in seats}
    ids = present | {one.user_id for one in entries} | {*departures} | {one.actor for one in departures.values()}
    people = await users.find_many(db, ids)

    def row(user_id: int, standing: RosterStatus, since: datetime, position: int = 0) -> RosterRow:
        departure = departures.get(user_id) if standing in (RosterStatus.WITHDRAWN, RosterStatus.LEFT) else None
        student = people.get(user_id) or User(user_id, "", "", "")
        actor = people.get(departure.actor) if departure else None
        author = actor.full_name if actor and actor.is_staff else ""
        return RosterRow(student, standing, departure.at if departure else since, position, departure, author)

    seated = [row(one.user_id, RosterStatus(one.status), one.since) for one in seats]
    return Roster(
        enrolled=_by_name(one for one in seated if one.standing is RosterStatus.ENROLLED),
        waiting=[
            replace(row(one.user_id, RosterStatus.WAITING, one.joined_at, position), place=one.place)
            for position, one in enumerate(entries, 1)
        ],
        withdrawn=_by_name(one for one in seated if one.standing is RosterStatus.WITHDRAWN),
        left=[row(one, RosterStatus.LEFT, event.at) for one, event in departures.items() if one not in present],
    )


def _latest(departures: Sequence[Event]) -> dict[int, Event]:
    """Return each student's last departure, the latest first; `departures` are in this order."""
    found: dict[int, Event] = {}
    for event in departures:
        found.setdefault(event.user_id, event)
    return found


def _by_name(rows: Iterable[RosterRow]) -> list[RosterRow]:
    return sorted(rows, key=name_key)


def name_key(row: RosterRow) -> tuple[str, str, int]:
    """Return what sorts rows by the students' names."""
    student = row.student
    return fold(student.last_name), fold(student.first_name), student.user_id
