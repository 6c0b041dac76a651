"""Re-fits a plan: chooses other sections where planned ones are full, canceled, or in conflict with each other."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from quart_enroll.domain import requisite_rules
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import (
    Consent,
    Course,
    PlannedSection,
    Registration,
    Section,
    SectionKey,
    SectionStatus,
    TakenCourse,
    WaitlistEntry,
)
from quart_enroll.domain.permits import Permit
from quart_enroll.domain.plan_fit import PlanFit, accepted_sections
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.services.enrollment.candidates import Candidate, Offering, check_can_enroll
from quart_enroll.services.enrollment.plan_order import group_by_needs

Group: TypeAlias = "Sequence[tuple[SectionKey, Candidate | Refused]]"
"""Planned sections that are taken together or not at all, with their candidates or why there are none."""


def refit(
    planned: Sequence[tuple[PlannedSection, Offering]],
    offered: Callable[[SectionKey], Sequence[Section]],
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    attributes: StudentAttributes,
    granted: Sequence[Permit],
    now: datetime,
) -> dict[SectionKey, Section]:
    """Return the other sections that a plan would take if its student enrolled now, by the planned ones.

    Permits that are `granted` set rules aside. `offered` returns all sections of the planned section's course in its
    term. The student is supposed to be allowed to enroll `now`, whatever appointments say.
    """
    if not any(one.alternatives for one, _ in planned):
        return {}
    facts = list(registrations), list[WaitlistEntry](), list[Course](), list(taken_courses)
    candidates = {
        one.key.courseID: (
            one.key,
            Candidate(_without_appointments(offering), *facts, permits=granted, attributes=attributes),
        )
        for one, offering in planned
    }
    needs = {courseID: needed_in_plan(one, candidates) for courseID, (_, one) in candidates.items()}
    groups = [[candidates[courseID] for courseID in group] for group in group_by_needs(needs)]
    accepted = {one.key: accepted_sections(one, offered(one.key)) for one, _ in planned if one.alternatives}
    chosen = choose_sections(groups, accepted, now)
    return {key: section for key, section in chosen.items() if section.key != key}


def _without_appointments(offering: Offering) -> Offering:
    return replace(offering, term=replace(offering.term, open_enrollment_at=None))


def needed_in_plan(candidate: Candidate, planned: Container[str]) -> list[str]:
    """Return the planned courses that the course needs: missing corequisites, and what may meet its prerequisites."""
    course, term = candidate.offering.course, candidate.offering.term
    has = term, candidate.registrations, candidate.taken_courses
    missing = requisite_rules.missing_corequisites(course, *has)
    if course.concurrent_courses and requisite_rules.missing_prerequisites(
        course, term, candidate.taken_courses, candidate.registrations, attributes=candidate.attributes
    ):
        missing += course.concurrent_courses
    return [courseID for courseID in dict.fromkeys(missing) if courseID in planned]


def choose_sections(
    groups: Iterable[Group], accepted: Mapping[SectionKey, Sequence[Section]], now: datetime
) -> dict[SectionKey, Section]:
    """Return the section to take for each planned one, as `domain/plan_fit.py` explains.

    `accepted` has the sections that the student accepts, best first, as they are now; a planned section without an
    entry has no alternatives. Courses that have no open seat, that don't fit in, or that other rules refuse are left
    out: they neither get a seat nor take up time.
    """
    fit: PlanFit | None = None
    added: list[Registration] = []
    fitting: list[SectionKey] = []
    for group in groups:
        new = {key: one for key, one in group if isinstance(one, Candidate) and not one.is_enrolled}
        if not new:
            continue
        candidates = [*new.values()]
        fit = fit or PlanFit(one.section for one in candidates[0].registrations if one.status == "enrolled")
        options = [accepted.get(key, [one.offering.section]) for key, one in new.items()]
        timeless = _eligible(candidates, added, now)
        open_sections = [_open_sections(one, sections, now) for one, sections in zip(candidates, options, strict=True)]
        if timeless and fit.add(open_sections):
            added += timeless
            fitting += new
    return dict(zip(fitting, fit.best(), strict=True)) if fit else {}


def _open_sections(candidate: Candidate, sections: Sequence[Section], now: datetime) -> list[tuple[int, Section]]:
    """Return the sections in which the student could have a seat, with their ranks."""
    return [
        (rank, section)
        for rank, section in enumerate(sections)
        if section.seen_by(candidate.attributes).open_seats and candidate.is_admitted(section, now)
    ]


def _eligible(group: Sequence[Candidate], added: Sequence[Registration], now: datetime) -> list[Registration]:
    """Return the courses as registrations without times, if no rule refuses them but those about sections."""
    courseIDs = [one.offering.course.courseID for one in group] if len(group) > 1 else []
    new: list[Registration] = []
    for one in group:
        section = replace(
            one.offering.section, meetings=(), status=SectionStatus.ACTIVE, restriction="", consent=Consent.NONE
        )
        candidate = replace(one.with_section(section), registrations=[*one.registrations, *added, *new])
        try:
            check_can_enroll(candidate, now, courseIDs)
        except Refused:
            return []
        new.append(Registration(one.offering.course, section, "enrolled"))
    return new
