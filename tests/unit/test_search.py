"""Searching the catalog: what is found, and in which order."""

from dataclasses import replace
from datetime import date

import pytest
from werkzeug.datastructures import MultiDict

from quart_enroll.domain import search
from quart_enroll.domain.catalog import Catalog, CourseSections, with_names
from quart_enroll.domain.errors import PrerequisiteMissing
from quart_enroll.domain.filter_choices import FilterChoices, building_of, level_of
from quart_enroll.domain.models import Course, Meeting, Registration, Section, TakenCourse
from quart_enroll.domain.requisite_rules import check_prerequisites
from quart_enroll.domain.search import Search
from quart_enroll.forms.search import SearchForm
from tests.support.people import COURSES, FALL, SECTIONS, TERMS

CAFE = Course("C100", "CAF 100", "Café culture", 2, "Fall", "Culture")
WEEKEND = Section("Fall 2026", "C100", "01", 5, 5, 0, 0, (Meeting("S", "10:00", "11:50"),), "Zoë Álvarez", "Attic")
ANYTIME = Section("Fall 2026", "C100", "02", 9, 0, 0, 0, (), "L. Haddad", "Online")
EARLIER = replace(FALL, term="Fall 2025", starts_on=date(2025, 9, 1), ends_on=date(2025, 12, 1))
CATALOG = Catalog((*COURSES, CAFE), tuple(TERMS), (*SECTIONS, WEEKEND, ANYTIME))


def found(**wanted: object) -> list[str]:
    """Return what is found in fall, as courseID-section."""
    shown = search.search(CATALOG, FALL, Search(**wanted))  # type: ignore[arg-type]
    return [f"{one.course.courseID}-{section.section}" for one in shown for section in one.sections]


ALL = ["1111-01", "1111-02", "3333-01", "C100-01", "C100-02"]


def test_an_empty_search_finds_every_course_of_the_term() -> None:
    assert found() == ALL


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("1111", ["1111-01", "1111-02"]),
        ("pyt", ["1111-01", "1111-02"]),
        ("python intro", ["1111-01", "1111-02"]),
        ("advanced", ["3333-01"]),
        ("haddad", ["1111-02", "C100-02"]),
        ("python haddad", ["1111-02"]),
        ("cafe", ["C100-01", "C100-02"]),
        ("ALVAREZ zoe", ["C100-01"]),
        ("culture", ["C100-01", "C100-02"]),
        ("java", []),
        ("python silva", []),
    ],
)
def test_a_search_requires_all_words_in_any_case_and_with_any_accents(words: str, expected: list[str]) -> None:
    assert found(words=words) == expected


