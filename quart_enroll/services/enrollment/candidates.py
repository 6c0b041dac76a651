"""Candidates for a seat: the facts about a student and a section that the rules need, and the rules on them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses
from quart_enroll.db.queries import section_facts
from quart_enroll.db.queries.section_facts import SectionFacts, StudentRecord
from quart_enroll.domain import appointments, permits, pools, requisite_rules, requisites, restrictions, rules
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.errors import (
    AccountGone,
    CorequisiteMissing,
    PrerequisiteMissing,
    Refused,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
)
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import Course, Registration, Section, SectionKey, TakenCourse, Term, WaitlistEntry
from quart_enroll.domain.permits import Permit
from quart_enroll.domain.rules import Rule
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes


@dataclass(frozen=True, slots=True)
class Offering:
    """A section with its course and its term."""

    term: Term
    course: Course
    section: Section

    @property
    def key(self) -> SectionKey:
        return self.section.key


@dataclass(frozen=True, slots=True)
class Candidate:
    """A student who wants a seat in an offering, whose section is as the student sees it (`Section.seen_by`).

    `registrations` are those of the offering's term, `waitlist_entries` those of all terms, and `waited_courses` their
    courses. `taken_courses` are the courses that the student takes or took in any term, as far as one of all these
    courses requires them or limits repeats; equivalent courses are `counted_as` required ones. `holds` are those that
    haven't been lifted, `permits` those for the term that weren't revoked, and `appointment` is the one for the term.
    """

    offering: Offering
    registrations: list[Registration]
    waitlist_entries: list[WaitlistEntry]
    waited_courses: list[Course]
    taken_courses: list[TakenCourse]
    holds: Sequence[Hold] = ()
    permits: Sequence[Permit] = ()
    attributes: StudentAttributes = NO_ATTRIBUTES
    appointment: Appointment | None = None
    counted_as: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def permitted(self, now: datetime, dropped: Registration | None = None) -> frozenset[Override]:
        """Return what the student's permits set aside for a seat, in exchange for the `dropped` one if it is given."""
        if not self.permits:
            return NO_OVERRIDES
        staying = [one.section for one in self.registrations if one.status == "enrolled" and one != dropped]
        return permits.permitted(permits.in_effect(self.permits, now), self.offering.section, staying)

    def is_admitted(self, section: Section, now: datetime) -> bool:
        """Return whether the section's own restriction admits the student, who has the consent that it needs.

        Permits count.
        """
        needed = {Override.RESTRICTION} if restrictions.unmet(section.restriction, self.attributes) else set()
        needed |= {Override.CONSENT} if section.needs_consent else set()
        return not needed or needed <= self.with_section(section).permitted(now)

    def has_seat(self, now: datetime, dropped: Registration | None = None) -> bool:
        """Return whether a seat is open to the student, or a permit gives one when none is."""
        return self.offering.section.open_seats > 0 or self.seat_override in self.permitted(now, dropped)

    @property
    def seat_override(self) -> Override:
        """What must be set aside for a seat when none is open to the student."""
        return Override.RESERVED_SEATS if self.offering.section.free_seats else Override.FULL

    def find_pool(self, overrides: Collection[Override] = NO_OVERRIDES) -> str | None:
        """Return the name of the pool to which an open seat for the student belongs; empty for an unreserved one.

        None means that pools don't matter: the section has none, or the `overrides` set them aside.
        """
        section = self.offering.section
        if not section.pools or Override.RESERVED_SEATS in overrides:
            return None
        return pools.choose(section.pools, self.attributes)

    def own_term(self, now: datetime) -> Term:
        """Return the term with the student's own credit limit."""
        return appointments.with_own_limit(self.offering.term, self.appointment, now)

    def with_section(self, section: Section) -> "Candidate":
        """Return the candidate for another section of the course, or for the same one in another state."""
        return replace(self, offering=replace(self.offering, section=section.seen_by(self.attributes)))

    def may_unblock(self, courseID: str) -> bool:
        """Return whether a seat in the course may let the student into another one, for which the student waits."""
        names = {courseID, *self.counted_as.get(courseID, ())}
        return not all(
            names.isdisjoint((*course.prerequisite_courses, *course.corequisites)) for course in self.waited_courses
        )

    @property
    def is_enrolled(self) -> bool:
        """Whether the student is enrolled in the course already, in any section."""
        courseID = self.offering.course.courseID
        return any(one.courseID == courseID and one.status == "enrolled" for one in self.registrations)

    @property
    def waitlist_entry(self) -> WaitlistEntry | None:
        """The student's entry for any section of this course in this term."""
        course = self.offering.key.term, self.offering.key.courseID
        return next((entry for entry in self.waitlist_entries if (entry.key.term, entry.key.courseID) == course), None)

    @property
    def waitlisted_courses(self) -> list[str]:
        """The courses for which the student is on a waitlist in this term."""
        return [entry.key.courseID for entry in self.waitlist_entries if entry.key.term == self.offering.key.term]


async def find_offering(db: Database, key: SectionKey, session: Session | None = None) -> Offering:
    """Return the section with its course and term; raise UnknownTerm, UnknownCourse or UnknownSection."""
    return _offering(key, await section_facts.find(db, key, session))


async def load_candidate(db: Database, user_id: int, key: SectionKey, session: Session | None = None) -> Candidate:
    """Return all facts that the rules need; raise AccountGone or what `find_offering` raises.

    Nothing stops the student from changing something else at the same time until the transaction writes the schedule
    (`bump_version`, which `take` calls too): if anything has changed since then, the transaction runs again.
    """
    [candidate] = await load_candidates(db, [(user_id, key)], session)
    if isinstance(candidate, Refused):
        raise candidate
    return candidate


