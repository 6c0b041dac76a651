"""Every rule for a change of a student's seats, in the order in which they are checked: pure functions of the facts.

A change checks them in its transaction; "why can't this student enroll?" and the forms of staff list them.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from quart_enroll.domain import requisite_rules, rules
from quart_enroll.domain.errors import AlreadyWaiting, Refused, WaitlistClosed, WaitlistFull
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import Registration, TakenCourse, Term
from quart_enroll.domain.rules import Checks, Rule
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.services.enrollment.candidates import Candidate, enrollment_checks


def explain(candidate: Candidate, now: datetime) -> dict[Rule, Refused | None]:
    """Return how each rule applies to enrolling in the section now: the first refusal is what the student reads.

    A student on the waitlist of a full section reads AlreadyWaiting instead (`refusals.section_full`).
    """
    return rules.find_refusals(enroll_checks(candidate, now), candidate.permitted(now))


def enroll_checks(candidate: Candidate, now: datetime) -> Checks:
    """Yield the rules for enrolling."""
    yield from _not_enrolled(candidate)
    yield from enrollment_checks(candidate, now)
    yield from _seat_open(candidate)


def swap_checks(candidate: Candidate, dropped: Registration, now: datetime) -> Checks:
    """Yield the rules for enrolling in exchange for the course `dropped`."""
    yield from enrollment_checks(candidate, now, dropped, change=HoldBlock.SWAP)
    offering = candidate.offering
    if dropped.courseID != offering.course.courseID:
        withdraw = rules.is_withdrawal(offering.term, now)
        check = partial(rules.check_drop, offering.term, dropped.course, now, withdraw=withdraw)
        yield Rule.DROP_DATES, check
    yield from _seat_open(candidate)


def join_checks(candidate: Candidate, dropped: Registration | None, now: datetime) -> Checks:
    """Yield the rules for joining the waitlist, or for a seat if the student can have one; `dropped` goes with it."""
    yield Rule.NOT_WAITING, partial(_check_not_waiting, candidate)
    yield from _not_enrolled(candidate, dropped)
    if candidate.has_seat(now, dropped):
        if dropped is not None:
            yield from swap_checks(candidate, dropped, now)
        else:
            yield from enrollment_checks(candidate, now)
            yield from _seat_open(candidate)
        return
    together_with = candidate.waitlisted_courses
    yield from enrollment_checks(candidate, now, dropped, together_with, change=HoldBlock.WAITLIST)
    yield Rule.WAITLIST, partial(_check_place, candidate, now)


def drop_checks(
    registration: Registration,
    term: Term,
    registrations: Sequence[Registration],
    taken_courses: Sequence[TakenCourse],
    attributes: StudentAttributes,
    now: datetime,
    *,
    withdraw: bool,
    holds: Sequence[Hold],
) -> Checks:
    """Yield the rules for dropping a course alone, or withdrawing from it."""
    yield from rules.hold_checks(holds, now, HoldBlock.DROP)
    facts = registration, term, registrations, taken_courses
    yield Rule.DEPENDENTS, partial(requisite_rules.check_dependents, *facts, attributes=attributes)
    yield Rule.DROP_DATES, partial(rules.check_drop, term, registration.course, now, withdraw=withdraw)


def _not_enrolled(candidate: Candidate, dropped: Registration | None = None) -> Checks:
    offering, staying = candidate.offering, [one for one in candidate.registrations if one is not dropped]
    yield Rule.NOT_ENROLLED, partial(rules.check_not_enrolled, offering.term, offering.course, staying)


def _seat_open(candidate: Candidate) -> Checks:
    yield Rule.SEAT, partial(rules.check_seat, candidate.offering.course, candidate.offering.section)


def _check_not_waiting(candidate: Candidate) -> None:
    if candidate.waitlist_entry is not None:
        raise AlreadyWaiting(candidate.offering.course.title, candidate.waitlist_entry.key.section)


def _check_place(candidate: Candidate, now: datetime) -> None:
    """Raise WaitlistClosed if students are no longer promoted, or WaitlistFull."""
    offering = candidate.offering
    if not offering.term.promotes_waitlist(now):
        raise WaitlistClosed(offering.course.title)
    if offering.section.waiting >= offering.section.waitlist_capacity:
        raise WaitlistFull(offering.course.title, offering.section.section)
