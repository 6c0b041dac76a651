"""The rules of taking and giving back seats: pure functions that raise the reason to refuse."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    Closed,
    CorequisiteMissing,
    CorequisitesWouldGo,
    CreditLimit,
    DropClosed,
    NotOpenYet,
    PrerequisiteMissing,
    Refused,
    TimeConflict,
)
from quart_enroll.domain.models import Course, Meeting, Registration, Section, Term
from quart_enroll.i18n.language import LastDay, Moment


def check_open(term: Term, now: datetime) -> None:
    """Raise NotOpenYet or Closed outside of the window for taking seats."""
    if now < term.opens_at:
        raise NotOpenYet(term.term, localized_moment(term, term.opens_at))
    if not term.is_open(now):
        raise Closed(term.term, localized_deadline(term, term.add_deadline))


def is_withdrawal(term: Term, course: Course, now: datetime) -> bool:
    """Tell whether a course that is given back now stays on the schedule as withdrawn; raise DropClosed when late."""
    if now >= term.withdraw_deadline:
        raise DropClosed(course.title, localized_deadline(term, term.withdraw_deadline))
    return now >= term.drop_deadline


def check_not_enrolled(term: Term, course: Course, held: Iterable[Registration]) -> None:
    """Raise AlreadyEnrolled if the student has the course; what is done is told before what can't be done any more."""
    if any(one.courseID == course.courseID and one.status == "enrolled" for one in held):
        raise AlreadyEnrolled(course.title, term.term)


def check_fits(term: Term, course: Course, section: Section, held: Iterable[Registration]) -> None:
    """Raise AlreadyEnrolled, TimeConflict or CreditLimit if the section does not fit to what the student has."""
    enrolled = [one for one in held if one.status == "enrolled"]
    check_not_enrolled(term, course, enrolled)
    check_times(course, section, enrolled)
    check_credits(term, course, enrolled)


def check_times(course: Course, section: Section, enrolled: Iterable[Registration]) -> None:
    """Raise TimeConflict with all courses that meet when the section does."""
    clashes = [(one.course.title, when.when) for one in enrolled if (when := overlap(section, one.section))]
    if clashes:
        raise TimeConflict(course.title, clashes)


def check_credits(term: Term, course: Course, enrolled: Iterable[Registration]) -> None:
    """Raise CreditLimit if the course makes more credits than a student may take."""
    has = sum(one.course.credits for one in enrolled)
    if round(has + course.credits, 2) > term.max_credits:  # credits have two decimals at most
        raise CreditLimit(course.title, adds=course.credits, has=has, limit=term.max_credits)


def missing_prerequisites(course: Course, term: Term, taken: Iterable[tuple[str, Term]]) -> list[str]:
    """Return the prerequisites that are not among the courses taken in earlier terms."""
    if not course.prerequisites:  # of most courses, and this is asked of each on a page
        return []
    earlier = _taken_before(term, course.prerequisites, taken)
    return [courseID for courseID in course.prerequisites if courseID not in earlier]


def check_prerequisites(course: Course, term: Term, taken: Iterable[tuple[str, Term]]) -> None:
    """Raise PrerequisiteMissing unless every prerequisite is among the courses taken in earlier terms."""
    if missing := missing_prerequisites(course, term, taken):
        raise PrerequisiteMissing(course.title, missing, _names(missing, course.prerequisites, course.needs))


def missing_corequisites(
    course: Course,
    term: Term,
    held: Iterable[Registration],
    taken: Iterable[tuple[str, Term]],
    along: Collection[str] = (),
) -> list[str]:
    """Return the corequisites that the student neither has in that term nor has taken before.

    The courses `along` count as had: they are added at the same time.
    """
    if not course.corequisites:
        return []
    had = {one.courseID for one in held if one.status == "enrolled"}.union(along)
    had |= _taken_before(term, course.corequisites, taken)
    return [courseID for courseID in course.corequisites if courseID not in had]


