"""Notices to the students of a section whose times, room, instructor or status change, enrolled or waiting.

They are written in the same transaction as the change. If a section changes again before a student has seen the notice
or been emailed, a new one replaces it and covers both changes.

MongoDB keeps what a transaction has written in its cache, and aborts one that is too large for that. An import that
changes a whole school therefore writes the notices afterwards, some thousands in each transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, events, notices
from quart_enroll.db.collections import sections as stored_sections
from quart_enroll.db.collections.notices import UndeliveredChange
from quart_enroll.db.queries import import_guards
from quart_enroll.db.queries.import_guards import AffectedStudent
from quart_enroll.db.transactions import transaction
from quart_enroll.domain import rules, section_edits
from quart_enroll.domain.errors import TimeConflict
from quart_enroll.domain.models import Course, Event, Notice, Registration, Section, SectionKey, SectionStatus
from quart_enroll.i18n.language import Sentence, join_sentences
from quart_enroll.services.catalog.import_transactions import IMPORT_RETRY_SECONDS

MAX_NOTICES_IN_TRANSACTION = 5000
"""Notices in one transaction, which must fit, with the import itself, into the smallest cache of a mongod."""


class SectionChange(NamedTuple):
    """A section before and after a change that its students should know about."""

    old: Section
    new: Section

    @property
    def moves(self) -> bool:
        """Whether the section meets at other times."""
        return self.old.meetings != self.new.meetings


class ChangeNotice(NamedTuple):
    """The event and the notice of a change for one student, with the row that it affects.

    `conflict` names the student's other courses that meet at the same time now. The notice is about all changes since
    the student was last told: it `replaces` one that was not shown or emailed yet. It is no news if the changes have
    been undone meanwhile.
    """

    student: AffectedStudent
    event: Event
    notice: Notice
    conflict: Sentence | None = None
    replaces: UndeliveredChange | None = None
    is_news: bool = True


def find_changes(
    before: Mapping[SectionKey, Section], after: Sequence[Section], terms: Collection[str]
) -> list[SectionChange]:
    """Return the sections in these terms of which something has changed that their students should know."""
    pairs = [SectionChange(before[one.key], one) for one in after if one.key in before and one.term in terms]
    return [change for change in pairs if section_edits.is_announced(*change)]


async def prepare_notices(
    db: Database,
    changes: Sequence[SectionChange],
    sections: Mapping[SectionKey, Section],
    now: datetime,
    actor: int,
    session: Session,
) -> list[ChangeNotice]:
    """Return a notice for each student who is enrolled in a changed section or waits for it.

    `sections` are all sections of these terms, as they are now. A notice names the student's other courses that meet at
    the same time now.
    """
    by_key = {change.new.key: change for change in changes}
    affected = await import_guards.find_affected(db, set(by_key), session)
    if not affected:
        return []
    known = {course.courseID: course for course in await courses.find_all(db, session)}
    found = await notices.find_undelivered_changes(db, {one.user_id for one in affected}, set(by_key), session)
    earlier = {(one.user_id, one.section): one for one in found}
    combined = {
        (one.user_id, one.key): _since(by_key[one.key], earlier.get((one.user_id, one.key))) for one in affected
    }
    rescheduled = [one for one in affected if combined[one.user_id, one.key].moves]
    students, terms = {one.user_id for one in rescheduled}, {one.key.term for one in rescheduled}
    registrations: defaultdict[tuple[int, str], list[Registration]] = defaultdict(list)
    for user_id, key in await import_guards.find_section_keys(db, students, terms, session):
        if key in sections and (course := known.get(key.courseID)):
            registrations[user_id, key.term].append(Registration(course, sections[key], "enrolled"))
    prepared = []
    for one in affected:
        user_id, key = one.user_id, one.key
        change, all_changes, course = by_key[key], combined[user_id, key], known.get(key.courseID)
        others = [other for other in registrations[user_id, key.term] if other.courseID != key.courseID]
        conflict = _find_conflict(all_changes, course, others) if all_changes.moves else None
        happened = _describe(change, conflict if change.moves else None, is_waiting=one.is_waiting)
        event = Event(now, actor, user_id, "moved", key.courseID, key.term, key.section, changes=happened)
        is_news = section_edits.is_announced(*all_changes)
        reason = _describe(all_changes, conflict, is_waiting=one.is_waiting) if is_news else happened
        notice = replace(Notice.of(event, course.title if course else key.courseID, reason), before=all_changes.old)
        new_conflict = conflict if change.moves else None
        prepared.append(ChangeNotice(one, event, notice, new_conflict, earlier.get((user_id, key)), is_news))
    return prepared


def _since(change: SectionChange, earlier: UndeliveredChange | None) -> SectionChange:
    """Return the change together with an earlier one that the student doesn't know yet."""
    if earlier is None:
        return change
    return change._replace(old=stored_sections.with_announced_values(change.old, earlier.before))


