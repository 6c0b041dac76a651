"""The rules of enrolling and dropping: pure functions that raise a refusal.

`taken_courses` are the courses in which a student is enrolled in any term.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from enum import Enum
from functools import partial
from typing import TypeAlias

from quart_enroll.domain import grades, requisite_parser, requisites
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    Closed,
    CorequisiteMissing,
    CorequisitesWouldGo,
    CreditLimit,
    DropDeadlinePassed,
    NotOpenYet,
    OnHold,
    PrerequisiteMissing,
    Refused,
    SectionClosed,
    SectionFull,
    TimeConflict,
    WithdrawalDeadlinePassed,
)
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import (
    Course,
    Meeting,
    Registration,
    Section,
    SectionStatus,
    TakenCourse,
    Term,
    day_ending_at,
)
from quart_enroll.domain.requisites import Concurrently, Leaf, Requisite, WithGrade
from quart_enroll.i18n.language import LastDay, Moment, Sentence


class Rule(Enum):
    """The rules for changes of a student's seats and waitlists, in the words of staff."""

    NOT_ENROLLED = Sentence("Not already enrolled in the course")
    HOLDS = Sentence("No hold blocks it")
    DATES = Sentence("Enrollment is open")
    STATUS = Sentence("The section is open to new students")
    TIMES = Sentence("No time conflict")
    CREDITS = Sentence("Within the credit limit")
    PREREQUISITES = Sentence("Prerequisites met")
    COREQUISITES = Sentence("Corequisites taken or on the schedule")
    SEAT = Sentence("A seat is open")
    NOT_WAITING = Sentence("Not already on the waitlist")
    WAITLIST = Sentence("The waitlist has room")
    DEPENDENTS = Sentence("No other course requires the dropped course")
    DROP_DATES = Sentence("The deadline to drop or withdraw hasn’t passed")


Checks: TypeAlias = Iterable[tuple[Rule, Callable[[], None]]]
"""Rules in the order in which they are checked, each with a function that raises its refusal."""


def check_all(checks: Checks, overrides: Collection[Override] = NO_OVERRIDES) -> frozenset[Override]:
    """Raise the first refusal that none of the overrides allows; return the overrides that were needed."""
    needed = set()
    for _, check in checks:
        try:
            check()
        except Refused as refusal:
            if refusal.override is None or refusal.override not in overrides:
                raise
            needed.add(refusal.override)
    return frozenset(needed)


def find_refusals(checks: Checks) -> dict[Rule, Refused | None]:
    """Return how each rule applies: with a refusal, or None if it is met."""
    found: dict[Rule, Refused | None] = {}
    for rule, check in checks:
        try:
            check()
        except Refused as refusal:
            found[rule] = found.get(rule) or refusal
        else:
            found.setdefault(rule, None)
    return found


def check_open(term: Term, now: datetime) -> None:
    """Raise NotOpenYet or Closed outside the enrollment window."""
    if now < term.opens_at:
        raise NotOpenYet(term.term, localized_moment(term, term.opens_at))
    if not term.is_open(now):
        raise Closed(term.term, localized_deadline(term, term.add_deadline))


def check_holds(holds: Iterable[Hold], changes: Collection[HoldBlock], now: datetime) -> None:
    """Raise OnHold if one of the student's holds blocks one of these changes now."""
    for hold in holds:
        if hold.blocks_any(changes, now):
            raise OnHold(hold)


def check_promotion_holds(holds: Iterable[Hold], now: datetime, *, is_swap: bool) -> None:
    """Raise OnHold if a hold keeps a student from a seat that has opened; a swap gives up another course for it."""
    check_holds(holds, (HoldBlock.ENROLL, HoldBlock.SWAP) if is_swap else (HoldBlock.ENROLL,), now)


def hold_checks(holds: Collection[Hold], now: datetime, *changes: HoldBlock) -> Checks:
    """Yield the rule for holds; nothing for a student without one, so that schools without holds see no rule."""
    if holds:
        yield Rule.HOLDS, partial(check_holds, holds, changes, now)


def check_drop(term: Term, course: Course, now: datetime, *, withdraw: bool) -> None:
    """Raise WithdrawalDeadlinePassed or DropDeadlinePassed if it is too late to withdraw from the course or drop it."""
    if withdraw and now >= term.withdraw_deadline:
        raise WithdrawalDeadlinePassed(course.title, localized_deadline(term, term.withdraw_deadline))
    if not withdraw and now >= term.drop_deadline:
        raise DropDeadlinePassed(course.title, localized_deadline(term, term.drop_deadline))


