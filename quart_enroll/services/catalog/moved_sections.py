"""Sections that move: their students, seated or waiting, are told the new times or room in the same change.

MongoDB keeps what a transaction has written in its cache, and gives up on one that is too large for that. An import
that moves a whole school therefore tells its students after it, some thousands in each transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, events, notices
from quart_enroll.db.queries import import_guards
from quart_enroll.db.queries.import_guards import AffectedStudent
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import rules
from quart_enroll.domain.errors import TimeConflict
from quart_enroll.domain.models import Course, Event, Notice, Registration, Section, SectionKey
from quart_enroll.i18n.language import Sentence, join_sentences
from quart_enroll.services.catalog.import_users import PATIENCE

MAX_IN_TRANSACTION = 5000
"""Students whom one transaction tells, as it must fit into the smallest cache of a mongod, with the import itself."""


class Move(NamedTuple):
    """A section before and after its times or its room changed."""

    old: Section
    new: Section


def moves(before: Mapping[SectionKey, Section], after: Sequence[Section], terms: Collection[str]) -> list[Move]:
    """Return what has moved in these terms."""
    pairs = [Move(before[one.key], one) for one in after if one.key in before and one.term in terms]
    return [one for one in pairs if (one.old.meetings, one.old.room) != (one.new.meetings, one.new.room)]


class Told(NamedTuple):
    """What a student is told of a move, and which seat or place it is about."""

    concerned: AffectedStudent
    event: Event
    notice: Notice


async def find_told(
    db: Database,
    moved: Sequence[Move],
    sections: Mapping[SectionKey, Section],
    now: datetime,
    actor: int,
    session: Session,
) -> list[Told]:
    """Return what to tell each student who has a seat or waits in a section that has moved.

    `sections` are all sections of these terms, as they are now. Where a section now meets at the same time as another
    course of the student, the notice says so.
    """
    by_key = {one.new.key: one for one in moved}
    concerned = await import_guards.find_affected(db, set(by_key), session)
    if not concerned:
        return []
    known = {course.courseID: course for course in await courses.find_all(db, session)}
    retimed = [one for one in concerned if by_key[one.key].old.meetings != by_key[one.key].new.meetings]
    students = {one.user_id for one in retimed}
    held: defaultdict[tuple[int, str], list[Registration]] = defaultdict(list)
    for user_id, key in await import_guards.find_section_keys(db, students, {one.key.term for one in retimed}, session):
        if key in sections and (course := known.get(key.courseID)):
            held[user_id, key.term].append(Registration(course, sections[key], "enrolled"))
    told = []
    for one in concerned:
        user_id, key = one.user_id, one.key
        event = Event(now, actor, user_id, "moved", key.courseID, key.term, key.section)
        move, course = by_key[key], known.get(key.courseID)
        others = held[user_id, key.term] if move.old.meetings != move.new.meetings else []
        because = _because(move, course, [other for other in others if other.courseID != key.courseID], one.waits)
        told.append(Told(one, event, Notice.of(event, course.title if course else key.courseID, because)))
    return told


async def write(db: Database, told: Sequence[Told], session: Session) -> None:
    """Write an event and a notice for each, and let open pages of the students be made anew."""
    if told:
        await import_guards.mark_moved(db, [one.concerned for one in told], told[0].event.at, session)
        await events.add_all(db, [one.event for one in told], session)
        await notices.add_all(db, [one.notice for one in told], session)


async def write_all(db: Database, told: Sequence[Told]) -> None:
    """Write the same in several transactions."""
    for batch in batched(told, MAX_IN_TRANSACTION):
        await transaction(db, partial(write, db, batch), PATIENCE)


def batched(told: Sequence[Told], size: int) -> Iterator[Sequence[Told]]:
    """Give so many at a time."""
    for begin in range(0, len(told), size):
        yield told[begin : begin + size]


def _because(move: Move, course: Course | None, others: Sequence[Registration], waits: bool) -> Sentence:
    """Return what has changed, and which other courses of the student meet then."""
    old, new = move
    told = []
    if old.meetings != new.meetings:
        told.append(Sentence("New time: %(now)s. Old time: %(before)s.", now=_times(new), before=_times(old)))
    if old.room != new.room:
        told.append(_room(old.room, new.room))
    try:
        if course:
            rules.check_times(course, new, others)
    except TimeConflict as conflict:
        told.append(conflict.message)
        if not waits:
            told.append(Sentence("You’re still enrolled in both. If you can’t attend both, drop or swap one."))
    return join_sentences(told)


def _room(old: str, new: str) -> Sentence:
    if not new:
        return Sentence("The new room hasn’t been announced. Old room: %(before)s.", before=old)
    if not old:
        return Sentence("Room: %(now)s.", now=new)
    return Sentence("New room: %(now)s. Old room: %(before)s.", now=new, before=old)


def _times(section: Section) -> Sentence:
    if not section.meetings:
        return Sentence("no fixed times")
    first, *more = [meeting.when for meeting in section.meetings]
    for one in more:
        first = Sentence("%(first)s, %(next)s", first=first, next=one)
    return first
