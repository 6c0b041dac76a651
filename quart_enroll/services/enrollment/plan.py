"""The plan: the sections that a student collects before a term opens, and the rules that will refuse them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import plans, sections
from quart_enroll.domain import repeat_rules, requisite_rules, rules
from quart_enroll.domain.errors import CreditLimit, NotPlanned, PlanFull, Refused, UnknownSection
from quart_enroll.domain.models import (
    Course,
    PlannedSection,
    Registration,
    SectionKey,
    SectionRequest,
    TakenCourse,
    Term,
)
from quart_enroll.domain.plan_fit import ANY_SECTION
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.i18n.language import Sentence
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_changes
from quart_enroll.services.enrollment.candidates import Offering, load_candidate
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction

MAX_PLANNED_COURSES = 15
"""Courses in a student's plan for one term."""


@dataclass(frozen=True, slots=True)
class PlanAddition:
    """A section in the plan; `is_new` is False if it was there already."""

    offering: Offering
    is_new: bool


@dataclass(frozen=True, slots=True)
class PlanPosition:
    """A planned course, and its position in a plan with that many courses, from 1."""

    course: Course
    term: Term
    position: int
    length: int


@metrics.count_change("plan_add")
async def add(context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime) -> PlanAddition:
    """Add the section at the end of the plan, or in the place of another section of its course.

    Raises UnknownCourse, UnknownTerm, UnknownSection, NotTaught, Closed, AlreadyEnrolled, PlanFull.
    """
    db = context.db
    key = (await resolve.find_section(db, user_id, request, now)).key

    async def body(session: Session) -> PlanAddition:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, key.term)
        candidate = await load_candidate(db, user_id, key, session)
        offering = candidate.offering
        if now >= offering.term.opens_at:
            rules.check_open(offering.term, now)
        enrolled = [one for one in candidate.registrations if one.status == "enrolled"]
        rules.check_not_enrolled(offering.term, offering.course, enrolled)
        planned = await plans.find_by_student(db, user_id, key.term, session)
        if key in [one.key for one in planned]:
            return PlanAddition(offering, is_new=False)
        if len(planned) >= MAX_PLANNED_COURSES and key.courseID not in [one.key.courseID for one in planned]:
            raise PlanFull(offering.term.term, MAX_PLANNED_COURSES)
        last_place = planned[-1].place if planned else 0
        addition = PlannedSection(key, last_place + 1, now)
        await plans.put(db, user_id, addition, session, expires_at=offering.term.withdraw_deadline)
        return PlanAddition(offering, is_new=True)

    return await context.locks.run([], body)


@metrics.count_change("plan_remove")
async def remove(db: Database, user_id: int, request: SectionRequest, now: datetime) -> tuple[Course, Term]:
    """Remove the course from the plan, but no other section than the requested one.

    Raises UnknownCourse, UnknownTerm, TermNeeded, NotPlanned.
    """
    course, term = await _resolve(db, user_id, request, now)
    if not await plans.remove_course(db, user_id, term.term, course.courseID, request.section):
        raise NotPlanned(_name(course, request.section), term.term)
    return course, term


@metrics.count_change("plan_alternatives")
async def set_alternatives(
    context: EnrollmentContext, user_id: int, request: SectionRequest, alternatives: Sequence[str], now: datetime
) -> tuple[Course, Term]:
    """Set the sections to take instead of the planned one, best first, as `PlannedSection` describes.

    Raises UnknownSection for one that the course doesn't have, and what `remove` raises.
    """
    db = context.db
    course, term = await _resolve(db, user_id, request, now)
    await _check_offered(db, course, term, alternatives)
    key = SectionKey(term.term, course.courseID, request.section)

    async def body(session: Session) -> None:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        if not await plans.set_alternatives(db, user_id, key, [*dict.fromkeys(alternatives)], session):
            raise NotPlanned(_name(course, request.section), term.term)

    await context.locks.run([], body)
    return course, term


@metrics.count_change("plan_move")
async def move(
    context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime, *, down: bool = False
) -> PlanPosition:
    """Exchange the course with the one above it, or with the one below.

    The first doesn't move up, and the last not down. Raises what `remove` raises.
    """
    db = context.db
    course, term = await _resolve(db, user_id, request, now)

    async def body(session: Session) -> PlanPosition:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        planned = await plans.find_by_student(db, user_id, term.term, session)
        place = _find_place(planned, course, request, term)
        new_place = min(place + 1, len(planned) - 1) if down else max(place - 1, 0)
        if new_place != place:
            await plans.swap_places(db, user_id, planned[place], planned[new_place], session)
        return PlanPosition(course, term, new_place + 1, len(planned))

    return await context.locks.run([], body)


