"""Requests for consent: students make and withdraw them, staff decide. A request is a permit that isn't granted yet.

Each change writes the student's schedule first, so that of two at the same moment one sees the outcome of the other.
"""

from collections import Counter
from collections.abc import Collection, Sequence, Set
from dataclasses import replace
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, notices, permits, schedules, sections, terms, users
from quart_enroll.domain import rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.audit import About, AuditEntry
from quart_enroll.domain.errors import Closed, ConsentNotNeeded, OwnPermit, UnknownCourse, UnknownSection, UnknownTerm
from quart_enroll.domain.models import Consent, Course, Notice, Section, SectionKey, Term, User
from quart_enroll.domain.moments import localized_deadline
from quart_enroll.domain.permits import GIVES_CONSENT, Permit, PermitStatus, RecordedPermit
from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence, TermName, Value, join_sentences
from quart_enroll.services.enrollment.candidates import load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.seat_changes import SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats
from quart_enroll.services.staff import audit, named_records
from quart_enroll.services.staff.named_records import NamedRecord


async def find_requests(db: Database, key: SectionKey) -> list[NamedRecord[RecordedPermit]]:
    """Return the open requests for the section, the earliest first."""
    return await named_records.add_names(db, await permits.find_requested(db, {key}))


async def count_requests(db: Database, keys: Set[SectionKey]) -> Counter[SectionKey]:
    """Return how many open requests there are for each of these sections that has any."""
    return Counter(one.key for one in await permits.find_requested(db, keys)) if keys else Counter()


async def request(context: EnrollmentContext, user_id: int, key: SectionKey, message: str, now: datetime) -> None:
    """Request consent to enroll in the section, and notify those who decide; an open request stays as it is.

    Raises UnknownTerm, UnknownCourse, UnknownSection, AccountGone, Closed after the last day to enroll, NotActive,
    AlreadyEnrolled, SectionClosed, and ConsentNotNeeded.
    """

    async def body(transaction: SeatTransaction) -> None:
        db, session = transaction.db, transaction.session
        await schedules.bump_version(db, user_id, key.term, session)
        candidate = await load_candidate(db, user_id, key, session)
        term, course, section = candidate.offering.term, candidate.offering.course, candidate.offering.section
        _check_open(term, now)
        rules.check_active(candidate.attributes)
        rules.check_not_enrolled(term, course, candidate.registrations)
        rules.check_status(course, section)
        if not section.needs_consent or Override.CONSENT in candidate.permitted(now):
            raise ConsentNotNeeded(course.title, section.section)
        own = await permits.find_of_student(db, user_id, key.term, session)
        if any(one.status is PermitStatus.REQUESTED and one.key == key for one in own):
            return
        permit = Permit("", key.term, key.courseID, key.section, GIVES_CONSENT)
        status = PermitStatus.REQUESTED
        asked = RecordedPermit(permit, user_id, status, now, user_id, "", by_registrar=False, message=message)
        await permits.add(db, asked, session)
        await _record(transaction, "consent.request", user_id, key)
        text = Sentence(
            "A student requests consent to enroll in %(title)s, section %(section)s, for %(term)s.",
            **_where(course, key),
        )
        deciders = await _find_deciders(transaction, course, section)
        about = key.courseID, course.title, key.term, key.section
        asks = [Notice(now, one, "consent_requested", *about, because=text) for one in sorted(deciders - {user_id})]
        await notices.add_all(db, asks, session)

    await change_seats(context.locks, user_id, now, [], body)


async def withdraw(context: EnrollmentContext, user_id: int, key: SectionKey, now: datetime) -> bool:
    """Withdraw the student's request; return False if it is no longer open."""

    async def body(transaction: SeatTransaction) -> bool:
        db, session = transaction.db, transaction.session
        await schedules.bump_version(db, user_id, key.term, session)
        asked = Permit("", key.term, key.courseID, key.section, GIVES_CONSENT)
        if not await permits.remove_requests(db, user_id, asked, session):
            return False
        await _record(transaction, "consent.withdraw", user_id, key)
        return True

    return await change_seats(context.locks, user_id, now, [], body)


