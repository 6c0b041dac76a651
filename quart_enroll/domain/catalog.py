"""The catalog: which courses there are, and in which sections they are taught."""

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
    """A course with sections of one term: all of them, or those that somebody looks for."""

    course: Course
    sections: tuple[Section, ...]


def with_names(courses: Sequence[Course]) -> tuple[Course, ...]:
    """Return all courses, each with what its prerequisites and corequisites are called."""
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
    """Return the section of that number, else the only one that 1 may mean where it is stored as 01."""
    same = []
    for section in sections:
        if section.section == number:
            return section
        if folding.section_key(section.section) == folding.section_key(number):
            same.append(section)
    return same[0] if len(same) == 1 else None


@dataclass(frozen=True, eq=False)
class Catalog:
    """The whole catalog at one moment; it never changes, another one takes its place. Each is equal to itself alone.

    Courses are in the order of courseID, terms in the order of time, sections in that of term, courseID and number.
    The sections are those of the terms that were not over.
    """

    courses: tuple[Course, ...]
    terms: tuple[Term, ...]
    sections: tuple[Section, ...]

    def active_terms(self, now: datetime) -> Sequence[Term]:
        """Return the terms that a visitor may choose: in which something can still be done, else all."""
        return terms.active(self.terms, now) or self.terms

    def current_term(self, now: datetime) -> Term | None:
        """Return the term that a visitor sees first; None in a school without terms."""
        return terms.current(self.terms, now) if self.terms else None

    def find(self, courseID: str) -> Course | None:
        """Return the course of that number, whatever its case and the characters that nobody sees; None without one."""
        if (course := self._by_courseID.get(courseID)) is not None:
            return course
        same = self._by_key.get(folding.key(courseID), ())
        return same[0] if len(same) == 1 else None  # of two in an old database neither is a guess

    def find_by_text(self, text: str) -> Course | None:
        """Return the course that a person means by a number: CS101 for CS-101, or for what has CS 101 in its title.

        A number as it is stored means that course, whatever else there is. Returns None when nothing is meant, and
        raises AmbiguousCourse when several courses may be.
        """
        if (course := self.find(text)) is not None:
            return course
        found = self._by_compact.get(compact(text), ())
        if len(found) > 1:
            raise AmbiguousCourse(text, {course.courseID: course.title for course in found})
        return found[0] if found else None

    def resolve(self, wish: SectionRequest) -> SectionRequest:
        """Return the wish with the stored number of the course that is meant; raise AmbiguousCourse."""
        return replace(wish, courseID=self.resolve_courseID(wish.courseID))

    def resolve_courseID(self, text: str) -> str:  # noqa: N802  # the stored name
        """Return the stored number of the course that is meant, or the text itself; raise AmbiguousCourse."""
        course = self.find_by_text(text)
        return text if course is None else course.courseID

    def courses_in(self, term: Term) -> Sequence[CourseSections]:
        """Return the courses of that term, each with all its sections."""
        return self._taught.get(term.term, ())

    def terms_of(self, courseID: str) -> set[str]:
        """Return the names of the terms in which the course is taught."""
        return {term.term for term in self.terms if self.sections_in(courseID, term.term)}

    def sections_of(self, courseID: str, term: Term) -> Sequence[Section]:
        """Return the sections of the course in that term, in the order of their numbers."""
        return self.sections_in(courseID, term.term)

    def sections_in(self, courseID: str, term: str) -> Sequence[Section]:
        """Return the sections of the course in the term of that name, in the order of their numbers."""
        return self._offered.get((term, courseID), ())

    def find_section(self, courseID: str, term: str, number: str) -> Section | None:
        """Return the section of that number, whatever its zeros; None without one, and where two may be meant."""
        return pick_section(self.sections_in(courseID, term), number)

    def registration_of(self, seat: StudentSeat) -> Registration | None:
        """Return what the seat is; None when its course or its section is not in this catalog."""
        key = seat.key
        course = self.find(key.courseID)
        there = (one for one in self.sections_in(key.courseID, key.term) if one.section == key.section)
        if course is None or (section := next(there, None)) is None:
            return None
        return Registration(course, section, seat.shown_status)

    @cached_property
    def _by_courseID(self) -> Mapping[str, Course]:  # noqa: N802  # the stored name
        return {course.courseID: course for course in self.courses}

    @cached_property
    def _by_key(self) -> Mapping[str, Sequence[Course]]:
        return _grouped((_key_of_school(course.courseID), course) for course in self.courses)

    @cached_property
    def _by_compact(self) -> Mapping[str, Sequence[Course]]:
        return _grouped((name, course) for course in self.courses for name in _names(course.courseID, course.title))

    @cached_property
    def _taught(self) -> Mapping[str, Sequence[CourseSections]]:
        # Each search that finds one finds this one: five thousand for each of some hundred searches would be too many.
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


_key_of_school = lru_cache(20_000)(folding.key)  # of what the school has written, and no visitor

_TITLE_NUMBER = re.compile(r"[^\W\d_]{2,6}[ .-]?\d{3,4}[^\W\d_]?(?!\w)")
"""A number at the beginning of a title, like PYT 101."""


@lru_cache(20_000)
def _names(courseID: str, title: str) -> Sequence[str]:  # the stored name
    """Return the course's number and those that its title may be, or begin with, without blanks and punctuation."""
    number = _TITLE_NUMBER.match(title)
    named = [courseID, title if any(map(str.isdigit, title)) else "", number[0] if number else ""]
    return list(dict.fromkeys(filter(None, map(compact, named))))


def _grouped(named: Iterable[tuple[str, Course]]) -> Mapping[str, Sequence[Course]]:
    groups = defaultdict[str, list[Course]](list)
    for name, course in named:
        groups[name].append(course)
    return groups
