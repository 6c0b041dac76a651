"""Search the catalog of a term: by words and by facts, in a chosen order."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from quart_enroll.domain import requisite_rules, rules
from quart_enroll.domain.catalog import Catalog, CourseSections
from quart_enroll.domain.filter_choices import FilterChoices, building_of, level_of
from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Course, Registration, Section, TakenCourse, Term
from quart_enroll.domain.search_index import fold_name
from quart_enroll.domain.search_words import WordMatch, match_words
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.i18n.language import DAYS

MAX_NAME_WORDS = 10
"""Words of an instructor's name that are looked for."""

ALL_DAY = ("00:00", "24:00")
SortKey = Callable[[CourseSections], Any]

TIMES_OF_DAY = {"morning": ("00:00", "12:00"), "afternoon": ("12:00", "17:00"), "evening": ("17:00", "24:00")}
"""Times of day, each from and to: all meetings of a matching section begin within them."""

NO_FIXED_TIMES = "none"
"""Instead of a time of day: sections without meetings, such as those that are online at any time."""


@dataclass(frozen=True, slots=True)
class Search:
    """The filters that a visitor has chosen; empty ones don't apply.

    All `words` must occur in number, title, description, subject or instructor, or words like them (`match_words` says
    which). Sections meet only on `days`; `time` is one of TIMES_OF_DAY or NO_FIXED_TIMES; each word of `instructor`
    begins one of the instructor's names. `sort` is "number", for the numbers that pages show, or one of SORT_KEYS;
    empty, it is how well the courses match the words, or without words the order of the catalog: by courseID. With
    `attributes`, seats are `open` that a student with them can take; without, those that everyone can.
    """

    words: str = ""
    subject: str = ""
    level: str = ""
    days: str = ""
    time: str = ""
    credits: str = ""
    instructor: str = ""
    building: str = ""
    open: bool = False
    sort: str = ""
    attributes: StudentAttributes | None = None


def _title(found: CourseSections) -> Any:
    heading = found.course.heading
    return (heading.name or heading.number).casefold(), found.course.courseID


def _credits(found: CourseSections) -> Any:
    return found.course.credits, found.course.courseID


def _seats(found: CourseSections) -> Any:
    return -sum(section.open_seats for section in found.sections), found.course.courseID


def _begin(found: CourseSections) -> Any:
    starts = [meeting.start for section in found.sections for meeting in section.meetings]
    return min(starts, default="24:00"), found.course.courseID


SORT_KEYS: dict[str, SortKey] = {
    "title": _title,
    "credits": _credits,
    "seats": _seats,
    "time": _begin,
}
"""The sort keys other than the number; courses that compare equal are sorted by courseID."""


def search(
    catalog: Catalog, term: Term | None, wanted: Search, match: WordMatch | None = None
) -> Sequence[CourseSections]:
    """Return the courses of the term with sections that match all filters, in the chosen order.

    Without a term, search all courses, with their sections in all terms; a course without sections is found by itself.
    `match` is what matches the words, if the caller knows it already.
    """
    match = match or match_words(catalog, term, wanted.words)
    found: Sequence[CourseSections] = catalog.courses_in(term) if term else catalog.all_courses
    if (ranks := match.ranks) is not None:
        found = [one for one in found if one.course.courseID in ranks]
    if wanted.subject or wanted.credits or wanted.level:
        found = [one for one in found if _course_fits(one.course, wanted)]
    if match.has_instructors or _chooses_sections(wanted):
        found = list(_with_wanted_sections(found, match, wanted))
    if sort_key := _sort_key(catalog, wanted.sort):
        return sorted(found, key=sort_key)
    return found if ranks is None else sorted(found, key=lambda one: ranks[one.course.courseID])


def _sort_key(catalog: Catalog, sort: str) -> SortKey | None:
    if sort != "number":
        return SORT_KEYS.get(sort)
    ranks = catalog.course_index.number_ranks
    return lambda found: ranks[found.course.courseID]


def fitting(found: Iterable[CourseSections], term: Term, enrolled: Sequence[Registration]) -> list[CourseSections]:
    """Return the courses and sections that fit the student's schedule and credit limit."""
    result = []
    for one in found:
        sections = tuple(section for section in one.sections if rules.fits(term, one.course, section, enrolled))
        if sections:
            result.append(CourseSections(one.course, sections))
    return result


def with_met_prerequisites(
    found: Iterable[CourseSections],
    term: Term,
    taken_courses: Sequence[TakenCourse],
    enrolled: Sequence[Registration] = (),
    attributes: StudentAttributes = NO_ATTRIBUTES,
) -> list[CourseSections]:
    """Return the courses whose prerequisites are met by a student `enrolled` in these courses of the term."""
    facts = taken_courses, enrolled, (), attributes
    return [one for one in found if not requisite_rules.missing_prerequisites(one.course, term, *facts)]


def choices(catalog: Catalog, term: Term) -> FilterChoices:
    """Return what the filters offer in the term."""
    return catalog.section_index.facts_in(term.term).choices


def all_subjects(catalog: Catalog) -> list[str]:
    """Return the subjects of all courses."""
    return sorted({course.subject for course in catalog.courses} - {""})


def _chooses_sections(wanted: Search) -> bool:
    """Return whether the search looks for some sections of a course rather than for the course."""
    return bool(wanted.open or wanted.days or wanted.time or wanted.instructor or wanted.building)


def _course_fits(course: Course, wanted: Search) -> bool:
    return (
        (not wanted.subject or wanted.subject.casefold() == course.subject.casefold())
        and (not wanted.credits or wanted.credits == f"{course.credits:g}")
        and (not wanted.level or wanted.level == level_of(course))
    )


def _with_wanted_sections(
    found: Iterable[CourseSections], match: WordMatch, wanted: Search
) -> Iterator[CourseSections]:
    """Yield the courses with the sections that match, if there are any; the same object if all of them do."""
    picky, called = _chooses_sections(wanted), fold(wanted.instructor).split()[:MAX_NAME_WORDS]
    for one in found:
        names = match.required_names(one.course.courseID)
        if not names and not picky:
            yield one
        elif sections := tuple(section for section in one.sections if _is_wanted(section, names, called, wanted)):
            yield one if sections == one.sections else CourseSections(one.course, sections)


def _is_wanted(section: Section, names: Iterable[Set[str]], called: Sequence[str], wanted: Search) -> bool:
    """Return whether the section matches, and its instructor is among all `names` and has the words `called`."""
    if not all(section.instructor in one for one in names):
        return False
    if wanted.open and not (section.seen_by(wanted.attributes) if wanted.attributes else section).open_seats:
        return False
    if wanted.building and wanted.building != building_of(section):
        return False
    if called and not _is_called(section.instructor, called):
        return False
    return _meets_when_wanted(section, wanted)


def _is_called(name: str, words: Sequence[str]) -> bool:
    folded = fold_name(name)
    return all(f" {word}" in folded for word in words)


def _meets_when_wanted(section: Section, wanted: Search) -> bool:
    if not (wanted.days or wanted.time):
        return True
    if wanted.time == NO_FIXED_TIMES:
        return not section.meetings and not wanted.days
    begin, end = TIMES_OF_DAY.get(wanted.time, ALL_DAY)
    days = set(wanted.days or DAYS)
    meets = [set(one.days) <= days and begin <= one.start < end for one in section.meetings]
    return bool(meets) and all(meets)  # a section without fixed times may meet at any time