async def write_notices(db: Database, prepared: Sequence[ChangeNotice], session: Session) -> None:
    """Write the events and the notices, and mark the students' rows, so that open pages are updated."""
    if prepared:
        at = prepared[0].event.at
        await import_guards.mark_moved(db, [one.student for one in prepared], at, session)
        await events.add_all(db, [one.event for one in prepared], session)
        await notices.replace_undelivered(db, [one.replaces for one in prepared if one.replaces], at, session)
        await notices.add_all(db, [one.notice for one in prepared if one.is_news], session)
        await notices.add_undone(db, [one.notice for one in prepared if not one.is_news], session)


async def write_notices_in_batches(db: Database, prepared: Sequence[ChangeNotice]) -> None:
    """Write the notices in several transactions."""
    for start in range(0, len(prepared), MAX_NOTICES_IN_TRANSACTION):
        batch = prepared[start : start + MAX_NOTICES_IN_TRANSACTION]
        await transaction(db, partial(write_notices, db, batch), IMPORT_RETRY_SECONDS)


def _find_conflict(change: SectionChange, course: Course | None, others: Sequence[Registration]) -> Sentence | None:
    """Return which of the student's other courses meet at the same time now, if any."""
    try:
        if course:
            rules.check_times(course, change.new, others)
    except TimeConflict as conflict:
        return conflict.message
    return None


def _describe(change: SectionChange, conflict: Sentence | None, *, is_waiting: bool) -> Sentence:
    """Return what has changed, with the conflict that results."""
    old, new = change
    sentences = []
    if change.moves:
        sentences.append(Sentence("New time: %(now)s. Old time: %(before)s.", now=_times(new), before=_times(old)))
    if old.room != new.room:
        sentences.append(_room(old.room, new.room))
    if old.instructor != new.instructor:
        sentences.append(_instructor(old.instructor, new.instructor))
    if old.status != new.status:
        sentences.append(_status(new.status, is_waiting=is_waiting))
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


def _instructor(old: str, new: str) -> Sentence:
    if not new:
        return Sentence("The new instructor hasn’t been announced. Old instructor: %(before)s.", before=old)
    if not old:
        return Sentence("Instructor: %(now)s.", now=new)
    return Sentence("New instructor: %(now)s. Old instructor: %(before)s.", now=new, before=old)


def _status(new: SectionStatus, *, is_waiting: bool) -> Sentence:
    """Return what the status means; a section with students is either active or closed."""
    if new is SectionStatus.ACTIVE:
        return Sentence("The section is open to new students again.")
    if is_waiting:
        return Sentence(
            "The section is now closed to new students. You keep your place in line, but no one gets a seat until it "
            "reopens."
        )
    return Sentence("The section is now closed to new students. You keep your seat.")


def _times(section: Section) -> Sentence:
    if not section.meetings:
        return Sentence("no fixed times")
    first, *more = [meeting.when for meeting in section.meetings]
    for one in more:
        first = Sentence("%(first)s, %(next)s", first=first, next=one)
    return first