LANGUAGES = Course("CSC-111", "C/C++ and C#", 'What you can’t say in C; data-structures, "objects"', 3, "Fall", "I/O")
LETTERS = Course("C200", "LET 200", "Women's letters: हिन्दी, C. de Staël and Renaissance_art", 3, "Fall")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("can't", ["CSC-111"]),
        ("can’t", ["CSC-111"]),
        ("can´t", ["CSC-111"]),
        ("cant", ["CSC-111"]),
        ("women’s", ["C200"]),
        ("'women'", ["C200"]),
        ("data,", ["CSC-111"]),
        ('"data"', ["CSC-111"]),
        ("“data”", ["CSC-111"]),
        ("«objects»", ["CSC-111"]),
        ("structures/data", ["CSC-111"]),
        ("data structures", ["CSC-111"]),
        ("data+", ["CSC-111"]),
        ("#data", ["CSC-111"]),
        ("renaissance-art", ["C200"]),
        ("¿renaissance?", ["C200"]),
        ("stael,de", ["C200"]),
        ("हिन्दी", ["C200"]),
        ("CSC-111", ["CSC-111"]),
        ("csc 111", ["CSC-111"]),
        ("CSC‑111", ["CSC-111"]),  # the hyphen at which no line ends
        ("C++", ["CSC-111"]),
        ("(c++,", ["CSC-111"]),
        ("C#", ["CSC-111"]),
        ("1111", ["1111"]),
        ("D'Haddad", ["1111"]),  # the nearest spelling
        ("O’HADDAD,", ["1111"]),
        ("F#", []),
    ],
)
def test_punctuation_makes_no_difference(words: str, expected: list[str]) -> None:
    sections = [Section("Fall 2026", course.courseID, "01", 5) for course in (LANGUAGES, LETTERS)]
    taught = Section("Fall 2026", "1111", "01", 5, instructor="K. O'Haddad")
    catalog = Catalog((COURSES[0], LANGUAGES, LETTERS), tuple(TERMS), (taught, *sections))
    assert [one.course.courseID for one in search.search(catalog, FALL, Search(words=words))] == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"subject": "Culture"}, ["C100-01", "C100-02"]),
        ({"credits": "4"}, ["3333-01"]),
        ({"days": "TR"}, ["1111-02", "3333-01"]),
        ({"days": "MTWRF"}, ["1111-01", "1111-02", "3333-01"]),
        ({"time": "morning"}, ["1111-01", "C100-01"]),
        ({"time": "afternoon"}, ["3333-01"]),
        ({"time": "evening"}, ["1111-02"]),
        ({"days": "TR", "time": "evening"}, ["1111-02"]),
        ({"time": "none"}, ["C100-02"]),
        ({"time": "none", "days": "M"}, []),
        ({"open": True}, ["1111-01", "1111-02", "3333-01", "C100-02"]),
        ({"level": "200"}, ["3333-01"]),
        ({"level": "100", "building": "Hall"}, ["1111-01", "1111-02"]),
        ({"building": "Online"}, ["C100-02"]),
        ({"instructor": "haddad"}, ["1111-02", "C100-02"]),
        ({"instructor": "álv"}, ["C100-01"]),
        ({"instructor": "zoe silva"}, []),
        ({"instructor": "addad"}, []),
    ],
)
def test_a_filter_leaves_the_sections_that_fit(wanted: dict[str, object], expected: list[str]) -> None:
    assert found(**wanted) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["1111", "3333", "C100"]),
        ("number", ["C100", "3333", "1111"]),  # CAF 100, PHP 202, PYT 101
        ("title", ["3333", "C100", "1111"]),  # Advanced PHP Programming, Café culture, Introduction to Python
        ("credits", ["C100", "1111", "3333"]),
        ("seats", ["1111", "C100", "3333"]),
        ("time", ["1111", "C100", "3333"]),
    ],
)
def test_the_visitor_chooses_the_order(sort: str, expected: list[str]) -> None:
    assert [one.course.courseID for one in search.search(CATALOG, FALL, Search(sort=sort))] == expected


def test_courses_that_fit_have_no_conflict_and_stay_within_the_credit_limit() -> None:
    clash = Course("X", "X 1", "", 15, "Fall")
    enrolled = [
        Registration(clash, Section("Fall 2026", "X", "01", 1, meetings=(Meeting("M", "09:30", "10:00"),)), "enrolled")
    ]
    shown = search.fitting(
        [CourseSections(COURSES[0], tuple(SECTIONS[:2])), CourseSections(COURSES[2], (SECTIONS[2],))],
        FALL,
        enrolled,
    )
    assert shown == [CourseSections(COURSES[0], (SECTIONS[1],))]  # section 01 clashes, and 4 credits are too many


def test_courses_whose_prerequisites_were_not_taken_can_be_hidden() -> None:
    advanced = replace(COURSES[2], prerequisites=("2222",))
    found = [CourseSections(COURSES[0], (SECTIONS[0],)), CourseSections(advanced, (SECTIONS[2],))]
    assert search.with_met_prerequisites(found, FALL, []) == found[:1]
    assert search.with_met_prerequisites(found, FALL, [TakenCourse("2222", EARLIER)]) == found
    in_same_term = [TakenCourse("2222", FALL)]  # the prerequisite must come first
    assert search.with_met_prerequisites(found, FALL, in_same_term) == found[:1]


