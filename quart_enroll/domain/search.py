"""Looking through the catalog of a term: by words, by facts, in some order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from quart_enroll.domain import rules
from quart_enroll.domain.catalog import Catalog, CourseSections
from quart_enroll.domain.folding import compact, fold, joined_codes
from quart_enroll.domain.models import Course, Registration, Section, Term
from quart_enroll.i18n.language import DAYS

ALL_DAY = ("00:00", "24:00")
TIMES = {"morning": ("00:00", "12:00"), "afternoon": ("12:00", "17:00"), "evening": ("17:00", "24:00")}
"""Times of day, each from and to: a section is there when all its meetings begin there."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a visitor looks for; what is empty does not matter.

    `words` must all stand in courseID, title, description, subject or instructor, as beginnings of words or not; `days`
    are those on which the sections may meet; `time` is one of TIMES; `sort` is one of SORTS.
    """

    words: str = ""
    subject: str = ""
    days: str = ""
    time: str = ""
    credits: str = ""
    open: bool = False
    sort: str = ""


def _number(found: CourseSections) -> Any:
    return found.course.courseID


def _title(found: CourseSections) -> Any:
    return found.course.title.casefold(), found.course.courseID


def _credits(found: CourseSections) -> Any:
    return found.course.credits, found.course.courseID


def _seats(found: CourseSections) -> Any:
    return -sum(section.open_seats for section in found.sections), found.course.courseID


def _begin(found: CourseSections) -> Any:
    starts = [meeting.start for section in found.sections for meeting in section.meetings]
    return min(starts, default="24:00"), found.course.courseID


SORTS: dict[str, Callable[[CourseSections], Any]] = {
    "": _number,
    "title": _title,
    "credits": _credits,
    "seats": _seats,
    "time": _begin,
}
"""The orders, the usual one first; of equals the smaller courseID comes first."""


def search(catalog: Catalog, term: Term, wanted: Search) -> Sequence[CourseSections]:
    """Return the courses of the term with sections as `wanted`, in the order that it names."""
    words = fold(wanted.words).split()
    picky = bool(wanted.open or wanted.days or wanted.time)
    found = []
    for every in catalog.courses_in(term):
        course, sections = every.course, every.sections
        if not _course_fits(course, wanted):
            continue
        text = _text(course) if words else ""
        missing = [word for word in words if word not in text]
        if missing or picky:
            sections = tuple(section for section in sections if _is_wanted(section, missing, wanted))
        if sections:
            found.append(every if sections == every.sections else CourseSections(course, sections))
    return sorted(found, key=SORTS.get(wanted.sort, _number))


def fitting(found: Iterable[CourseSections], term: Term, enrolled: Sequence[Registration]) -> list[CourseSections]:
    """Return what a student could take besides what the student has, as far as times and credits go."""
    kept = []
    for one in found:
        sections = tuple(section for section in one.sections if rules.fits(term, one.course, section, enrolled))
        if sections:
            kept.append(CourseSections(one.course, sections))
    return kept


def subjects(catalog: Catalog, term: Term) -> list[str]:
    """Return the subjects that are taught in the term."""
    return sorted({one.course.subject for one in catalog.courses_in(term)} - {""})


def credits(catalog: Catalog, term: Term) -> list[str]:
    """Return the numbers of credits that courses of the term have."""
    return [f"{number:g}" for number in sorted({one.course.credits for one in catalog.courses_in(term)})]


def has_words(course: Course, words: str) -> bool:
    """Tell whether all these words stand in the course's number, title, description or subject."""
    text = _text(course)
    return all(word in text for word in fold(words).split())


@lru_cache(100_000)
def _text_of_school(text: str, number: str = "") -> str:
    """Return what searches look through; only for what the school has written, and no visitor.

    Numbers like CS 101 are there in one word too, and the course's own `number` without any blank.
    """
    folded = fold(text)
    return " ".join([folded, compact(number), *joined_codes(folded)])


def _text(course: Course) -> str:
    text = f"{course.courseID} {course.title} {course.description} {course.subject}"
    return _text_of_school(text, course.courseID)


def _course_fits(course: Course, wanted: Search) -> bool:
    return wanted.subject in ("", course.subject) and (not wanted.credits or wanted.credits == f"{course.credits:g}")


def _is_wanted(section: Section, missing: Sequence[str], wanted: Search) -> bool:
    """Tell whether the section fits, and its teacher has the words that the course is `missing`."""
    if not all(word in _text_of_school(section.instructor) for word in missing):
        return False
    if wanted.open and not section.open_seats:
        return False
    if not (wanted.days or wanted.time):
        return True
    begin, end = TIMES.get(wanted.time, ALL_DAY)
    days = set(wanted.days or DAYS)
    meets = [set(one.days) <= days and begin <= one.start < end for one in section.meetings]
    return bool(meets) and all(meets)  # one without fixed times may meet at any