@metrics.count_change("plan_edit")
async def edit(
    context: EnrollmentContext,
    user_id: int,
    request: SectionRequest,
    now: datetime,
    *,
    alternatives: Sequence[str] | None = None,
    position: int | None = None,
) -> Term:
    """Set the course's alternatives, its position in the plan from 1, or both; return the term.

    A position beyond the end is the last. Raises what `set_alternatives` raises.
    """
    db = context.db
    course, term = await _resolve(db, user_id, request, now)
    await _check_offered(db, course, term, alternatives or ())

    async def body(session: Session) -> Term:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        planned = await plans.find_by_student(db, user_id, term.term, session)
        found = planned.pop(_find_place(planned, course, request, term))
        if alternatives is not None:
            await plans.set_alternatives(db, user_id, found.key, [*dict.fromkeys(alternatives)], session)
        if position is not None:
            planned.insert(position - 1, found)
            await plans.set_order(db, user_id, planned, session)
        return term

    return await context.locks.run([], body)


async def _check_offered(db: Database, course: Course, term: Term, alternatives: Sequence[str]) -> None:
    """Raise UnknownSection for an alternative that the course doesn't have."""
    if not alternatives:
        return
    offered = {one.section for one in await sections.find_all(db, [term.term], [course.courseID]) if one.is_listed}
    for number in alternatives:
        if number not in offered | {ANY_SECTION}:
            raise UnknownSection(course.title, number, term.term)


def _find_place(planned: Sequence[PlannedSection], course: Course, request: SectionRequest, term: Term) -> int:
    """Return the place of the course in the plan; raise NotPlanned if it or the requested section isn't there."""
    for place, one in enumerate(planned):
        if one.key.courseID == course.courseID and request.section in ("", one.key.section):
            return place
    raise NotPlanned(_name(course, request.section), term.term)


def _name(course: Course, section: str) -> str | Sentence:
    """Return the name of the section, or of the course if none is given."""
    return Sentence("%(title)s, section %(section)s", title=course.title, section=section) if section else course.title


async def _resolve(db: Database, user_id: int, request: SectionRequest, now: datetime) -> tuple[Course, Term]:
    course = await resolve.find_course(db, request)
    planned_terms = await plans.find_terms(db, user_id, request.courseID)
    term = await resolve.find_term(db, request, course.title, planned_terms, now)
    if term is None:
        raise NotPlanned(course.title)
    return course, term


def find_problems(
    offerings: Sequence[Offering],
    enrolled: Sequence[Registration],
    taken: Sequence[TakenCourse],
    attributes: StudentAttributes,
) -> list[list[Sentence]]:
    """Return, for each planned section, the reasons why the student can't enroll in it.

    Each is checked against the courses in which the student is `enrolled` and the plan. Nothing is said twice: a time
    conflict counts for the later of two planned sections, and too many credits for the first course over the limit.
    `taken` are the courses of earlier terms.
    """
    planned = [Registration(one.course, one.section, "enrolled") for one in offerings]
    enrolled_courses = {one.courseID for one in enrolled}
    before = list(enrolled)
    problems = []
    for offering, one in zip(offerings, planned, strict=True):
        if one.courseID in enrolled_courses:
            problems.append(list[Sentence]())
            continue
        others = [other for other in planned if other is not one and other.courseID not in enrolled_courses]
        problems.append(list(_find_problems(offering.term, one, [*enrolled, *others], before, taken, attributes)))
        before.append(one)
    return problems


def _find_problems(
    term: Term,
    planned: Registration,
    others: Sequence[Registration],
    before: Sequence[Registration],
    taken: Sequence[TakenCourse],
    attributes: StudentAttributes,
) -> Iterator[Sentence]:
    course = planned.course
    overlapping = [other for other in before if rules.overlap(planned.section, other.section)]
    credits_before = sum(one.course.credits for one in before)
    checks: list[Callable[[], None]] = [
        *(partial(rules.check_times, course, planned.section, [other]) for other in overlapping),
        partial(rules.check_status, course, planned.section),
        partial(rules.check_restrictions, course, planned.section, attributes),
        partial(repeat_rules.check, course, term, taken),
        partial(rules.check_consent, course, planned.section),
        partial(requisite_rules.check_prerequisites, course, term, taken, others, attributes=attributes),
        partial(requisite_rules.check_corequisites, course, term, others, taken),
        partial(rules.check_credits, term, course, before),
    ]
    for check in checks:
        try:
            check()
        except CreditLimit:
            if round(credits_before, 2) <= term.max_credits:
                yield Sentence(
                    "%(title)s takes your plan over the limit of %(limit)s credits.",
                    title=course.title,
                    limit=term.max_credits,
                )
        except Refused as refusal:
            yield refusal.message