def test_a_term_has_its_own_filter_choices() -> None:
    choices = search.choices(CATALOG, FALL)
    assert choices.subjects == ("Culture",)
    assert choices.credits == ("2", "3", "4")
    assert choices.levels == ("100", "200")
    assert choices.buildings == ("Attic", "Hall", "Lab", "Online")


@pytest.mark.parametrize(
    ("courseID", "title", "level"),
    [
        ("3333", "PHP 202", "200"),
        ("CS-101", "Algorithms", "100"),
        ("CSC111L", "CSC 111L", "100"),
        ("ENG 2101", "Poetry", "2000"),
        ("HIS-300", "From 1500 to now", "300"),
        ("X7", "Chess", ""),
        ("", "", ""),
    ],
)
def test_the_level_of_a_course_is_in_its_number(courseID: str, title: str, level: str) -> None:
    assert level_of(Course(courseID, title, "", 3, "Fall")) == level


@pytest.mark.parametrize(
    ("room", "building"),
    [
        ("Carson Hall 101", "Carson Hall"),
        ("Carson Hall", "Carson Hall"),
        ("Carson Hall, B-12 (upstairs)", "Carson Hall"),
        ("Hall #3", "Hall"),
        ("B204", ""),
        ("", ""),
    ],
)
def test_the_building_of_a_section_is_its_room_without_the_number(room: str, building: str) -> None:
    assert building_of(replace(SECTIONS[0], room=room)) == building


def test_the_filter_choices_follow_changes_of_rooms_and_instructors() -> None:
    busy, moved = replace(SECTIONS[0], seats_taken=5), replace(SECTIONS[0], room="Tower 1", instructor="N. Bohr")
    before = Catalog(tuple(COURSES), tuple(TERMS), tuple(SECTIONS))
    choices = search.choices(before, FALL)
    seats_moved = before.with_sections((busy, *SECTIONS[1:]), [busy])
    assert search.choices(seats_moved, FALL) is choices
    after = seats_moved.with_sections((moved, *SECTIONS[1:]), [moved])
    assert search.choices(after, FALL).buildings == ("Hall", "Lab", "Tower")
    assert [one.sections for one in search.search(after, FALL, Search(words="bohr"))] == [(moved,)]
    assert not search.search(before, FALL, Search(words="bohr"))


def test_the_order_of_search_parameters_does_not_matter() -> None:
    once = SearchForm.parameters_of(MultiDict([("q", "art"), ("days", "M"), ("days", "W"), ("open", "y")]))
    again = [("days", "W"), ("open", "y"), ("page", "7"), ("q", "art"), ("q", "another"), ("days", "M"), ("x", "1")]
    assert SearchForm.parameters_of(MultiDict(again)) == once
    assert SearchForm.parameters_of(MultiDict([("q", "arts"), *again])) != once
    form = SearchForm.from_parameters(once, FilterChoices())
    assert form.search() == Search(words="art", days="MW", open=True)


def test_a_search_result_with_all_sections_of_a_course_is_shared() -> None:
    shared = CATALOG.courses_in(FALL)
    assert all(one in shared for one in search.search(CATALOG, FALL, Search(words="cafe")))
    assert [id(one) for one in search.search(CATALOG, FALL, Search())] == [id(one) for one in shared]
    [part] = search.search(CATALOG, FALL, Search(words="cafe", open=True))
    assert part.sections == (ANYTIME,)


def test_a_course_is_named_by_number_and_title_or_by_number_if_deleted() -> None:
    algebra = Course("MAT101", "MAT 101", "Algebra", 3, "Fall")
    wanted = replace(CAFE, prerequisites=("1111", "MAT101", "9999"))
    [*_, found] = with_names([*COURSES, algebra, wanted])
    assert found.needs == ("1111 (PYT 101)", "MAT 101", "9999")
    with pytest.raises(PrerequisiteMissing, match=r"requires MAT 101 and 9999 from an earlier term"):
        check_prerequisites(found, replace(FALL, term="Fall 2027"), [TakenCourse("1111", FALL)])
