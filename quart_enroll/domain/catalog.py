"""The catalog: the courses, and the sections in which they are offered."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from quart_enroll.domain import folding, terms
from quart_enroll.domain.course_index import CourseIndex
from quart_enroll.domain.filter_choices import FilterChoices, find_choices
from quart_enroll.domain.models import Course, Registration, Section, SectionRequest, Term
from quart_enroll.domain.search_index import InstructorIndex, SearchIndex
from quart_enroll.domain.student import StudentSeat
from quart_enroll.domain.synonyms import Synonyms


@dataclass(frozen=True, slots=True)
class CourseSections:
    """A course with its sections in one term: all of them, or those that a search found."""

    course: Course
    sections: tuple[Section, ...]


class SectionIndex:
    """The sections of a catalog by course and term.

    A catalog in which only some sections differ gets an index that shares everything else.
    """

    def __init__(self, courses: Sequence[Course], terms: Sequence[Term], sections: Iterable[Section]) -> None:
        offered = defaultdict(list)
        for section in sections:
            offered[section.term, section.courseID].append(section)
        self._offered = {key: tuple(found) for key, found in offered.items()}
        # All searches share these objects: with copies, hundreds of cached searches would each hold thousands.
        self._taught = {
            term.term: [
                CourseSections(course, found)
                for course in courses
                if (found := self.sections_in(course.courseID, term.term))
            ]
            for term in terms
        }
        self._positions = {
            (term, one.course.courseID): position
            for term, taught in self._taught.items()
            for position, one in enumerate(taught)
        }
        self._facts: dict[str, TermFacts] = {}

    def sections_in(self, courseID: str, term: str) -> tuple[Section, ...]:
        """Return the sections of the course in the term of that name, in the order of their numbers."""
        return self._offered.get((term, courseID), ())

    def courses_in(self, term: str) -> Sequence[CourseSections]:
        """Return the courses offered in the term of that name, each with all its sections."""
        return self._taught.get(term, ())

    def facts_in(self, term: str) -> "TermFacts":
        """Return what searches need to know about the sections in the term of that name."""
        if (facts := self._facts.get(term)) is None and term in self._taught:
            taught = self._taught[term]
            sections = [section for one in taught for section in one.sections]
            facts = self._facts[term] = TermFacts(
                find_choices((one.course for one in taught), sections), InstructorIndex(sections)
            )
        return facts or TermFacts()

    def with_sections(self, changed: Iterable[Section]) -> "SectionIndex":
        """Return an index with these sections instead of those with the same keys, which must exist."""
        new = copy(self)
        new._offered, new._taught = dict(self._offered), {term: list(taught) for term, taught in self._taught.items()}
        new._facts = dict(self._facts)
        for section in changed:
            key = section.term, section.courseID
            if any(_has_other_facts(section, one) for one in new._offered[key]):
                new._facts.pop(section.term, None)
            sections = tuple(section if one.section == section.section else one for one in new._offered[key])
            new._offered[key] = sections
            if (position := self._positions.get(key)) is not None:
                taught = new._taught[section.term]
                taught[position] = CourseSections(taught[position].course, sections)
        return new


@dataclass(frozen=True, slots=True)
class TermFacts:
    """What searches need to know about a term's sections; it stays the same while seats move."""

    choices: FilterChoices = field(default_factory=FilterChoices)
    instructors: InstructorIndex = field(default_factory=InstructorIndex)


def _has_other_facts(section: Section, old: Section) -> bool:
    """Return whether `old` is the same section with another instructor or room."""
    return section.section == old.section and (section.instructor, section.room) != (old.instructor, old.room)


def with_names(courses: Sequence[Course]) -> tuple[Course, ...]:
    """Return all courses, each with the names of its prerequisites and corequisites."""
    names = {course.courseID: course.name for course in courses}

    def named(courseIDs: Sequence[str]) -> tuple[str, ...]:
        return tuple(names.get(one, one) for one in courseIDs)

    return tuple(
        replace(course, needs=named(course.prerequisite_courses), corequisite_names=named(course.corequisites))
        if course.prerequisites or course.corequisites or course.requisite
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
    terms that were not over. Searches use the `synonyms`.
    """

    courses: tuple[Course, ...]
    terms: tuple[Term, ...]
    sections: tuple[Section, ...]
    synonyms: Synonyms = field(default_factory=Synonyms)

    def active_terms(self, now: datetime) -> Sequence[Term]:
        """Return the terms that a visitor may choose: those that are not over, or all if all are."""
        return terms.active(self.terms, now) or self.terms

    def current_term(self, now: datetime) -> Term | None:
        """Return the term that a visitor sees first; None if there are no terms."""
        return terms.current(self.terms, now) if self.terms else None

    def with_sections(self, sections: Sequence[Section], changed: Iterable[Section]) -> "Catalog":
        """Return the catalog with these sections, of which only the `changed` ones differ, but not in their keys.

        The two catalogs share everything else, so that a change costs little however large they are.
        """
        new = replace(self, sections=tuple(sections))
        vars(new).update(
            course_index=self.course_index,
            search_index=self.search_index,
            section_index=self.section_index.with_sections(changed),
        )
        return new

    def of_past_term(self, sections: Iterable[Section]) -> "Catalog":
        """Return a catalog with only these sections, which are those of a past term; it shares the courses."""
        new = replace(self, sections=tuple(sections))
        vars(new).update(course_index=self.course_index, search_index=self.search_index)
        return new

    def sharing_with(self, previous: "Catalog | None") -> "Catalog":
        """Return the catalog with the search index of the previous one if their courses are equal."""
        if previous and previous.courses == self.courses:
            vars(self).update(search_index=previous.search_index)
        return self

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """The titles of the courses by courseID."""
        return {course.courseID: course.title for course in self.courses}

    def find(self, courseID: str) -> Course | None:
        """Return the course with that number, ignoring case and invisible characters, or None."""
        return self.course_index.find(courseID)

    def find_by_text(self, text: str) -> Course | None:
        """Return the course that a person means, or None; raise AmbiguousCourse."""
        return self.course_index.find_by_text(text)

    def resolve(self, request: SectionRequest) -> SectionRequest:
        """Return the request with the stored courseID of the course that it means; raise AmbiguousCourse."""
        return replace(request, courseID=self.resolve_courseID(request.courseID))

    def resolve_courseID(self, text: str) -> str:  # noqa: N802  # the stored name
        """Return the stored courseID of the course that the text means, or the text itself; raise AmbiguousCourse."""
        course = self.find_by_text(text)
        return text if course is None else course.courseID

    def courses_in(self, term: Term) -> Sequence[CourseSections]:
        """Return the courses offered in that term, each with all its sections."""
        return self.section_index.courses_in(term.term)

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
        return self.section_index.sections_in(courseID, term)

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
    def has_pools(self) -> bool:
        """Whether a section reserves seats."""
        return any(section.pools for section in self.sections)

    @cached_property
    def course_index(self) -> CourseIndex:
        """The courses by their numbers."""
        return CourseIndex(self.courses)

    @cached_property
    def search_index(self) -> SearchIndex:
        """The courses by the words of their texts."""
        return SearchIndex(self.courses, self.synonyms)

    @cached_property
    def section_index(self) -> SectionIndex:
        """The sections by course and term."""
        return SectionIndex(self.courses, self.terms, self.sections)
