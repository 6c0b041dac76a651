"""The rules of prerequisites and corequisites: which a student lacks, and which courses depend on others.

`taken_courses` are the courses in which a student is enrolled in any term.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from functools import partial

from quart_enroll.domain import grades, requisite_parser, requisites
from quart_enroll.domain.errors import CorequisiteMissing, CorequisitesWouldGo, PrerequisiteMissing
from quart_enroll.domain.models import Course, Registration, TakenCourse, Term
from quart_enroll.domain.requisites import (
    Concurrently,
    Leaf,
    MinimumCredits,
    Permission,
    Placement,
    Requisite,
    Standing,
    WithGrade,
)
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes


def missing_prerequisites(
    course: Course,
    term: Term,
    taken_courses: Iterable[TakenCourse],
    registrations: Iterable[Registration] = (),
    together_with: Collection[str] = (),
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> Sequence[Requisite]:
    """Return the prerequisites that the student has not taken in an earlier term with the required grade.

    For those that may be taken concurrently, the `registrations` of this term count too, and the courses
    `together_with`, which are added at the same time. Prerequisites other than courses depend on the `attributes`.
    """
    if not course.prerequisites and not course.requisite:  # true of most courses, and a page asks this about each
        return []
    earlier = taken_before(term, course.prerequisite_courses, taken_courses)
    beside = {one.courseID for one in registrations if one.status == "enrolled"}.union(together_with)
    return unmet_prerequisites(course, earlier, beside, attributes)


def unmet_prerequisites(
    course: Course,
    taken: Mapping[str, int],
    beside: Collection[str] = (),
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> Sequence[Requisite]:
    """Return the prerequisites that a student with these `taken` courses from earlier terms does not meet.

    The courses come with the ranks of their grades. Those `beside` are taken in the same term.
    """
    missing = [courseID for courseID in course.prerequisites if courseID not in taken]
    is_met = partial(meets, taken=taken, beside=beside, attributes=attributes)
    return [*missing, *requisites.unmet(requisite_parser.stored(course.requisite), is_met)]


def meets(leaf: Leaf, taken: Mapping[str, int], beside: Collection[str], attributes: StudentAttributes) -> bool:
    """Return whether a student meets one prerequisite; the arguments are those of `unmet_prerequisites`."""
    match leaf:
        case Concurrently(courseID):
            return courseID in taken or courseID in beside
        case WithGrade(courseID, grade):
            return taken.get(courseID, 0) >= grades.rank(grade)
        case MinimumCredits(credits):
            return (attributes.earned_credits or 0) >= credits
        case Standing(standing):
            return attributes.standing.casefold() == standing.casefold()
        case Placement(test, score):
            return any(found >= score for found in attributes.scores(test))
        case Permission():
            return False
        case _:
            return leaf in taken


def check_prerequisites(
    course: Course,
    term: Term,
    taken_courses: Iterable[TakenCourse],
    registrations: Iterable[Registration] = (),
    together_with: Collection[str] = (),
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> None:
    """Raise PrerequisiteMissing if there are `missing_prerequisites`."""
    if missing := missing_prerequisites(course, term, taken_courses, registrations, together_with, attributes):
        names = dict(zip(course.prerequisite_courses, course.needs, strict=False))
        named = [requisites.named(one, names) for one in missing]
        raise PrerequisiteMissing(course.title, missing, named, needs_grade=_needs_grade(missing, term, taken_courses))


def _needs_grade(missing: Iterable[Requisite], term: Term, taken_courses: Iterable[TakenCourse]) -> bool:
    """Return whether a missing prerequisite lacks only its grade."""
    courses = {name for one in missing for name in requisites.courses_in(one)}
    return not term.in_progress_counts and any(
        one.courseID in courses and not one.grade and one.term.comes_before(term) for one in taken_courses
    )


def missing_corequisites(
    course: Course,
    term: Term,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    together_with: Collection[str] = (),
) -> list[str]:
    """Return the corequisites that the student neither has in this term nor took before.

    The courses `together_with` count too: they are added at the same time.
    """
    if not course.corequisites:
        return []
    had = {one.courseID for one in registrations if one.status == "enrolled"}.union(together_with)
    had |= taken_before(term, course.corequisites, taken_courses).keys()
    return [courseID for courseID in course.corequisites if courseID not in had]


def check_corequisites(
    course: Course,
    term: Term,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    together_with: Collection[str] = (),
) -> None:
    """Raise CorequisiteMissing if there are `missing_corequisites`."""
    if missing := missing_corequisites(course, term, registrations, taken_courses, together_with):
        names = _names(missing, course.corequisites, course.corequisite_names)
        raise CorequisiteMissing(course.title, missing, names)


def dependent_courses(
    courseID: str,
    term: Term,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> list[Registration]:
    """Return the student's courses that would have to be dropped with this one, because it is a corequisite of theirs.

    So are prerequisites that they take concurrently. Courses that need one of those in turn are included; courses whose
    corequisite was taken in an earlier term are not.
    """
    enrolled = [one for one in registrations if one.status == "enrolled"]
    needed = {name for one in enrolled for name in (*one.course.corequisites, *one.course.prerequisite_courses)}
    earlier = taken_before(term, needed, taken_courses)
    dropped, dependents = {courseID}, list[Registration]()
    while more := [
        one
        for one in enrolled
        if one.courseID not in dropped and _is_dependent(one.course, dropped, enrolled, earlier, attributes)
    ]:
        dependents += more
        dropped.update(one.courseID for one in more)
    return dependents


def _is_dependent(
    course: Course,
    dropped: Set[str],
    enrolled: Iterable[Registration],
    earlier: Mapping[str, int],
    attributes: StudentAttributes,
) -> bool:
    """Return whether the course can't be kept without the dropped ones."""
    if not (dropped - earlier.keys()).isdisjoint(course.corequisites):
        return True
    if dropped.isdisjoint(course.concurrent_courses):
        return False
    beside = {one.courseID for one in enrolled}
    return not unmet_prerequisites(course, earlier, beside, attributes) and bool(
        unmet_prerequisites(course, earlier, beside - dropped, attributes)
    )