def check_corequisites(
    course: Course,
    term: Term,
    held: Iterable[Registration],
    taken: Iterable[tuple[str, Term]],
    along: Collection[str] = (),
) -> None:
    """Raise CorequisiteMissing with what `missing_corequisites` returns, if that is anything."""
    if missing := missing_corequisites(course, term, held, taken, along):
        names = _names(missing, course.corequisites, course.corequisite_names)
        raise CorequisiteMissing(course.title, missing, names)


def check_eligible(
    term: Term,
    course: Course,
    section: Section,
    held: Iterable[Registration],
    taken: Iterable[tuple[str, Term]],
    given_up: Collection[Registration] = (),
    along: Collection[str] = (),
) -> None:
    """Raise the first reason why the student may not have the section in exchange for the courses `given_up`.

    The courses `along` count as corequisites. Moving to another section of a course needs none: the course stays.
    """
    staying = [one for one in held if one not in given_up]
    check_fits(term, course, section, staying)
    check_prerequisites(course, term, taken)
    if all(one.courseID != course.courseID for one in given_up):
        check_corequisites(course, term, staying, taken, along)


def overlap(one: Section, other: Section) -> Meeting | None:
    """Return the meeting of `one` at which `other` meets too, or None."""
    for meeting in one.meetings:
        if any(meeting.overlaps(theirs) for theirs in other.meetings):
            return meeting
    return None


def fits(term: Term, course: Course, section: Section, held: Iterable[Registration]) -> bool:
    """Tell whether the section fits to what the student has."""
    try:
        check_fits(term, course, section, held)
    except Refused:
        return False
    return True


def dependent_courses(
    courseID: str, term: Term, held: Iterable[Registration], taken: Iterable[tuple[str, Term]]
) -> list[Registration]:
    """Return the courses that can't stay without this one: what has it among its corequisites, and so on.

    A course that was `taken` in an earlier term too is not missed.
    """
    enrolled = [one for one in held if one.status == "enrolled"]
    needed = {name for one in enrolled for name in one.course.corequisites}
    gone, going = {courseID}, list[Registration]()
    missed = gone - (earlier := _taken_before(term, needed, taken))
    while more := [
        one for one in enrolled if one.courseID not in gone and missed.intersection(one.course.corequisites)
    ]:
        going += more
        gone.update(one.courseID for one in more)
        missed = gone - earlier
    return going


def check_dependents(
    given_up: Registration,
    term: Term,
    held: Iterable[Registration],
    taken: Iterable[tuple[str, Term]],
    instead: str = "",
) -> None:
    """Raise CorequisitesWouldGo if other courses could not stay without this one; another section `instead` will do."""
    along = dependent_courses(given_up.courseID, term, held, taken)
    if along and given_up.courseID != instead:
        raise CorequisitesWouldGo(
            given_up.course.title, [one.course.title for one in along], [one.courseID for one in along]
        )


def _taken_before(term: Term, needed: Collection[str], taken: Iterable[tuple[str, Term]]) -> set[str]:
    """Return which of the courses `needed` were taken in a term before that one."""
    return {courseID for courseID, when in taken if courseID in needed and when.comes_before(term)}


def _names(missing: Iterable[str], courseIDs: Iterable[str], names: Iterable[str]) -> Sequence[str]:
    known = dict(zip(courseIDs, names, strict=False))
    return [known.get(courseID, courseID) for courseID in missing]


def localized_moment(term: Term, moment: datetime) -> Moment:
    """Return the moment for a sentence, by the school's clock."""
    return Moment(moment, term.timezone)


def localized_deadline(term: Term, deadline: datetime) -> Moment | LastDay:
    """Return the deadline for a sentence: the day that ends with it, if one does, or else the moment."""
    return LastDay(deadline, term.timezone) if term.day_ending_at(deadline) else localized_moment(term, deadline)


def moment_text(term: Term, moment: datetime) -> str:
    """Return the moment in words, by the school's clock."""
    return str(localized_moment(term, moment))
