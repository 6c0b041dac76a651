"""Resolve a student's request: which section, which term, and which registration a swap drops."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, users
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.db.queries import section_facts
from quart_enroll.domain import requisite_rules, rules, terms
from quart_enroll.domain.catalog import Catalog, pick_section
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    NotEnrolled,
    NoTerms,
    Refused,
    TermNeeded,
    UnknownCourse,
    UnknownSection,
)
from quart_enroll.domain.models import Course, Registration, SectionKey, SectionRequest, TakenCourse, Term
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.services.enrollment.candidates import Offering


class OwnCourse(NamedTuple):
    """A course, all terms, and the sections of the course in which a student is enrolled or waits, in any term."""

    course: Course
    known_terms: list[Term]
    enrolled: list[SectionKey]
    waitlisted: list[SectionKey]


async def find_course(db: Database, request: SectionRequest) -> Course:
    """Return the requested course; raise UnknownCourse."""
    course = await courses.find(db, request.courseID)
    if course is None:
        raise UnknownCourse(request.courseID)
    return course


async def find_own_course(db: Database, user_id: int, request: SectionRequest) -> OwnCourse:
    """Return the requested course and what the student has of it, in a single query; raise UnknownCourse."""
    course, known_terms, enrolled, waitlisted = await section_facts.find_own_course(db, user_id, request.courseID)
    if course is None:
        raise UnknownCourse(request.courseID)
    return OwnCourse(course, known_terms, enrolled, waitlisted)


async def find_options(
    db: Database, user_id: int, request: SectionRequest, now: datetime, dropped: str | None = None
) -> list[Offering]:
    """Return the sections to try in turn: the requested one, else those with an open seat that fit, by number.

    `dropped` is the course that a swap gives up. There is always at least one option.
    """
    course, known_terms, stored = await section_facts.find_course(db, request.courseID)
    if course is None:
        raise UnknownCourse(request.courseID)
    sections = [section for section in stored if section.is_listed]
    term = terms.choose(course, known_terms, {section.term for section in sections}, request.term, now)
    offerings = [Offering(term, course, section) for section in sections if section.term == term.term]
    if request.section:
        section = pick_section([one.section for one in offerings], request.section)
        if section is None:
            raise UnknownSection(course.title, request.section, term.term)
        return [Offering(term, course, section)]
    registrations = await enrollments.find_in_term(db, user_id, term.term)
    if dropped == request.courseID and (own := [one for one in offerings if one.key in _enrolled_keys(registrations)]):
        return own  # any section will do, so the student's own: otherwise a repeated request would swap back
    staying = [one for one in registrations if one.courseID != dropped]
    attributes = await _find_attributes(db, user_id, offerings)
    if attributes is not None:
        offerings = [Offering(term, course, one.section.seen_by(attributes)) for one in offerings]
    fitting = [one for one in offerings if rules.fits(term, course, one.section, staying, attributes)]
    with_seat = [one for one in fitting if one.section.open_seats]
    return with_seat or fitting[:1] or [one for one in offerings if one.section.open_seats][:1] or offerings[:1]


async def _find_attributes(db: Database, user_id: int, offerings: Iterable[Offering]) -> StudentAttributes | None:
    """Return the student's attributes if one of the sections has a restriction or pools, and otherwise None."""
    has_groups = any(one.section.restriction or one.section.pools for one in offerings)
    return await users.find_attributes(db, user_id) if has_groups else None


async def find_section(
    db: Database, user_id: int, request: SectionRequest, now: datetime, dropped: str | None = None
) -> Offering:
    """Return the requested section, or the best option if the request names none."""
    return (await find_options(db, user_id, request, now, dropped))[0]


def from_catalog(catalog: Catalog | None, request: SectionRequest, now: datetime) -> list[Offering]:
    """Return the requested section if the catalog has it, without reading the database.

    Returns an empty list for a request that takes a closer look.
    """
    if catalog is None or not request.section or (course := catalog.find(request.courseID)) is None:
        return []
    try:
        term = terms.choose(course, catalog.terms, catalog.terms_of(course.courseID), request.term, now)
    except Refused:
        return []
    section = catalog.find_section(course.courseID, term.term, request.section)
    return [Offering(term, course, section)] if section is not None else []


async def find_term(
    db: Database, request: SectionRequest, title: str, candidates: Collection[str], now: datetime
) -> Term | None:
    """Return the term in which a student unplans a course, as `choose_term` does."""
    return choose_term(await stored_terms.find_all(db), request, title, candidates, now)


def choose_term(
    known: Sequence[Term], request: SectionRequest, title: str, candidates: Collection[str], now: datetime
) -> Term | None:
    """Return the term in which a student drops, leaves or unplans a course.

    That is the requested term, else the only one of the `candidates` that isn't over. Returns None if all are over;
    raises TermNeeded if there are several: after a guess, the same request sent again would mean the next term.
    """
    if not known:
        raise NoTerms
    choices = terms.active(known, now)
    if request.term:
        choices = terms.named(request.term, choices) or [terms.find(request.term, known, now)]
        if len(choices) == 1:
            return choices[0]
    found = [term for term in choices if term.term in candidates]
    if len(found) > 1:
        raise TermNeeded(title, [term.term for term in found])
    return found[0] if found else None


async def find_dropped(
    db: Database, registrations: Sequence[Registration], dropped: str, offering: Offering
) -> Registration:
    """Return the registration that the student gives up for the offering.

    Raises AlreadyEnrolled if the swap was made before, and NotEnrolled.
    """
    for one in registrations:
        if one.courseID == dropped and one.status == "enrolled":
            if one.section.key == offering.key:
                raise AlreadyEnrolled(offering.course.title, offering.term.term)
            return one
    rules.check_not_enrolled(offering.term, offering.course, registrations)
    course = await courses.find(db, dropped)
    raise NotEnrolled(course.title if course else dropped, offering.term.term)


async def taken_courses(db: Database, user_id: int, session: Session | None = None) -> list[TakenCourse]:
    """Return the courses in which the student is enrolled in any term, and those that they count as."""
    known = {term.term: term for term in await stored_terms.find_all(db, session)}
    found = await enrollments.find_taken(db, user_id, session)
    counted = await courses.find_counted_as(db, {courseID for courseID, *_ in found}, session)
    taken = [TakenCourse(courseID, known[term], grade) for courseID, term, grade in found if term in known]
    return requisite_rules.with_equivalents(taken, counted)


def _enrolled_keys(registrations: Iterable[Registration]) -> set[SectionKey]:
    return {one.section.key for one in registrations if one.status == "enrolled"}