def is_withdrawal(term: Term, now: datetime) -> bool:
    """Return whether a course that is dropped now stays on the schedule as withdrawn."""
    return now >= term.drop_deadline


def check_not_enrolled(term: Term, course: Course, registrations: Iterable[Registration]) -> None:
    """Raise AlreadyEnrolled if the student is enrolled in the course.

    It is checked before the enrollment window, so that a request repeated after the deadline still reports success.
    """
    if any(one.courseID == course.courseID and one.status == "enrolled" for one in registrations):
        raise AlreadyEnrolled(course.title, term.term)


def check_fits(term: Term, course: Course, section: Section, registrations: Iterable[Registration]) -> None:
    """Raise AlreadyEnrolled, SectionClosed, TimeConflict or CreditLimit if the student can't have the section."""
    enrolled = [one for one in registrations if one.status == "enrolled"]
    check_not_enrolled(term, course, enrolled)
    check_status(course, section)
    check_times(course, section, enrolled)
    check_credits(term, course, enrolled)


def check_status(course: Course, section: Section) -> None:
    """Raise SectionClosed unless the section takes new students."""
    if section.status is not SectionStatus.ACTIVE:
        raise SectionClosed(course.title, section.section)


def check_times(course: Course, section: Section, enrolled: Iterable[Registration]) -> None:
    """Raise TimeConflict with all courses that overlap the section."""
    clashes = [(one.course.title, when.when) for one in enrolled if (when := overlap(section, one.section))]
    if clashes:
        raise TimeConflict(course.title, clashes)


def check_credits(term: Term, course: Course, enrolled: Iterable[Registration]) -> None:
    """Raise CreditLimit if the course would exceed the term's credit limit."""
    has = sum(one.course.credits for one in enrolled)
    if round(has + course.credits, 2) > term.max_credits:  # credits have two decimals at most
        raise CreditLimit(course.title, adds=course.credits, has=has, limit=term.max_credits)


def missing_prerequisites(
    course: Course,
    term: Term,
    taken_courses: Iterable[TakenCourse],
    registrations: Iterable[Registration] = (),
    together_with: Collection[str] = (),
) -> Sequence[Requisite]:
    """Return the prerequisites that the student has not taken in an earlier term with the required grade.

    For those that may be taken concurrently, the `registrations` of this term count too, and the courses
    `together_with`, which are added at the same time.
    """
    if not course.prerequisites and not course.requisite:  # true of most courses, and a page asks this about each
        return []
    earlier = taken_before(term, course.prerequisite_courses, taken_courses)
    beside = {one.courseID for one in registrations if one.status == "enrolled"}.union(together_with)
    return unmet_prerequisites(course, earlier, beside)


def unmet_prerequisites(course: Course, taken: Mapping[str, int], beside: Collection[str] = ()) -> Sequence[Requisite]:
    """Return the prerequisites that a student with these `taken` courses from earlier terms does not meet.

    The courses come with the ranks of their grades. Those `beside` are taken in the same term.
    """
    missing = [courseID for courseID in course.prerequisites if courseID not in taken]
    is_met = partial(meets, taken=taken, beside=beside)
    return [*missing, *requisites.unmet(requisite_parser.stored(course.requisite), is_met)]


def meets(leaf: Leaf, taken: Mapping[str, int], beside: Collection[str]) -> bool:
    """Return whether a student meets one prerequisite; the arguments are those of `unmet_prerequisites`."""
    match leaf:
        case Concurrently(courseID):
            return courseID in taken or courseID in beside
        case WithGrade(courseID, grade):
            return taken.get(courseID, 0) >= grades.rank(grade)
        case _:
            return leaf in taken


def check_prerequisites(
    course: Course,
    term: Term,
    taken_courses: Iterable[TakenCourse],
    registrations: Iterable[Registration] = (),
    together_with: Collection[str] = (),
) -> None:
    """Raise PrerequisiteMissing if there are `missing_prerequisites`."""
    if missing := missing_prerequisites(course, term, taken_courses, registrations, together_with):
        names = dict(zip(course.prerequisite_courses, course.needs, strict=False))
        raise PrerequisiteMissing(course.title, missing, [requisites.named(one, names) for one in missing])


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


def check_seat(course: Course, section: Section) -> None:
    """Raise SectionFull if every seat is taken."""
    if not section.free_seats:
        raise SectionFull(course.title, section.section)


