"""Find a course by its number, or by what a person types for it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

from quart_enroll.domain import folding, requisite_rules
from quart_enroll.domain.course_heading import COURSE_NUMBER
from quart_enroll.domain.errors import AmbiguousCourse
from quart_enroll.domain.folding import compact
from quart_enroll.domain.models import Course


class CourseIndex:
    """The courses of a catalog by their numbers; all catalogs with the same courses share it."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self._courses = courses

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

    @cached_property
    def number_ranks(self) -> Mapping[str, int]:
        """The rank of each courseID in the order of the numbers that pages show."""
        ordered = sorted(self._courses, key=lambda one: (one.heading.number_key, one.courseID))
        return {course.courseID: rank for rank, course in enumerate(ordered)}

    @cached_property
    def counted_as(self) -> Mapping[str, Sequence[str]]:
        """What each equivalent course counts as."""
        return requisite_rules.counted_as({one.courseID: one.equivalents for one in self._courses if one.equivalents})

    @cached_property
    def _by_courseID(self) -> Mapping[str, Course]:  # noqa: N802  # the stored name
        return {course.courseID: course for course in self._courses}

    @cached_property
    def _by_key(self) -> Mapping[str, Sequence[Course]]:
        return _grouped((_course_key(course.courseID), course) for course in self._courses)

    @cached_property
    def _by_compact(self) -> Mapping[str, Sequence[Course]]:
        return _grouped((name, course) for course in self._courses for name in numbers_of(course))


_course_key = lru_cache(20_000)(folding.key)  # only for courses, never for what a visitor types


def numbers_of(course: Course) -> Sequence[str]:
    """Return the course's number and any number in its title, without blanks and punctuation."""
    return _names(course.courseID, course.title)


@lru_cache(20_000)
def _names(courseID: str, title: str) -> Sequence[str]:  # the stored name
    number = COURSE_NUMBER.match(title)
    named = [courseID, title if any(map(str.isdigit, title)) else "", number[0] if number else ""]
    return list(dict.fromkeys(filter(None, map(compact, named))))


def _grouped(named: Iterable[tuple[str, Course]]) -> Mapping[str, Sequence[Course]]:
    groups = defaultdict[str, list[Course]](list)
    for name, course in named:
        groups[name].append(course)
    return groups