async def decide(
    context: EnrollmentContext,
    staff: User,
    key: SectionKey,
    permit_ids: Collection[str],
    reason: str,
    now: datetime,
    *,
    approve: bool,
) -> list[int]:
    """Give or decline the consent that these requests are for, and return the students, who are notified.

    Consent takes no seat, except that a waiting student is tried again. Requests that are no longer open are left out.
    Raises UnknownTerm, UnknownCourse, UnknownSection, Closed after the last day to enroll, and OwnPermit.
    """
    by_registrar = Role.REGISTRAR in staff.roles
    status = PermitStatus.GRANTED if approve else PermitStatus.DECLINED

    async def body(transaction: SeatTransaction) -> list[int]:
        db, session = transaction.db, transaction.session
        course, section = await _find_section(transaction, key)
        found = [await permits.find(db, one, session) for one in permit_ids]
        asked = [one for one in found if one and one.key == key and one.status is PermitStatus.REQUESTED]
        if any(one.user_id == staff.user_id for one in asked):
            raise OwnPermit
        decided = []
        for one in sorted(asked, key=lambda one: one.user_id):
            await schedules.bump_version(db, one.user_id, key.term, session)
            decision = replace(
                one, status=status, at=now, author=staff.user_id, reason=reason, by_registrar=by_registrar
            )
            if await permits.decide(db, decision, session):
                decided.append(one.user_id)
        for user_id in decided:
            await _record(transaction, "consent.give" if approve else "consent.decline", user_id, key, reason)
        message = _decision(course, section, reason, approve=approve)
        await notices.add_all(db, _notices(decided, course, key, message, now), session)
        if approve:
            transaction.unblocked_students.extend((user_id, key.term) for user_id in decided)
            await promote_waitlists(transaction)
        return decided

    return await change_seats(context.locks, staff.user_id, now, [], body)


async def close_requests(transaction: SeatTransaction, course: Course, key: SectionKey) -> None:
    """Close all open requests for a section that is canceled, and notify the students."""
    students = await permits.remove_all_requests(transaction.db, key, transaction.session)
    text = Sentence(
        "%(title)s, section %(section)s, for %(term)s was canceled, so your request for consent is closed.",
        **_where(course, key),
    )
    await notices.add_all(transaction.db, _notices(students, course, key, text, transaction.now), transaction.session)


async def _find_section(transaction: SeatTransaction, key: SectionKey) -> tuple[Course, Section]:
    db, session = transaction.db, transaction.session
    term, course = await terms.find(db, key.term, session), await courses.find(db, key.courseID, session)
    if term is None:
        raise UnknownTerm(key.term, [])
    if course is None:
        raise UnknownCourse(key.courseID)
    section = await sections.find(db, key, session)
    if section is None or not section.is_listed:
        raise UnknownSection(course.title, key.section, key.term)
    _check_open(term, transaction.now)
    return course, section


def _check_open(term: Term, now: datetime) -> None:
    if now >= term.add_deadline:
        raise Closed(term.term, localized_deadline(term, term.add_deadline))


async def _find_deciders(transaction: SeatTransaction, course: Course, section: Section) -> set[int]:
    """Return the section's instructors; if it has none, or for the department, the schedulers or the registrars."""
    if section.consent is Consent.INSTRUCTOR and section.instructors:
        return set(section.instructors)
    schedulers = await users.find_schedulers(transaction.db, course.subject, transaction.session)
    return schedulers or await users.find_registrars(transaction.db, transaction.session)


def _decision(course: Course, section: Section, reason: str, *, approve: bool) -> Sentence:
    where = _where(course, section.key)
    text = (
        Sentence(
            "You have consent to enroll in %(title)s, section %(section)s, for %(term)s. It doesn’t hold a seat: you "
            "still need to enroll.",
            **where,
        )
        if approve
        else Sentence(
            "Your request for consent to enroll in %(title)s, section %(section)s, for %(term)s was declined.", **where
        )
    )
    return join_sentences([text, *([Sentence("Reason: %(reason)s", reason=reason)] if reason else [])])


def _where(course: Course, key: SectionKey) -> dict[str, Value]:
    return {"title": course.title, "section": key.section, "term": TermName(key.term)}


def _notices(students: Sequence[int], course: Course, key: SectionKey, text: Sentence, now: datetime) -> list[Notice]:
    about = key.courseID, course.title, key.term, key.section
    return [Notice(now, user_id, "consent", *about, because=text) for user_id in students]


async def _record(transaction: SeatTransaction, action: str, user_id: int, key: SectionKey, reason: str = "") -> None:
    about = About("section", key.term, key.courseID, key.section)
    entry = AuditEntry(transaction.now, transaction.actor, action, about, user_id, reason)
    await audit.record(transaction.db, transaction.session, entry)
