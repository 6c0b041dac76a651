"""The rules of enrolling and dropping: pure functions that raise a refusal.

`taken_courses` are the courses in which a student is enrolled in any term.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TypeAlias

from quart_enroll.domain import appointments, repeat_rules, restrictions
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    Closed,
    ConsentRequired,
    CreditLimit,
    DropDeadlinePassed,
    NotActive,
    NotOpenYet,
    OnHold,
    Refused,
    Restricted,
    SeatsReserved,
    SectionClosed,
    SectionFull,
    TimeConflict,
    WithdrawalDeadlinePassed,
)
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import (
    Course,
    Meeting,
    Registration,
    Section,
    SectionStatus,
    TakenCourse,
    Term,
)
from quart_enroll.domain.moments import localized_deadline, localized_moment
from quart_enroll.domain.requisite_rules import check_corequisites, check_prerequisites
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.i18n.language import Sentence


class Rule(Enum):
    """The rules for changes of a student's seats and waitlists, in the words of staff."""

    NOT_ENROLLED = Sentence("Not already enrolled in the course")
    HOLDS = Sentence("No hold blocks it")
    ACTIVE = Sentence("The student is active")
    DATES = Sentence("Enrollment is open")
    APPOINTMENT = Sentence("The enrollment appointment has begun and hasn’t ended")
    STATUS = Sentence("The section is open to new students")
    RESTRICTIONS = Sentence("No restriction excludes the student")
    REPEATS = Sentence("The student has attempts left")
    CONSENT = Sentence("The student has the required consent")
    TIMES = Sentence("No time conflict")
    CREDITS = Sentence("Within the credit limit")
    PREREQUISITES = Sentence("Prerequisites met")
    COREQUISITES = Sentence("Corequisites taken or on the schedule")
    SEAT = Sentence("A seat is open")
    NOT_WAITING = Sentence("Not already on the waitlist")
    WAITLIST = Sentence("The waitlist has room")
    DEPENDENTS = Sentence("No other course requires the dropped course")
    DROP_DATES = Sentence("The deadline to drop or withdraw hasn’t passed")


Checks: TypeAlias = Iterable[tuple[Rule, Callable[[], None]]]
"""Rules in the order in which they are checked, each with a function that raises its refusal."""


def check_all(
    checks: Checks, overrides: Collection[Override] = NO_OVERRIDES, permitted: Collection[Override] = NO_OVERRIDES
) -> frozenset[Override]:
    """Raise the first refusal that none of the overrides allows; return the overrides that were needed.

    Those that permits have `permitted` concern the course to enroll in, so they allow no drop.
    """
    needed = set()
    for rule, check in checks:
        try:
            check()
        except Refused as refusal:
            override = refusal.override
            if override is None or (override not in overrides and not _is_permitted(rule, refusal, permitted)):
                raise
            needed.add(override)
    return frozenset(needed)


def _is_permitted(rule: Rule, refusal: Refused, permitted: Collection[Override]) -> bool:
    return rule is not Rule.DEPENDENTS and refusal.override in permitted


def find_refusals(checks: Checks, permitted: Collection[Override] = NO_OVERRIDES) -> dict[Rule, Refused | None]:
    """Return how each rule applies: with a refusal, or None if it is met or a permit sets it aside."""
    found: dict[Rule, Refused | None] = {}
    for rule, check in checks:
        try:
            check()
        except Refused as refusal:
            found[rule] = found.get(rule) or (None if _is_permitted(rule, refusal, permitted) else refusal)
        else:
            found.setdefault(rule, None)
    return found


def check_open(term: Term, now: datetime) -> None:
    """Raise NotOpenYet or Closed outside the enrollment window."""
    if now < term.opens_at:
        raise NotOpenYet(term.term, localized_moment(term, term.opens_at))
    if not term.is_open(now):
        raise Closed(term.term, localized_deadline(term, term.add_deadline))


def check_holds(holds: Iterable[Hold], changes: Collection[HoldBlock], now: datetime) -> None:
    """Raise OnHold if one of the student's holds blocks one of these changes now."""
    for hold in holds:
        if hold.blocks_any(changes, now):
            raise OnHold(hold)


def check_promotion_holds(holds: Iterable[Hold], now: datetime, *, is_swap: bool) -> None:
    """Raise OnHold if a hold keeps a student from a seat that has opened; a swap gives up another course for it."""
    check_holds(holds, (HoldBlock.ENROLL, HoldBlock.SWAP) if is_swap else (HoldBlock.ENROLL,), now)


def appointment_checks(term: Term, appointment: Appointment | None, now: datetime) -> Checks:
    """Yield the rule for appointments; nothing while none matters, so that schools without them see no rule."""
    if appointments.matter(term, appointment, now):
        yield Rule.APPOINTMENT, partial(appointments.check, term, appointment, now)


def hold_checks(holds: Collection[Hold], now: datetime, *changes: HoldBlock) -> Checks:
    """Yield the rule for holds; nothing for a student without one, so that schools without holds see no rule."""
    if holds:
        yield Rule.HOLDS, partial(check_holds, holds, changes, now)


def check_active(attributes: StudentAttributes) -> None:
    """Raise NotActive unless the student may enroll by status."""
    if not attributes.is_active:
        raise NotActive(attributes.status)


def status_checks(attributes: StudentAttributes) -> Checks:
    """Yield the rule for the status; nothing for a student without attributes, as `hold_checks` does."""
    if attributes != NO_ATTRIBUTES:
        yield Rule.ACTIVE, partial(check_active, attributes)