def check_dependents(
    dropped: Registration,
    term: Term,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    replacement: str = "",
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> None:
    """Raise CorequisitesWouldGo if other courses depend on this one, unless the course `replacement` is the same."""
    dependents = dependent_courses(dropped.courseID, term, registrations, taken_courses, attributes)
    if dependents and dropped.courseID != replacement:
        raise CorequisitesWouldGo(
            dropped.course.title, [one.course.title for one in dependents], [one.courseID for one in dependents]
        )


def taken_before(term: Term, needed: Collection[str], taken_courses: Iterable[TakenCourse]) -> dict[str, int]:
    """Return which of the `needed` courses were passed in an earlier term, each with the rank of its best grade.

    A course without a grade counts if the term says so.
    """
    found: dict[str, int] = {}
    for one in taken_courses:
        if not one.grade and not term.in_progress_counts:
            continue
        if one.courseID in needed and one.term.comes_before(term) and (rank := grades.rank(one.grade)):
            found[one.courseID] = max(rank, found.get(one.courseID, 0))
    return found


def counted_as(equivalents: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Return what each course counts as, given the `equivalents` that count as each course."""
    found = defaultdict[str, list[str]](list)
    for courseID, others in equivalents.items():
        for other in others:
            found[other].append(courseID)
    return found


def with_equivalents(taken_courses: Iterable[TakenCourse], counted: Mapping[str, Sequence[str]]) -> list[TakenCourse]:
    """Return the courses, and those that they count as."""
    taken = list(taken_courses)
    others = [
        TakenCourse(courseID, one.term, one.grade, is_equivalent=True)
        for one in taken
        for courseID in counted.get(one.courseID, ())
    ]
    return taken + others


def _names(missing: Iterable[str], courseIDs: Iterable[str], names: Iterable[str]) -> Sequence[str]:
    known = dict(zip(courseIDs, names, strict=False))
    return [known.get(courseID, courseID) for courseID in missing]
