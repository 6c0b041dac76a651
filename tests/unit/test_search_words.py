"""What a student types, and what it finds: forms of words, synonyms, typing mistakes, and the best matches first."""

from dataclasses import replace

import pytest

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, Section
from quart_enroll.domain.search import Search, search
from quart_enroll.domain.search_words import match_words
from quart_enroll.domain.spelling import by_length, similar_words
from quart_enroll.domain.synonyms import COMMON_SYNONYMS, Synonyms, read_synonyms
from tests.support.people import FALL, SPRING, TERMS

COURSES = (
    Course("ANT110", "ANT 110", "Cultures and Peoples. Includes some art history.", 3, "Fall", "Anthropology"),
    Course("ART201", "ART 201", "Art Histories. From caves to computers.", 3, "Fall", "Art"),
    Course("BIO101", "BIO 101", "Introduction to Biology. Two hours of lab a week.", 3, "Fall", "Biology"),
    Course("CHE101L", "CHE 101L", "Chemistry Laboratory. Goggles on.", 1, "Fall", "Chemistry"),
    Course("CS-101", "Programs that Think", "Data structures. Needs no mathematics.", 3, "Fall", "Computing"),
    Course("CS-1010", "Proofs", "Logic for machines.", 3, "Fall", "Computing"),
    Course("HIS100", "HIS 100", "World History. From the year 1000.", 3, "Fall", "History"),
    Course("HIS300", "HIS 300", "Rome. Politics and letters.", 3, "Fall", "History"),
    Course("MAT110", "MAT 110", "Calculus I. Limits and derivatives.", 3, "Fall", "Mathematics"),
    Course("PED100", "PED 100", "Swimming. Learn to swim.", 1, "Fall", "Physical Education"),
    Course("PHY101", "PHY 101", "Mechanics. Motion and forces.", 3, "Fall", "Physics"),
    Course("STA200", "Statistics", "Samples and errors.", 3, "Spring", "Mathematics"),
)
INSTRUCTORS = {"ART201": "Ana Calculo", "BIO101": "Zoë Álvarez", "HIS300": "Rome Bianchi"}
SECTIONS = tuple(
    Section("Spring 2027" if one.term == "Spring" else "Fall 2026", one.courseID, "01", 9)
    if one.courseID not in INSTRUCTORS
    else Section("Fall 2026", one.courseID, "01", 9, instructor=INSTRUCTORS[one.courseID])
    for one in COURSES
)
CATALOG = Catalog(COURSES, tuple(TERMS), SECTIONS)


def offering(*courses: Course) -> Catalog:
    """Return a catalog that offers these courses in fall."""
    return Catalog(courses, tuple(TERMS), tuple(Section("Fall 2026", one.courseID, "01", 9) for one in courses))


def found(words: str, catalog: Catalog = CATALOG, **wanted: str) -> list[str]:
    """Return the courses that the words find in fall, in order."""
    return [one.course.courseID for one in search(catalog, FALL, Search(words, **wanted))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("labs", ["CHE101L", "BIO101"]),
        ("laboratories", ["CHE101L", "BIO101"]),
        ("histories", ["ART201", "HIS100", "HIS300", "ANT110"]),
        ("history", ["HIS100", "ART201", "HIS300", "ANT110"]),
        ("derivative", ["MAT110"]),
        ("swim", ["PED100"]),
    ],
)
def test_other_forms_of_a_word_are_found(words: str, expected: list[str]) -> None:
    assert found(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("maths", ["MAT110", "CS-101"]),
        ("math", ["MAT110", "CS-101"]),
        ("cs", ["CS-101", "CS-1010"]),
        ("comp sci", ["CS-101", "CS-1010"]),
        ("computer science", ["CS-101", "CS-1010"]),
        ("comp sci logic", ["CS-1010"]),
        ("Poli Sci", ["HIS300"]),
        ("phys ed", ["PED100"]),
        ("PE", ["ANT110", "PED100"]),  # peoples
        ("chem", ["CHE101L"]),
        ("physics", ["PHY101"]),
    ],
)
def test_synonyms_are_found(words: str, expected: list[str]) -> None:
    assert found(words) == expected


@pytest.mark.parametrize("words", ["story", "rt", "ology", "ysics", "01", "101L"])
def test_the_middle_of_a_word_finds_nothing(words: str) -> None:
    assert found(words) == (["CHE101L"] if words == "101L" else [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cs101", ["CS-101", "CS-1010"]),
        ("CS 101", ["CS-101", "CS-1010"]),
        ("cs-1010", ["CS-1010"]),
        ("che101l", ["CHE101L"]),
        ("CSC101", ["CS-101", "CS-1010"]),
        ("cs999", []),
    ],
)
def test_a_course_is_found_by_its_number(words: str, expected: list[str]) -> None:
    assert found(words) == expected


def test_the_exact_number_comes_first() -> None:
    catalog = offering(Course("A1", "After CS 101", "", 3, "Fall"), *COURSES)
    assert found("cs 101", catalog) == ["CS-101", "A1", "CS-1010"]
    assert found("CS101 cs", catalog) == ["CS-101", "A1", "CS-1010"]


