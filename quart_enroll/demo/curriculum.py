"""Decides which courses suit a student's year and subject."""

from collections.abc import Sequence

from quart_enroll.domain.models import Course

OWN_SUBJECT_INTEREST = (5, 12)
"""Interest in courses of the student's own subject: those of earlier years, and those of the current year."""

OTHER_SUBJECT_INTEREST = {1: 1.0, 2: 0.3, 3: 0.2}
"""Interest in courses of other subjects, by level."""


def level(course: Course) -> int:
    """Return the first digit of the course number, such as 2 for BIO 205."""
    return int(course.title.split()[1][0])


def all_prerequisites(courses: Sequence[Course]) -> dict[str, set[str]]:
    """Return the direct and indirect prerequisites of each course, even if one of several is enough."""
    needs = {course.courseID: set(course.prerequisite_courses) for course in courses}
    while True:
        more = {courseID: needed.union(*(needs[one] for one in needed)) for courseID, needed in needs.items()}
        if more == needs:
            return needs
        needs = more


def interest(subject: str, year: int, course: Course) -> float:
    """Return how much a student of this subject and year wants the course; 0 if it is above their level."""
    course_level = level(course)
    if course_level > year:
        return 0
    return (
        OWN_SUBJECT_INTEREST[course_level == year]
        if course.subject == subject
        else OTHER_SUBJECT_INTEREST.get(course_level, 0)
    )
