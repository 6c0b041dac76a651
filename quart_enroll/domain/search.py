"""Search the catalog of a term: by words and by facts, in a chosen order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from quart_enroll.domain import rules
from quart_enroll.domain.catalog import Catalog, CourseSections
from quart_enroll.domain.course_index import searchable
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Course, Registration, Section, Term
from quart_enroll.i18n.language import DAYS

ALL_DAY = ("00:00", "24:00")
TIMES_OF_DAY = {"morning": ("00:00", "12:00"), "afternoon": ("12:00", "17:00"), "evening": ("17:00", "24:00")}
"""Times of day, each from and to: all meetings of a matching section begin within them."""


@dataclass(frozen=True, slots=True)
class Search:
    """The filters that a visitor has chosen; empty ones don't apply.

    All `words` must occur in courseID, title, description, subject or instructor, in any position; sections meet only
    on `days`; `time` is one of TIMES_OF_DAY, `sort` one of SORT_KEYS.
    """

    words: str = ""
    subject: str = ""
    days: str = ""
    time: str = ""
    credits: str = ""
    open: bool = False
    sort: str = ""


def _title(found: CourseSections) -> Any:
    return found.course.title.casefold(), found.course.courseID


def _credits(found: CourseSections) -> Any:
    return found.course.credits, found.course.courseID


def _seats(found: CourseSections) -> Any:
    return -sum(section.open_seats for section in found.sections), found.course.courseID


def _begin(found: CourseSections) -> Any:
    starts = [meeting.start for section in found.sections for meeting in section.meetings]
    return min(starts, default="24:00"), found.course.courseID


SORT_KEYS: dict[str, Callable[[CourseSections], Any] | None] = {
    "": None,
    "title": _title,
    "credits": _credits,
    "seats": _seats,
    "time": _begin,
}
"""The sort keys, with the default first, which is the order of the catalog: by courseID, as are courses that compare
equal."""


def search(catalog: Catalog, term: Term | None, wanted: Search) -> Sequence[CourseSections]:
    """Return the courses of the term with sections that match all filters, in the chosen order.

    Without a term, search all courses, with their sections in all terms; a course without sections is found by itself.
    """
    words, subject = fold(wanted.words).split(), wanted.subject.casefold()
    picky = bool(wanted.open or wanted.days or wanted.time)
    index = catalog.course_index
    found = []
    for every in catalog.courses_in(term) if term else catalog.all_courses:
        course, sections = every.course, every.sections
        if not _course_fits(course, subject, wanted.credits):
            continue
        text = index.searchable_text(course) if words else ""
        missing = [word for word in words if word not in text]
        if missing or picky:
            sections = tuple(section for section in sections if _is_wanted(section, missing, wanted))
        if sections or not (every.sections or missing or picky):
            found.append(every if sections == every.sections else CourseSections(course, sections))
    sort_key = SORT_KEYS.get(wanted.sort)
    return sorted(found, key=sort_key) if sort_key else found


def fitting(found: Iterable[CourseSections], term: Term, enrolled: Sequence[Registration]) -> list[CourseSections]:
    """Return the courses and sections that fit the student's schedule and credit limit."""
    result = []
    for one in found:
        sections = tuple(section for section in one.sections if rules.fits(term, one.course, section, enrolled))
        if sections:
            result.append(CourseSections(one.course, sections))
    return result


def subjects(catalog: Catalog, term: Term) -> list[str]:
    """Return the subjects offered in the term."""
    return sorted({one.course.subject for one in catalog.courses_in(term)} - {""})


def all_subjects(catalog: Catalog) -> list[str]:
    """Return the subjects of all courses."""
    return sorted({course.subject for course in catalog.courses} - {""})


def credits(catalog: Catalog, term: Term) -> list[str]:
    """Return the numbers of credits of the courses offered in the term."""
    return [f"{number:g}" for number in sorted({one.course.credits for one in catalog.courses_in(term)})]


def _course_fits(course: Course, subject: str, credits: str) -> bool:
    return (not subject or subject == course.subject.casefold()) and (not credits or credits == f"{course.credits:g}")


def _is_wanted(section: Section, missing: Sequence[str], wanted: Search) -> bool:
    """Return whether the section matches, and its instructor has the words that the course is `missing`."""
    if not all(word in searchable(section.instructor) for word in missing):
        return False
    if wanted.open and not section.open_seats:
        return False
    if not (wanted.days or wanted.time):
        return True
    begin, end = TIMES_OF_DAY.get(wanted.time, ALL_DAY)
    days = set(wanted.days or DAYS)
    meets = [set(one.days) <= days and begin <= one.start < end for one in section.meetings]
    return bool(meets) and all(meets)  # a section without fixed times may meet at any time