def test_titles_come_before_subjects_instructors_and_descriptions() -> None:
    texts = [
        ("Rome", "", "", ""),
        ("Italy", "Rome", "", ""),
        ("Italy", "", "Rome Bianchi", ""),
        ("Italy", "", "", "Rome"),
    ]
    courses = [
        Course(f"C{9 - number}", title, description, 3, "Fall", subject)
        for number, (title, subject, _, description) in enumerate(texts)
    ]
    sections = [
        Section("Fall 2026", course.courseID, "01", 9, instructor=instructor)
        for course, (_, _, instructor, _) in zip(courses, texts, strict=True)
    ]
    catalog = Catalog(tuple(reversed(courses)), tuple(TERMS), tuple(sections))
    assert found("rome", catalog) == ["C9", "C8", "C7", "C6"]
    assert found("rome", catalog, sort="number") == ["C6", "C7", "C8", "C9"]
    assert found("rome", catalog, sort="title") == ["C6", "C7", "C8", "C9"]


def test_words_that_are_all_in_the_title_come_first() -> None:
    catalog = offering(
        Course("A1", "Data", "", 3, "Fall", "Log"), Course("A2", "Databases and Logistics", "", 3, "Fall")
    )
    assert found("data log", catalog) == ["A2", "A1"]


def test_whole_words_come_before_longer_ones() -> None:
    assert found("art") == ["ART201", "ANT110"]
    catalog = offering(Course("A100", "Artificial Minds", "", 3, "Fall"), *COURSES)
    assert found("art", catalog) == ["ART201", "A100", "ANT110"]


@pytest.mark.parametrize(
    ("typed", "meant", "expected"),
    [
        ("calulus", "calculus", ["MAT110"]),
        ("Calclus I", "calculus I", ["MAT110"]),
        ("histroy", "history", ["HIS100", "ART201", "HIS300", "ANT110"]),
        ("chemisrty, labs", "chemistry labs", ["CHE101L"]),
        ("mathmatics", "mathematics", ["MAT110", "CS-101"]),
        ("mathmatic", "mathematics", ["MAT110", "CS-101"]),
        ("alvares", "alvarez", ["BIO101"]),
        ("compter science", "computer science", ["CS-101", "CS-1010"]),
        ("Bianchi", "Bianchi", ["HIS300"]),
        ("machine learning", "machine learning", []),  # both words are known, though not as a phrase
        ("calc", "calc", ["MAT110", "ART201"]),
    ],
)
def test_a_mistyped_word_is_found_in_its_nearest_spelling(typed: str, meant: str, expected: list[str]) -> None:
    assert match_words(CATALOG, FALL, typed).words == meant
    assert found(typed) == expected


@pytest.mark.parametrize("typed", ["xyz", "lgo", "HIS101", "1001", "zoologie", "", "%", "\0", "statistcs"])
def test_a_word_that_resembles_nothing_in_the_term_stays_as_typed(typed: str) -> None:
    assert match_words(CATALOG, FALL, typed).words == typed


def test_two_neighbors_in_the_wrong_order_are_one_mistake() -> None:
    vocabulary = by_length(["calculus", "calculate", "calc1", "c", "callous"])
    assert similar_words("caclulus", [vocabulary]) == [(1, "calculus")]
    assert similar_words("calclus", [vocabulary]) == [(1, "calculus")]
    assert similar_words("calculats", [vocabulary]) == [(1, "calculate"), (2, "calculus")]


def test_the_first_letter_is_rarely_wrong() -> None:
    catalog = offering(Course("A1", "Bane", "", 3, "Fall"), Course("A2", "Tone", "", 3, "Fall"))
    assert match_words(catalog, FALL, "tane").words == "tone"
    assert match_words(catalog, FALL, "kane").words == "bane"


def test_small_words_are_not_respelled() -> None:
    catalog = offering(Course("A1", "Wish and Will", "", 3, "Fall"))
    assert match_words(catalog, FALL, "wissh with will").words == "wish with will"


def test_spelling_depends_on_what_the_term_offers() -> None:
    assert match_words(CATALOG, SPRING, "statistcs").words == "statistics"
    assert match_words(CATALOG, None, "statistcs").words == "statistics"
    assert match_words(CATALOG, SPRING, "calulus").words == "calulus"


def test_small_words_are_ignored_beside_others() -> None:
    assert found("the history of the world") == ["HIS100"]
    assert found("of") == ["BIO101"]


def test_every_word_must_match_and_more_than_a_dozen_narrow_nothing() -> None:
    assert found("history limits") == []
    assert found("mat calculus i limits and derivatives 110 mathematics 1 ma ca li de no such word") == ["MAT110"]


def test_an_instructors_other_courses_are_not_found() -> None:
    other = replace(SECTIONS[2], section="02", instructor="Bob Okafor")
    catalog = Catalog(COURSES, tuple(TERMS), (*SECTIONS, other))
    [one] = search(catalog, FALL, Search("biology alvarez"))
    assert [section.section for section in one.sections] == ["01"]
    assert found("alvarez okafor", catalog) == []


def test_a_school_adds_synonyms_of_its_own() -> None:
    own = Synonyms(read_synonyms("Gym, swimming; number theory, maths ;"))
    catalog = Catalog(COURSES, tuple(TERMS), SECTIONS, own)
    assert found("gym") == []
    assert found("gym", catalog) == ["PED100"]
    assert found("number theory", catalog) == ["MAT110", "CS-101"]  # in one group with the common ones


def test_no_common_synonym_is_in_two_groups() -> None:
    synonyms = [one.strip() for group in COMMON_SYNONYMS for one in group.split(",")]
    assert len(synonyms) == len(set(synonyms))