def eligibility_checks(
    term: Term,
    course: Course,
    section: Section,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    dropped: Collection[Registration] = (),
    together_with: Collection[str] = (),
) -> Checks:
    """Yield the rules for the section, in exchange for the courses `dropped`.

    The courses `together_with` count as courses of this term. A swap within a course requires no corequisites, because
    the course stays.
    """
    staying = [one for one in registrations if one.status == "enrolled" and one not in dropped]
    yield Rule.NOT_ENROLLED, partial(check_not_enrolled, term, course, staying)
    yield Rule.STATUS, partial(check_status, course, section)
    yield Rule.TIMES, partial(check_times, course, section, staying)
    yield Rule.CREDITS, partial(check_credits, term, course, staying)
    yield Rule.PREREQUISITES, partial(check_prerequisites, course, term, taken_courses, staying, together_with)
    if all(one.courseID != course.courseID for one in dropped):
        yield Rule.COREQUISITES, partial(check_corequisites, course, term, staying, taken_courses, together_with)


def overlap(one: Section, other: Section) -> Meeting | None:
    """Return the first time at which both sections meet, or None."""
    for meeting in one.meetings:
        for theirs in other.meetings:
            if meeting.overlaps(theirs):
                days = "".join(day for day in meeting.days if day in theirs.days)
                return Meeting(days, max(meeting.start, theirs.start), min(meeting.end, theirs.end))
    return None


def fits(term: Term, course: Course, section: Section, registrations: Iterable[Registration]) -> bool:
    """Return whether the section fits the student's schedule."""
    try:
        check_fits(term, course, section, registrations)
    except Refused:
        return False
    return True


def dependent_courses(
    courseID: str, term: Term, registrations: Iterable[Registration], taken_courses: Iterable[TakenCourse]
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
        one for one in enrolled if one.courseID not in dropped and _is_dependent(one.course, dropped, enrolled, earlier)
    ]:
        dependents += more
        dropped.update(one.courseID for one in more)
    return dependents


def _is_dependent(
    course: Course, dropped: Set[str], enrolled: Iterable[Registration], earlier: Mapping[str, int]
) -> bool:
    """Return whether the course can't be kept without the dropped ones."""
    if not (dropped - earlier.keys()).isdisjoint(course.corequisites):
        return True
    if dropped.isdisjoint(course.concurrent_courses):
        return False
    beside = {one.courseID for one in enrolled}
    return not unmet_prerequisites(course, earlier, beside) and bool(
        unmet_prerequisites(course, earlier, beside - dropped)
    )


def check_dependents(
    dropped: Registration,
    term: Term,
    registrations: Iterable[Registration],
    taken_courses: Iterable[TakenCourse],
    replacement: str = "",
) -> None:
    """Raise CorequisitesWouldGo if other courses depend on this one, unless the course `replacement` is the same."""
    dependents = dependent_courses(dropped.courseID, term, registrations, taken_courses)
    if dependents and dropped.courseID != replacement:
        raise CorequisitesWouldGo(
            dropped.course.title, [one.course.title for one in dependents], [one.courseID for one in dependents]
        )


def taken_before(term: Term, needed: Collection[str], taken_courses: Iterable[TakenCourse]) -> dict[str, int]:
    """Return which of the `needed` courses were passed in an earlier term, each with the rank of its best grade."""
    found: dict[str, int] = {}
    for one in taken_courses:
        if one.courseID in needed and one.term.comes_before(term) and (rank := grades.rank(one.grade)):
            found[one.courseID] = max(rank, found.get(one.courseID, 0))
    return found


def _names(missing: Iterable[str], courseIDs: Iterable[str], names: Iterable[str]) -> Sequence[str]:
    known = dict(zip(courseIDs, names, strict=False))
    return [known.get(courseID, courseID) for courseID in missing]


def localized_moment(term: Term, moment: datetime) -> Moment:
    """Return the moment for a sentence, in the reader's own time zone or else the term's."""
    return Moment(moment, term.timezone)


def localized_deadline(term: Term, deadline: datetime) -> Moment | LastDay:
    """Return the deadline for a sentence, as `localized_end` does."""
    return localized_end(deadline, term.timezone)


def localized_end(end: datetime, timezone: str) -> Moment | LastDay:
    """Return the end of a period for a sentence: the moment, or the last day if one ends then.

    It must end in the school's `timezone` and in that of the reader.
    """
    last_day = LastDay(end, timezone)
    return last_day if day_ending_at(end, timezone) and last_day.is_readers else Moment(end, timezone)


def moment_text(term: Term, moment: datetime) -> str:
    """Return the moment in words, in the reader's own time zone or else the term's."""
    return str(localized_moment(term, moment))
