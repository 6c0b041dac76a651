"""The number, name and description of a course, from databases that store them differently."""

import pytest

from quart_enroll.domain.course_heading import CourseHeading, course_heading


@pytest.mark.parametrize(
    ("title", "description", "expected"),
    [
        ("PHP 202", "Advanced PHP Programming", ("PHP 202", "Advanced PHP Programming", "")),
        ("ART 101", "Drawing I. Line and tone. Bring paper.", ("ART 101", "Drawing I", "Line and tone. Bring paper.")),
        ("Math-101", "What Is a Number? Counting.", ("Math-101", "What Is a Number?", "Counting.")),
        ("ECO 110", "The U.S. Economy. Since 1945.", ("ECO 110", "The U.S. Economy", "Since 1945.")),
        ("MUS 101", "Bells of St. Petersburg. Listen.", ("MUS 101", "Bells of St. Petersburg", "Listen.")),
        ("CSC 101", "Web pages, e.g. this one. By hand.", ("CSC 101", "Web pages, e.g. this one", "By hand.")),
        ("BIO 101", "Genetics\nPeas and people.", ("BIO 101", "Genetics", "Peas and people.")),
        ("BIO 102", f"It {'really ' * 9}matters. So come.", ("BIO 102", "", f"It {'really ' * 9}matters. So come.")),
        ("BIO 103", " ", ("BIO 103", "", "")),
    ],
)
def test_a_title_that_is_a_number_has_the_name_in_the_description(
    title: str, description: str, expected: tuple[str, str, str]
) -> None:
    assert course_heading("3333", title, description) == CourseHeading(*expected)


@pytest.mark.parametrize(
    ("title", "number", "name"),
    [
        ("Drawing I", "3333", "Drawing I"),
        ("ENG 101: Composition", "ENG 101", "Composition"),
        ("CS101 Programming", "CS101", "Programming"),
        ("May 2027 Workshop", "3333", "May 2027 Workshop"),
        ("ART LAB", "3333", "ART LAB"),
        ("", "3333", ""),
    ],
)
def test_any_other_title_is_the_name_after_its_number_if_it_begins_with_one(title: str, number: str, name: str) -> None:
    assert course_heading("3333", title, "Line. Tone.") == CourseHeading(number, name, "Line. Tone.")


def test_a_heading_is_the_number_and_the_name_if_there_is_one() -> None:
    assert str(course_heading("3333", "PHP 202", "Advanced PHP Programming")) == "PHP 202 · Advanced PHP Programming"
    assert str(course_heading("3333", "PHP 202", "")) == "PHP 202"


def test_numbers_are_sorted_as_people_count() -> None:
    numbers = ["CS 1010", "CS 99", "1111", "CS 101L", "AB 200", "CS-101", "222"]
    headings = [course_heading(number, "Seminar", "") for number in numbers]
    ordered = [one.number for one in sorted(headings, key=lambda one: one.number_key)]
    assert ordered == ["222", "1111", "AB 200", "CS 99", "CS-101", "CS 101L", "CS 1010"]
