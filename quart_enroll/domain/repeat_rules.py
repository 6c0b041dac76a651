"""The rule of repeats: in how many terms a student may take a course, and what the student reads about it."""

from collections.abc import Iterable

from quart_enroll.domain import grades
from quart_enroll.domain.errors import RepeatLimit
from quart_enroll.domain.models import Course, RepeatAction, TakenCourse, Term
from quart_enroll.i18n.language import NameList, Sentence, TermName, plural


def attempts(course: Course, term: Term, taken_courses: Iterable[TakenCourse]) -> list[TakenCourse]:
    """Return the student's attempts at the course in all terms but this one, in chronological order.

    One without a grade counts, even in a later term; an audit and an equivalent course don't, and a withdrawal only if
    the course says so.
    """
    uncounted = {grades.AUDITED} if course.withdrawals_count else {grades.AUDITED, grades.WITHDRAWN}
    found = [
        one
        for one in taken_courses
        if one.courseID == course.courseID
        and not one.is_equivalent
        and one.term.term != term.term
        and one.grade not in uncounted
    ]
    return sorted(found, key=lambda one: one.term.order)


def check(course: Course, term: Term, taken_courses: Iterable[TakenCourse]) -> None:
    """Raise RepeatLimit if the student has taken the course as often as it allows, and it refuses more."""
    if course.repeat_action is RepeatAction.REFUSE and (found := _exhausted(course, term, taken_courses)):
        raise RepeatLimit(course.title, course.max_attempts, found)


def warning(course: Course, term: Term, taken_courses: Iterable[TakenCourse]) -> Sentence | None:
    """Return what to tell a student who has taken the course as often as it should be, if it allows more."""
    if course.repeat_action is RepeatAction.WARN and (found := _exhausted(course, term, taken_courses)):
        return plural(
            "%(title)s should be taken only once, and it’s already on your record: %(attempts)s. Ask your advisor "
            "before you take it again.",
            "%(title)s should be taken at most %(number)s times, and it’s already on your record: %(attempts)s. Ask "
            "your advisor before you take it again.",
            course.max_attempts,
            title=course.title,
            attempts=found,
        )
    return None


def _exhausted(course: Course, term: Term, taken_courses: Iterable[TakenCourse]) -> NameList | None:
    """Return the attempts for a sentence, if there are as many as the course allows."""
    if not course.max_attempts:  # true of most courses, and a page asks this about each
        return None
    found = attempts(course, term, taken_courses)
    return NameList(tuple(map(_name, found))) if len(found) >= course.max_attempts else None


def _name(attempt: TakenCourse) -> Sentence | TermName:
    term = TermName(attempt.term.term)
    return Sentence("%(term)s (%(grade)s)", term=term, grade=attempt.grade) if attempt.grade else term
