"""Promotion: open seats go to waitlisted students, in order, in the transaction that opened them.

Afterwards an open seat means that no waitlisted student could take it. Seats that are left over are announced to the
students who set an alert: in the same transaction too, so that no process that dies can lose or repeat an alert.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from quart_enroll.db.collections import alerts, enrollments, notices, sections, terms, users, waitlist
from quart_enroll.domain import permits, pools, requisite_rules, rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import AccountGone, Refused, SectionFull, UnknownCourse, UnknownSection, UnknownTerm
from quart_enroll.domain.models import Notice, Section, SectionKey, SectionStatus, WaitlistEntry
from quart_enroll.services.enrollment.candidates import (
    Offering,
    check_rules,
    find_offering,
    load_candidate,
    with_course_names,
)
from quart_enroll.services.enrollment.seat_changes import SeatTransaction, bump_version, record_event, take


class PoolsDue(Exception):
    """Pools of the section must be released before anyone gets a seat in it; nothing may be committed."""

    def __init__(self, key: SectionKey) -> None:
        super().__init__(str(key))
        self.key = key


async def promote_waitlists(transaction: SeatTransaction) -> None:
    """Promote until no waitlisted student could take an open seat; then send alerts about the seats left over.

    A promotion may drop another seat, and so on. Each one removes a waitlist entry, so this ends.
    """
    while transaction.freed_sections or transaction.unblocked_students:
        if transaction.freed_sections:
            await _fill_section(transaction, transaction.freed_sections.popleft())
        else:
            await _retry_unblocked(transaction)
    for key in sorted(transaction.open_sections):
        await _send_alerts(transaction, key)


def has_due_pools(offering: Offering, now: datetime) -> bool:
    """Return whether pools of the section have to be released before anyone gets a seat in it."""
    return any(one.is_due(offering.term.timezone, now) for one in offering.section.pools)


async def promote_students(transaction: SeatTransaction, user_ids: Collection[int]) -> None:
    """Give these students each open seat they wait for, because something about them has changed.

    The transaction must have bumped their versions before it read anything about them. A skip at this moment does so
    too: one of the two runs again, so that no open seat is missed.
    """
    entries = await waitlist.find_by_students(transaction.db, user_ids, transaction.session)
    transaction.unblocked_students.extend(sorted({(one.user_id, one.key.term) for one in entries}))
    await promote_waitlists(transaction)


async def promote_all_waitlists(transaction: SeatTransaction) -> None:
    """Promote in every section that has an open seat and a waitlist, and send alerts about every open seat."""
    transaction.freed_sections.extend(await sections.find_promotable(transaction.db, transaction.session))
    transaction.freed_sections.extend(await alerts.find_sections(transaction.db, transaction.session))
    await promote_waitlists(transaction)


async def _fill_section(transaction: SeatTransaction, key: SectionKey) -> None:
    section = await sections.find(transaction.db, key, transaction.session)
    if section is not None and section.pools:
        section = await _release_pools(transaction, section)
    if section is None or not section.free_seats or section.status is not SectionStatus.ACTIVE:
        return
    entries = await waitlist.find_by_section(transaction.db, key, transaction.session) if section.waiting else []
    for entry in entries:
        if not await _promote(transaction, entry):
            break
    else:
        transaction.open_sections.add(key)


async def _release_pools(transaction: SeatTransaction, section: Section) -> Section:
    """Release the section's pools that are due, and return the section as it is then."""
    term = await terms.find(transaction.db, section.term, transaction.session)
    if term is None:
        return section
    released = pools.release(section.pools, term.timezone, transaction.now)
    if released == section.pools:
        return section
    await sections.release_pools(transaction.db, section.key, released, transaction.session)
    transaction.changed_waitlists.add(section.key)
    return replace(section, pools=released)


async def _retry_unblocked(transaction: SeatTransaction) -> None:
    """Try all waitlist entries of the unblocked students again, those for one section in the order of joining."""
    students = list(dict.fromkeys(transaction.unblocked_students))
    transaction.unblocked_students.clear()
    entries = [
        entry
        for user_id, term in students
        for entry in await waitlist.find_in_term(transaction.db, user_id, term, transaction.session)
    ]
    transaction.changed_waitlists.update(entry.key for entry in entries)
    for entry in sorted(entries, key=lambda entry: (entry.key, entry.place)):
        await _promote(transaction, entry)


