"""Sections as staff change them: each change is one transaction, with the promotions that follow from it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, sections, users
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import import_guards
from quart_enroll.domain import folding, pools, section_edits
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import (
    SectionEditConflict,
    SectionExists,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
    WrongFields,
)
from quart_enroll.domain.models import Course, Section, SectionKey, SectionStatus, Term
from quart_enroll.i18n.language import gettext
from quart_enroll.services.catalog import changed_sections
from quart_enroll.services.catalog.changed_sections import ChangeNotice
from quart_enroll.services.catalog.import_results import FieldChange, field_changes
from quart_enroll.services.catalog.import_sections import accounts_of
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.staff import audit
from quart_enroll.services.staff.catalog_edits import audit_change
from quart_enroll.services.staff.seat_previews import GainedSeat
from quart_enroll.services.staff.section_effects import Effects, NewConflict, change_section

COUNTED = ("seats_taken", "waiting", "revision")
"""Fields of a section that nobody edits."""


async def find(db: Database, key: SectionKey) -> tuple[Term, Course, Section]:
    """Return the section with its term and its course; raise UnknownTerm, UnknownCourse or UnknownSection."""
    term, course, section = (
        await stored_terms.find(db, key.term),
        await courses.find(db, key.courseID),
        await sections.find(db, key),
    )
    if term is None:
        raise UnknownTerm(key.term, [])
    if course is None:
        raise UnknownCourse(key.courseID)
    if section is None:
        raise UnknownSection(course.title, key.section, key.term)
    return term, course, section


async def find_offered(db: Database, term: str) -> list[tuple[Course, Section]]:
    """Return all sections of the term with their courses, in the order of their keys."""
    known = {course.courseID: course for course in await courses.find_all(db)}
    found = await sections.find_all(db, [term])
    return [(known[section.courseID], section) for section in found if section.courseID in known]


async def find_emails(db: Database, user_ids: Collection[int]) -> list[str]:
    """Return the email addresses of these people, in this order; a deleted account keeps its number."""
    found = await users.find_many(db, user_ids)
    return [found[one].email if one in found else str(one) for one in user_ids]


async def find_instructors(db: Database, texts: Sequence[str], present: Collection[int] = ()) -> tuple[int, ...]:
    """Return the user_ids of the staff with these email addresses or user_ids; raise WrongFields for anybody else.

    Students are treated as unknown, because schedulers must not learn whose user_id it is. Those that are `present`
    may stay.
    """
    named = await accounts_of(db, texts)
    people = await users.find_many(db, named.values())
    for text in texts:
        user_id = named.get(text)
        if user_id is None or not (user_id in present or people[user_id].is_staff):
            raise WrongFields({"instructors": gettext("No staff member has the email or ID %(text)s.", text=text)})
    return tuple({named[text]: None for text in texts})


async def find_names(db: Database, user_ids: Collection[int]) -> dict[int, str]:
    """Return the names of these people; a deleted account has its number."""
    names = await users.find_names(db, user_ids)
    return {one: names.get(one, str(one)) for one in user_ids}


async def create(context: EnrollmentContext, staff_id: int, section: Section, now: datetime) -> SectionKey:
    """Add a section and return its key; a number 1 becomes 01.

    Raises UnknownTerm, UnknownCourse, WrongFields, and SectionExists for a number that was ever used in the term.
    """
    db = context.db
    number = section.section.zfill(2) if section.section.isascii() and section.section.isdigit() else section.section
    new = replace(section, section=number, seats_taken=0, waiting=0, revision=0)
    if new.status is SectionStatus.CANCELLED:
        raise WrongFields({"status": gettext("A new section can’t be canceled.")})
    if faults := section_edits.find_faults(new):
        raise WrongFields({field: str(sentence) for field, sentence in faults.items()})

    async def body(transaction: SeatTransaction) -> SectionKey:
        session = transaction.session
        if await stored_terms.find(db, new.term, session) is None:
            raise UnknownTerm(new.term, [])
        course = await courses.find(db, new.courseID, session)
        if course is None:
            raise UnknownCourse(new.courseID)
        existing = await sections.find_all(db, [new.term], [new.courseID], session)
        same = folding.section_key(number)
        is_used = any(folding.section_key(one.section) == same for one in existing)
        if is_used or not await sections.add(db, new, session):
            raise SectionExists(course.title, number, new.term)
        await _record(transaction, "section.add", new.key)
        return new.key

    return await change_section(context, staff_id, now, new.key, body)


async def edit(
    context: EnrollmentContext, staff_id: int, wanted: Section, now: datetime, *, preview: bool = False
) -> Effects:
    """Store the section as the editor wants it, and return what this does to people; a `preview` stores nothing.

    `wanted.revision` is the one that the editor saw; if the section was changed since, SectionEditConflict is raised.
    Students keep their seats, whatever the capacity. Raises UnknownSection and WrongFields too.
    """
    key = wanted.key

    async def body(transaction: SeatTransaction) -> Effects:
        old = await sections.find(context.db, key, transaction.session)
        if old is None:
            raise UnknownSection(key.courseID, key.section, key.term)
        new = replace(
            wanted,
            seats_taken=old.seats_taken,
            waiting=old.waiting,
            accepts_numbers=old.accepts_numbers,
            pools=pools.with_counts(wanted.pools, old.pools),
        )
        changes = differences(old, new)
        if not changes:
            return Effects(old)
        if old.revision != wanted.revision:
            raise SectionEditConflict(old)
        if faults := section_edits.find_faults(new, old):
            raise WrongFields({field: str(sentence) for field, sentence in faults.items()})
        return await _store(transaction, old, replace(new, revision=old.revision + 1), changes)

    return await change_section(context, staff_id, now, key, body, preview=preview)


def differences(old: Section, new: Section) -> list[FieldChange]:
    """Return the fields in which staff have changed a section."""
    return [change for change in field_changes(old, new) if change.field not in COUNTED]


async def _store(transaction: SeatTransaction, old: Section, new: Section, changes: Sequence[FieldChange]) -> Effects:
    """Store the section, notify its students of the changes, and promote those who can take a seat now."""
    db, session, key = transaction.db, transaction.session, new.key
    resized = [new] if old.capacity != new.capacity else []
    rescheduled = [new] if old.meetings != new.meetings else []
    await import_guards.guard_students(db, [one.key for one in rescheduled], session)
    await import_guards.note_section_changes(db, resized, rescheduled, transaction.now, session)
    if not await sections.edit(db, new, session):
        raise SectionEditConflict(old)
    told = await _notify_students(transaction, old, new)
    if rescheduled:  # students who had a conflict with it may be able to take another section now
        transaction.unblocked_students.extend((one.student.user_id, key.term) for one in told)
    transaction.freed_sections.append(key)
    transaction.changed_waitlists.add(key)
    await promote_waitlists(transaction)
    await _record(transaction, "section.edit", key, changes)
    return Effects(
        section=await sections.find(db, key, session) or new,
        changes=changes,
        gained=[GainedSeat.of(one) for one in transaction.promotions],
        conflicts=[
            NewConflict(one.student.user_id, one.student.is_waiting, one.conflict) for one in told if one.conflict
        ],
        notified=sum(one.is_news for one in told),
    )


async def _notify_students(transaction: SeatTransaction, old: Section, new: Section) -> list[ChangeNotice]:
    db, session, now = transaction.db, transaction.session, transaction.now
    term = await stored_terms.find(db, new.term, session)
    ongoing = [new.term] if term is not None and term.is_ongoing(now) else []
    announced = changed_sections.find_changes({old.key: old}, [new], ongoing)
    if not announced:
        return []
    of_term = await import_guards.find_sections(db, [new.term], session)
    prepared = await changed_sections.prepare_notices(
        db, announced, of_term | {new.key: new}, now, transaction.actor, session
    )
    await changed_sections.write_notices(db, prepared, session)
    return prepared


async def _record(
    transaction: SeatTransaction, action: str, key: SectionKey, changes: Iterable[FieldChange] = ()
) -> None:
    about = About("section", key.term, key.courseID, key.section)
    entry = AuditEntry(transaction.now, transaction.actor, action, about, changes=tuple(map(audit_change, changes)))
    await audit.record(transaction.db, transaction.session, entry)