def check_drop(term: Term, course: Course, now: datetime, *, withdraw: bool) -> None:
    """Raise WithdrawalDeadlinePassed or DropDeadlinePassed if it is too late to withdraw from the course or drop it."""
    if withdraw and now >= term.withdraw_deadline:
        raise WithdrawalDeadlinePassed(course.title, localized_deadline(term, term.withdraw_deadline))
    if not withdraw and now >= term.drop_deadline:
        raise DropDeadlinePassed(course.title, localized_deadline(term, term.drop_deadline))


def is_withdrawal(term: Term, now: datetime) -> bool:
    """Return whether a course that is dropped now stays on the schedule as withdrawn."""
    return now >= term.drop_deadline


def check_not_enrolled(term: Term, course: Course, registrations: Iterable[Registration]) -> None:
    """Raise AlreadyEnrolled if the student is enrolled in the course.

    It is checked before the enrollment window, so that a request repeated after the deadline still reports success.
    """
    if any(one.courseID == course.courseID and one.status == "enrolled" for one in registrations):
        raise AlreadyEnrolled(course.title, term.term)


def check_fits(term: Term, course: Course, section: Section, registrations: Iterable[Registration]) -> None:
    """Raise AlreadyEnrolled, SectionClosed, TimeConflict or CreditLimit if the student can't have the section."""
    enrolled = [one for one in registrations if one.status == "enrolled"]
    check_not_enrolled(term, course, enrolled)
    check_status(course, section)
    check_times(course, section, enrolled)
    check_credits(term, course, enrolled)


def check_status(course: Course, section: Section) -> None:
    """Raise SectionClosed unless the section takes new students."""
    if section.status is not SectionStatus.ACTIVE:
        raise SectionClosed(course.title, section.section)


def check_restrictions(course: Course, section: Section, attributes: StudentAttributes) -> None:
    """Raise Restricted if the course or the section doesn't admit students with these attributes."""
    if unmet := restrictions.unmet(course.restriction, attributes):
        raise Restricted(course.title, unmet)
    if unmet := restrictions.unmet(section.restriction, attributes):
        name = Sentence("%(title)s, section %(section)s", title=course.title, section=section.section)
        raise Restricted(name, unmet)


def check_consent(course: Course, section: Section) -> None:
    """Raise ConsentRequired if the section needs consent, which only a permit or another override can give."""
    if section.needs_consent:
        raise ConsentRequired(course.title, section)


def check_times(course: Course, section: Section, enrolled: Iterable[Registration]) -> None:
    """Raise TimeConflict with all courses that overlap the section."""
    clashes = [(one.course.title, when.when) for one in enrolled if (when := overlap(section, one.section))]
    if clashes:
        raise TimeConflict(course.title, clashes)


def check_credits(term: Term, course: Course, enrolled: Iterable[Registration]) -> None:
    """Raise CreditLimit if the course would exceed the term's credit limit."""
    has = sum(one.course.credits for one in enrolled)
    if round(has + course.credits, 2) > term.max_credits:  # credits have two decimals at most
        raise CreditLimit(course.title, adds=course.credits, has=has, limit=term.max_credits)


def check_seat(course: Course, section: Section) -> None:
    """Raise SectionFull if every seat is taken, or SeatsReserved if pools keep those that are left for others."""
    if not section.available_seats:
        raise full_refusal(course, section)


def full_refusal(
    course: Course, section: Section, *, can_wait: bool = False, others: Sequence[str] = ()
) -> SectionFull:
    """Return the refusal of a section in which no seat is open to the student."""
    refusal = SeatsReserved if section.free_seats else SectionFull
    return refusal(course.title, section.section, can_wait=can_wait, others=others)


def eligibility_checks(
    term: Term,
    course: Course,
    section: Section,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    dropped: Collection[Registration] = (),
    together_with: Collection[str] = (),
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> Checks:
    """Yield the rules for the section, in exchange for the courses `dropped`.

    The courses `together_with` count as courses of this term. A swap within a course requires no corequisites and isn't
    a new attempt, because the course stays.
    """
    staying = [one for one in registrations if one.status == "enrolled" and one not in dropped]
    is_new = all(one.courseID != course.courseID for one in dropped)
    yield Rule.NOT_ENROLLED, partial(check_not_enrolled, term, course, staying)
    yield Rule.STATUS, partial(check_status, course, section)
    if course.restriction or section.restriction:
        yield Rule.RESTRICTIONS, partial(check_restrictions, course, section, attributes)
    if is_new and course.max_attempts:
        yield Rule.REPEATS, partial(repeat_rules.check, course, term, taken_courses)
    if section.needs_consent:
        yield Rule.CONSENT, partial(check_consent, course, section)
    yield Rule.TIMES, partial(check_times, course, section, staying)
    yield Rule.CREDITS, partial(check_credits, term, course, staying)
    facts = course, term, taken_courses, staying, together_with, attributes
    yield Rule.PREREQUISITES, partial(check_prerequisites, *facts)
    if is_new:
        yield Rule.COREQUISITES, partial(check_corequisites, course, term, staying, taken_courses, together_with)


def overlap(one: Section, other: Section) -> Meeting | None:
    """Return the first time at which both sections meet, or None."""
    for meeting in one.meetings:
        for theirs in other.meetings:
            if meeting.overlaps(theirs):
                days = "".join(day for day in meeting.days if day in theirs.days)
                return Meeting(days, max(meeting.start, theirs.start), min(meeting.end, theirs.end))
    return None


def fits(
    term: Term,
    course: Course,
    section: Section,
    registrations: Iterable[Registration],
    attributes: StudentAttributes | None = None,
) -> bool:
    """Return whether the section fits the student's schedule, and admits a student with the attributes, if given.

    One that needs consent doesn't fit.
    """
    try:
        check_consent(course, section)
        if attributes is not None:
            check_restrictions(course, section, attributes)
        check_fits(term, course, section, registrations)
    except Refused:
        return False
    return True