async def load_candidates(
    db: Database, wanted: Sequence[tuple[int, SectionKey]], session: Session | None
) -> list[Candidate | Refused]:
    """Return, for each pair of student and section, the candidate or the refusal that `load_candidate` would raise."""
    found = await section_facts.find_for_all(db, wanted, session)
    return [_candidate(key, *facts) for (_, key), facts in zip(wanted, found, strict=True)]


def _candidate(key: SectionKey, found: SectionFacts, student: StudentRecord) -> Candidate | Refused:
    if student.is_closed:
        return AccountGone()
    try:
        offering = _offering(key, found)
        if offering.section.pools:
            offering = replace(offering, section=offering.section.seen_by(student.attributes))
        return Candidate(
            offering,
            student.registrations,
            student.waitlist_entries,
            student.waited_courses,
            student.taken_courses,
            student.holds,
            student.permits,
            student.attributes,
            student.appointment,
            student.counted_as,
        )
    except (UnknownTerm, UnknownCourse, UnknownSection) as refusal:
        return refusal


def _offering(key: SectionKey, found: SectionFacts) -> Offering:
    if found.term is None:
        raise UnknownTerm(key.term, [])
    if found.course is None:
        raise UnknownCourse(key.courseID)
    if found.section is None or not found.section.is_listed:
        raise UnknownSection(found.course.title, key.section, key.term)
    return Offering(found.term, found.course, found.section)


def check_can_enroll(
    candidate: Candidate,
    now: datetime,
    together_with: Collection[str] = (),
    *,
    change: HoldBlock = HoldBlock.ENROLL,
) -> frozenset[Override]:
    """Raise the first reason against a seat in the section now, whether it is open or full; AlreadyEnrolled first.

    The `change` is what a hold would have to block. Returns what the student's permits set aside for it.
    """
    offering = candidate.offering
    rules.check_not_enrolled(offering.term, offering.course, candidate.registrations)
    checks = enrollment_checks(candidate, now, together_with=together_with, change=change)
    return rules.check_all(checks, permitted=candidate.permitted(now))


def enrollment_checks(
    candidate: Candidate,
    now: datetime,
    dropped: Registration | None = None,
    together_with: Collection[str] = (),
    *,
    change: HoldBlock = HoldBlock.ENROLL,
) -> rules.Checks:
    """Yield the rules for enrolling in the section now, except that a seat must be open.

    The `change` is what a hold would have to block; the other arguments are those of `check_rules`.
    """
    term, course = candidate.offering.term, candidate.offering.course
    yield from rules.hold_checks(candidate.holds, now, change)
    yield from rules.status_checks(candidate.attributes)
    yield Rule.DATES, partial(rules.check_open, term, now)
    yield from rules.appointment_checks(term, candidate.appointment, now)
    if dropped is not None:
        facts = dropped, term, candidate.registrations, candidate.taken_courses, course.courseID, candidate.attributes
        yield Rule.DEPENDENTS, partial(requisite_rules.check_dependents, *facts)
    yield from _eligibility_checks(candidate, now, dropped, together_with)


def check_rules(
    candidate: Candidate,
    now: datetime,
    dropped: Registration | None = None,
    together_with: Collection[str] = (),
    overrides: Collection[Override] = NO_OVERRIDES,
    permitted: Collection[Override] = NO_OVERRIDES,
) -> frozenset[Override]:
    """Raise the first reason against a seat in the section, in exchange for the `dropped` one if it is given.

    The courses `together_with` count as corequisites, besides the courses that the student has. Returns the overrides
    that were needed, and those that permits have `permitted`.
    """
    return rules.check_all(_eligibility_checks(candidate, now, dropped, together_with), overrides, permitted)


def _eligibility_checks(
    candidate: Candidate, now: datetime, dropped: Registration | None, together_with: Collection[str]
) -> rules.Checks:
    return rules.eligibility_checks(
        candidate.own_term(now),
        candidate.offering.course,
        candidate.offering.section,
        candidate.registrations,
        candidate.taken_courses,
        [dropped] if dropped else [],
        together_with,
        candidate.attributes,
    )


async def with_course_names(db: Database, refusal: Refused, session: Session | None = None) -> Refused:
    """Return the refusal with names for courses of which it has only the numbers."""
    [named] = await all_with_course_names(db, [refusal], session)
    return named


async def all_with_course_names(db: Database, refusals: Sequence[Refused], session: Session | None) -> list[Refused]:
    """Return the refusals, each as `with_course_names` does."""
    missing = {name for one in refusals if isinstance(one, _MISSING_REQUISITES) for name in _courses_in(one)}
    if not missing:
        return list(refusals)
    names = dict(zip(missing, await courses.find_names(db, [*missing], session), strict=True))
    return [
        CorequisiteMissing(one.title, one.missing, [names[name] for name in one.missing])
        if isinstance(one, CorequisiteMissing)
        else PrerequisiteMissing(
            one.title,
            one.missing,
            [requisites.named(part, names) for part in one.missing],
            needs_grade=one.needs_grade,
        )
        if isinstance(one, PrerequisiteMissing)
        else one
        for one in refusals
    ]


def _courses_in(refusal: PrerequisiteMissing | CorequisiteMissing) -> list[str]:
    return [name for part in refusal.missing for name in requisites.courses_in(part)]


_MISSING_REQUISITES = PrerequisiteMissing, CorequisiteMissing
