"""Which courses come when in a student's years."""

from collections.abc import Sequence

from quart_enroll.domain.models import Course

OWN_SUBJECT_INTEREST = (5, 12)
"""How much people want the courses of their own subject: those of earlier years, and those of their year."""

OTHER_SUBJECT_INTEREST = {1: 1.0, 2: 0.3, 3: 0.2}
"""How much they want those of other subjects, by the hundred of the number."""


def level(course: Course) -> int:
    """Return the hundred of the course's number: 2 for BIO 205."""
    return int(course.title.split()[1][0])


def all_prerequisites(courses: Sequence[Course]) -> dict[str, set[str]]:
    """Return for each course what must come before it: what it needs, what that needs, and so on."""
    needs = {course.courseID: set(course.prerequisites) for course in courses}
    while True:
        more = {courseID: needed.union(*(needs[one] for one in needed)) for courseID, needed in needs.items()}
        if more == needs:
            return needs
        needs = more


def interest(subject: str, year: int, course: Course) -> float:
    """Return how much a student's subject and year make a course wanted; not at all what is too hard yet."""
    hundred = level(course)
    if hundred > year:
        return 0
    return (
        OWN_SUBJECT_INTEREST[hundred == year] if course.subject == subject else OTHER_SUBJECT_INTEREST.get(hundred, 0)
    )
