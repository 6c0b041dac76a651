"""The catalog: which courses there are, and in which sections they are taught."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from quart_enroll.models import Course, Held, Section, Term
from quart_enroll.repositories.students import Seat
from quart_enroll.services import terms


@dataclass(frozen=True, slots=True)
class Found:
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


@dataclass(frozen=True, eq=False)
class Catalog:
    """The whole catalog at one moment; it never changes, another one takes its place. Each is equal to itself alone.

    Courses are in the order of courseID, terms in the order of time, sections in that of term, courseID and number.
    The sections are those of the terms that were not over.
    """

    courses: tuple[Course, ...]
    terms: tuple[Term, ...]
    sections: tuple[Section, ...]

    def coming(self, now: datetime) -> Sequence[Term]:
        """Return the terms that a visitor may choose: in which something can still be done, else all."""
        return terms.coming(self.terms, now) or self.terms

    def current_term(self, now: datetime) -> Term | None:
        """Return the term that a visitor sees first; None in a school without terms."""
        return terms.current(self.terms, now) if self.terms else None

    def find(self, courseID: str) -> Course | None:
        """Return the course, or None when there is no such key."""
        return self._by_courseID.get(courseID)

    def taught_in(self, term: Term) -> Sequence[Found]:
        """Return the courses of that term, each with all its sections."""
        return self._taught.get(term.term, ())

    def terms_of(self, courseID: str) -> set[str]:
        """Return the names of the terms in which the course is taught."""
        return {term.term for term in self.terms if self.sections_named(courseID, term.term)}

    def sections_of(self, courseID: str, term: Term) -> Sequence[Section]:
        """Return the sections of the course in that term, in the order of their numbers."""
        return self.sections_named(courseID, term.term)

    def sections_named(self, courseID: str, term: str) -> Sequence[Section]:
        """Return the sections of the course in the term of that name, in the order of their numbers."""
        return self._offered.get((term, courseID), ())

    def held(self, seat: Seat) -> Held | None:
        """Return what the seat is; None when its course or its section is not in this catalog."""
        key = seat.key
        course = self.find(key.courseID)
        there = (one for one in self.sections_named(key.courseID, key.term) if one.section == key.section)
        if course is None or (section := next(there, None)) is None:
            return None
        return Held(course, section, seat.told)

    @cached_property
    def _by_courseID(self) -> Mapping[str, Course]:  # noqa: N802  # the stored name
        return {course.courseID: course for course in self.courses}

    @cached_property
    def _taught(self) -> Mapping[str, Sequence[Found]]:
        # Each search that finds one finds this one: five thousand for each of some hundred searches would be too many.
        taught = defaultdict(list)
        for term in self.terms:
            for course in self.courses:
                if sections := self.sections_named(course.courseID, term.term):
                    taught[term.term].append(Found(course, tuple(sections)))
        return dict(taught)

    @cached_property
    def _offered(self) -> Mapping[tuple[str, str], Sequence[Section]]:
        offered = defaultdict(list)
        for section in self.sections:
            offered[section.term, section.courseID].append(section)
        return dict(offered)