async def _promote(transaction: SeatTransaction, entry: WaitlistEntry) -> bool:
    """Give the student a seat if one is open and the rules allow it; return whether to try the next student."""
    try:
        candidate = await load_candidate(transaction.db, entry.user_id, entry.key, transaction.session)
    except (UnknownTerm, UnknownCourse, UnknownSection):
        return False  # the section was deleted; `check-seats` reports its waitlist
    except AccountGone:
        return True
    offering, registrations = candidate.offering, candidate.registrations
    section = offering.section
    if not section.free_seats or section.status is not SectionStatus.ACTIVE:
        return False
    if not offering.term.promotes_waitlist(transaction.now):
        return False
    if not section.open_seats:  # others may be in a pool that has seats left
        await bump_version(transaction, entry.user_id, entry.key.term)  # as in a skip
        return True
    enrolled = (one for one in registrations if one.status == "enrolled")
    dropped = next((one for one in enrolled if one.courseID == entry.drop_if_enrolled), None)
    try:
        rules.check_promotion_holds(candidate.holds, transaction.now, is_swap=dropped is not None)
        rules.check_active(candidate.attributes)
        if dropped is not None and Override.REQUISITES not in entry.overrides:
            requisite_rules.check_dependents(
                dropped,
                offering.term,
                registrations,
                candidate.taken_courses,
                offering.course.courseID,
                candidate.attributes,
            )
        permitted = candidate.permitted(transaction.now, dropped)
        overrides = check_rules(candidate, transaction.now, dropped, overrides=entry.overrides, permitted=permitted)
    except Refused as refusal:
        reason = await with_course_names(transaction.db, refusal, transaction.session)
        await _skip(transaction, entry, offering, reason)
        return True
    try:
        used = permits.choose(candidate.permits, entry.key, overrides - entry.overrides, transaction.now)
        event = await take(transaction, entry.user_id, "promote", candidate, dropped, overrides, used)
    except SectionFull as error:  # it would be reported as a refusal to the student whose change led here
        raise RuntimeError(f"The seat of {entry.key} that was open in this transaction is gone.") from error
    transaction.promotions.append(event)
    await notices.add(transaction.db, Notice.of(event, offering.course.title), transaction.session)
    return True


async def _skip(transaction: SeatTransaction, entry: WaitlistEntry, offering: Offering, refusal: Refused) -> None:
    """Leave the entry in its place, and notify the student of the reason, once for each reason.

    The version is bumped each time: a change that removes the reason at this moment must try the entry again.
    """
    await bump_version(transaction, entry.user_id, entry.key.term)
    if entry.skipped_because == refusal.message:
        return
    await waitlist.record_skip(transaction.db, entry, refusal.message, transaction.session)
    event = await record_event(transaction, entry.user_id, "skip", entry.key, result=refusal.code)
    await notices.add(transaction.db, Notice.of(event, offering.course.title, refusal.message), transaction.session)


async def _find_admitted(transaction: SeatTransaction, section: Section, students: Sequence[int]) -> Sequence[int]:
    """Return those of the students to whom a seat is open."""
    if not section.pools or not section.free_seats:
        return students if section.open_seats else ()
    people = await users.find_many(transaction.db, students, transaction.session)
    return [one for one in students if one in people and section.seen_by(people[one].attributes).open_seats]


async def _send_alerts(transaction: SeatTransaction, key: SectionKey) -> None:
    """Notify the students with an alert for the section, if a seat is still open, and remove their alerts.

    A student who is enrolled there by now, is on the waitlist, or has just dropped this very seat gets no notice.
    """
    db, session = transaction.db, transaction.session
    hoping = await alerts.find_students(db, key, session)
    if not hoping:
        return
    try:
        offering = await find_offering(db, key, session)
    except (UnknownTerm, UnknownCourse, UnknownSection):
        return
    if not offering.term.is_open(transaction.now):
        return
    students = await _find_admitted(transaction, offering.section, hoping)
    if not students:
        return
    excluded = await enrollments.find_enrolled(db, key, students, session)
    excluded |= {entry.user_id for entry in await waitlist.find_by_section(db, key, session)}
    excluded |= {user_id for user_id, dropped in transaction.dropped_seats if dropped == key}
    about = key.courseID, offering.course.title, key.term, key.section
    messages = [Notice(transaction.now, user_id, "alert", *about) for user_id in students if user_id not in excluded]
    await alerts.remove_all(db, key, students, session)
    await notices.add_all(db, messages, session)
