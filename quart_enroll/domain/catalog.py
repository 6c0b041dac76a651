"""The catalog: the courses, and the sections in which they are offered."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache

from quart_enroll.domain import folding, terms
from quart_enroll.domain.errors import AmbiguousCourse
from quart_enroll.domain.folding import compact
from quart_enroll.domain.models import Course, Registration, Section, SectionRequest, Term
from quart_enroll.domain.student import StudentSeat


@dataclass(frozen=True, slots=True)
class CourseSections:
    """A course with its sections in one term: all of them, or those that a search found."""

    course: Course
    sections: tuple[Section, ...]


def with_names(courses: Sequence[Course]) -> tuple[Course, ...]:
    """Return all courses, each with the names of its prerequisites and corequisites."""
    names = {course.courseID: course.name for course in courses}

    def named(courseIDs: Sequence[str]) -> tuple[str, ...]:
        return tuple(names.get(one, one) for one in courseIDs)

    return tuple(
        replace(course, needs=named(course.prerequisites), corequisite_names=named(course.corequisites))
        if course.prerequisites or course.corequisites
        else course
        for course in courses
    )


def pick_section(sections: Iterable[Section], number: str) -> Section | None:
    """Return the section with that number; 1 may mean 01 if only one section could be meant."""
    same = []
    for section in sections:
        if section.section == number:
            return section
        if folding.section_key(section.section) == folding.section_key(number):
            same.append(section)
    return same[0] if len(same) == 1 else None


@dataclass(frozen=True, eq=False)
class Catalog:
    """The whole catalog at one moment. It is immutable, and compared by identity.

    Courses are ordered by courseID, terms by time, sections by term, courseID and number. There are sections of the
    terms that were not over.
    """

    courses: tuple[Course, ...]
    terms: tuple[Term, ...]
    sections: tuple[Section, ...]

    def active_terms(self, now: datetime) -> Sequence[Term]:
        """Return the terms that a visitor may choose: those that are not over, or all if all are."""
        return terms.active(self.terms, now) or self.terms

    def current_term(self, now: datetime) -> Term | None:
        """Return the term that a visitor sees first; None if there are no terms."""
        return terms.current(self.terms, now) if self.terms else None

    def find(self, courseID: str) -> Course | None:
        """Return the course with that number, ignoring case and invisible characters, or None."""
        if (course := self._by_courseID.get(courseID)) is not None:
            return course
        same = self._by_key.get(folding.key(courseID), ())
        return same[0] if len(same) == 1 else None  # an old database may have two, and neither would be a guess

    def find_by_text(self, text: str) -> Course | None:
        """Return the course that a person means: CS101 finds CS-101, and a course with CS 101 in its title.

        An exact number always means that course. Returns None if no course matches; raises AmbiguousCourse if several
        do.
        """
        if (course := self.find(text)) is not None:
            return course
        found = self._by_compact.get(compact(text), ())
        if len(found) > 1:
            raise AmbiguousCourse(text, {course.courseID: course.title for course in found})
        return found[0] if found else None

    def resolve(self, request: SectionRequest) -> SectionRequest:
        """Return the request with the stored courseID of the course that it means; raise AmbiguousCourse."""
        return replace(request, courseID=self.resolve_courseID(request.courseID))

    def resolve_courseID(self, text: str) -> str:  # noqa: N802  # the stored name
        """Return the stored courseID of the course that the text means, or the text itself; raise AmbiguousCourse."""
        course = self.find_by_text(text)
        return text if course is None else course.courseID

    def courses_in(self, term: Term) -> Sequence[CourseSections]:
        """Return the courses offered in that term, each with all its sections."""
        return self._taught.get(term.term, ())

    @cached_property
    def all_courses(self) -> Sequence[CourseSections]:
        """All courses, each with its sections in all terms."""
        sections = defaultdict(list)
        for section in self.sections:
            sections[section.courseID].append(section)
        return [CourseSections(course, tuple(sections[course.courseID])) for course in self.courses]

    def terms_of(self, courseID: str) -> set[str]:
        """Return the names of the terms in which the course is offered."""
        return {term.term for term in self.terms if self.sections_in(courseID, term.term)}

    def sections_of(self, courseID: str, term: Term) -> Sequence[Section]:
        """Return the sections of the course in that term, in the order of their numbers."""
        return self.sections_in(courseID, term.term)

    def sections_in(self, courseID: str, term: str) -> Sequence[Section]:
        """Return the sections of the course in the term of that name, in the order of their numbers."""
        return self._offered.get((term, courseID), ())

    def find_section(self, courseID: str, term: str, number: str) -> Section | None:
        """Return the section with that number, ignoring leading zeros; None if there is none or two could be meant."""
        return pick_section(self.sections_in(courseID, term), number)

    def registration_of(self, seat: StudentSeat) -> Registration | None:
        """Return the registration that the seat is; None if its course or section is not in this catalog."""
        key = seat.key
        course = self.find(key.courseID)
        sections = (one for one in self.sections_in(key.courseID, key.term) if one.section == key.section)
        if course is None or (section := next(sections, None)) is None:
            return None
        return Registration(course, section, seat.shown_status)

    @cached_property
    def _by_courseID(self) -> Mapping[str, Course]:  # noqa: N802  # the stored name
        return {course.courseID: course for course in self.courses}

    @cached_property
    def _by_key(self) -> Mapping[str, Sequence[Course]]:
        return _grouped((_course_key(course.courseID), course) for course in self.courses)

    @cached_property
    def _by_compact(self) -> Mapping[str, Sequence[Course]]:
        return _grouped((name, course) for course in self.courses for name in _names(course.courseID, course.title))

    @cached_property
    def _taught(self) -> Mapping[str, Sequence[CourseSections]]:
        # All searches share these objects: with copies, hundreds of cached searches would each hold thousands.
        taught = defaultdict(list)
        for term in self.terms:
            for course in self.courses:
                if sections := self.sections_in(course.courseID, term.term):
                    taught[term.term].append(CourseSections(course, tuple(sections)))
        return dict(taught)

    @cached_property
    def _offered(self) -> Mapping[tuple[str, str], Sequence[Section]]:
        offered = defaultdict(list)
        for section in self.sections:
            offered[section.term, section.courseID].append(section)
        return dict(offered)


_course_key = lru_cache(20_000)(folding.key)  # only for courses, never for what a visitor types

_TITLE_NUMBER = re.compile(r"[^\W\d_]{2,6}[ .-]?\d{3,4}[^\W\d_]?(?!\w)")
"""A course number at the beginning of a title, like PYT 101."""


@lru_cache(20_000)
def _names(courseID: str, title: str) -> Sequence[str]:  # the stored name
    """Return the course's number and any number in its title, without blanks and punctuation."""
    number = _TITLE_NUMBER.match(title)
    named = [courseID, title if any(map(str.isdigit, title)) else "", number[0] if number else ""]
    return list(dict.fromkeys(filter(None, map(compact, named))))


def _grouped(named: Iterable[tuple[str, Course]]) -> Mapping[str, Sequence[Course]]:
    groups = defaultdict[str, list[Course]](list)
    for name, course in named:
        groups[name].append(course)
    return groups
