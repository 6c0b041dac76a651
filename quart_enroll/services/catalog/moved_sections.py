"""Notices to the students of a section that moves, enrolled or waiting, written in the same transaction as the change.

MongoDB keeps what a transaction has written in its cache, and aborts one that is too large for that. An import that
moves a whole school therefore writes the notices afterwards, some thousands in each transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
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
from quart_enroll.services.catalog.imports import IMPORT_RETRY_SECONDS

MAX_NOTICES_IN_TRANSACTION = 5000
"""Most notices in one transaction, which must fit, with the import itself, into the smallest cache of a mongod."""


class Move(NamedTuple):
    """A section before and after a change of its times or its room."""

    old: Section
    new: Section


class MoveNotice(NamedTuple):
    """The event and the notice of a move for one student, with the row that it affects.

    `conflict` names the student's other courses that meet at the same time now.
    """

    student: AffectedStudent
    event: Event
    notice: Notice
    conflict: Sentence | None = None


def find_moves(before: Mapping[SectionKey, Section], after: Sequence[Section], terms: Collection[str]) -> list[Move]:
    """Return the sections in these terms whose times or room have changed."""
    pairs = [Move(before[one.key], one) for one in after if one.key in before and one.term in terms]
    return [move for move in pairs if (move.old.meetings, move.old.room) != (move.new.meetings, move.new.room)]


async def prepare_notices(
    db: Database,
    moves: Sequence[Move],
    sections: Mapping[SectionKey, Section],
    now: datetime,
    actor: int,
    session: Session,
) -> list[MoveNotice]:
    """Return a notice for each student who is enrolled in a moved section or waits for it.

    `sections` are all sections of these terms, as they are now. A notice names the student's other courses that meet at
    the same time now.
    """
    by_key = {move.new.key: move for move in moves}
    affected = await import_guards.find_affected(db, set(by_key), session)
    if not affected:
        return []
    known = {course.courseID: course for course in await courses.find_all(db, session)}
    rescheduled = [one for one in affected if by_key[one.key].old.meetings != by_key[one.key].new.meetings]
    students, terms = {one.user_id for one in rescheduled}, {one.key.term for one in rescheduled}
    registrations: defaultdict[tuple[int, str], list[Registration]] = defaultdict(list)
    for user_id, key in await import_guards.find_section_keys(db, students, terms, session):
        if key in sections and (course := known.get(key.courseID)):
            registrations[user_id, key.term].append(Registration(course, sections[key], "enrolled"))
    prepared = []
    for one in affected:
        user_id, key = one.user_id, one.key
        event = Event(now, actor, user_id, "moved", key.courseID, key.term, key.section)
        move, course = by_key[key], known.get(key.courseID)
        others = registrations[user_id, key.term] if move.old.meetings != move.new.meetings else []
        others = [other for other in others if other.courseID != key.courseID]
        conflict = _find_conflict(move, course, others)
        reason = _describe(move, conflict, is_waiting=one.is_waiting)
        notice = Notice.of(event, course.title if course else key.courseID, reason)
        prepared.append(MoveNotice(one, event, notice, conflict))
    return prepared


async def write_notices(db: Database, prepared: Sequence[MoveNotice], session: Session) -> None:
    """Write the events and the notices, and mark the students' rows, so that open pages are updated."""
    if prepared:
        await import_guards.mark_moved(db, [one.student for one in prepared], prepared[0].event.at, session)
        await events.add_all(db, [one.event for one in prepared], session)
        await notices.add_all(db, [one.notice for one in prepared], session)


async def write_notices_in_batches(db: Database, prepared: Sequence[MoveNotice]) -> None:
    """Write the notices in several transactions."""
    for start in range(0, len(prepared), MAX_NOTICES_IN_TRANSACTION):
        batch = prepared[start : start + MAX_NOTICES_IN_TRANSACTION]
        await transaction(db, partial(write_notices, db, batch), IMPORT_RETRY_SECONDS)


def _find_conflict(move: Move, course: Course | None, others: Sequence[Registration]) -> Sentence | None:
    """Return which of the student's other courses meet at the same time now, if any."""
    try:
        if course:
            rules.check_times(course, move.new, others)
    except TimeConflict as conflict:
        return conflict.message
    return None


def _describe(move: Move, conflict: Sentence | None, *, is_waiting: bool) -> Sentence:
    """Return what has changed, with the conflict that results."""
    old, new = move
    sentences = []
    if old.meetings != new.meetings:
        sentences.append(Sentence("New time: %(now)s. Old time: %(before)s.", now=_times(new), before=_times(old)))
    if old.room != new.room:
        sentences.append(_room(old.room, new.room))
    if conflict is not None:
        sentences.append(conflict)
        if not is_waiting:
            sentences.append(Sentence("You’re still enrolled in both. If you can’t attend both, drop or swap one."))
    return join_sentences(sentences)


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
