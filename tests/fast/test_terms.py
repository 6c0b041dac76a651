"""Which term is now, which ones a course names, which one a person means."""

from datetime import date

import pytest

from quart_enroll.errors import NotTaught, UnknownTerm
from quart_enroll.models import Course, Term
from quart_enroll.services import terms

SEPTEMBER = date(2026, 9, 1)


@pytest.mark.parametrize(
    ("day", "term"),
    [
        (date(2026, 1, 1), "Spring 2026"),
        (date(2026, 5, 31), "Spring 2026"),
        (date(2026, 6, 1), "Summer 2026"),
        (date(2026, 7, 31), "Summer 2026"),
        (date(2026, 8, 1), "Fall 2026"),
        (date(2026, 12, 31), "Fall 2026"),
    ],
)
def test_the_current_term_follows_the_calendar(day: date, term: str) -> None:
    assert str(terms.current(day)) == term


def test_terms_sort_by_time() -> None:
    assert sorted([Term("Winter", 2027), Term("Fall", 2026), Term("Spring", 2027)]) == [
        Term("Fall", 2026),
        Term("Winter", 2027),
        Term("Spring", 2027),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Fall, Spring", ["Fall 2026", "Spring 2027"]),
        ("autumn", ["Fall 2026"]),
        ("FALL 2027", ["Fall 2027"]),
        ("Spring/Summer", ["Spring 2027", "Summer 2027"]),
        ("Fall 2019", []),
        ("Downfall, Springfield", []),
        ("", []),
    ],
)
def test_a_text_names_the_next_terms_of_its_seasons(text: str, named: list[str]) -> None:
    assert [str(term) for term in terms.named(text, terms.ahead(SEPTEMBER))] == named


def test_an_unknown_term_comes_with_the_known_ones() -> None:
    with pytest.raises(UnknownTerm) as refusal:
        terms.find("Monsoon", [Term("Fall", 2026)])
    assert refusal.value.known == ["Fall 2026"]


def test_a_course_is_taken_in_the_next_term_in_which_it_is_taught() -> None:
    assert str(terms.choose(_course("Spring"), "", SEPTEMBER)) == "Spring 2027"
    assert str(terms.choose(_course("Fall, Spring"), "Spring, Summer", SEPTEMBER)) == "Spring 2027"


def test_a_course_is_not_taken_when_it_is_not_taught() -> None:
    with pytest.raises(NotTaught, match=r"JAV 201 is not taught in Fall 2026\."):
        terms.choose(_course("Spring"), "Fall", SEPTEMBER)


def _course(term: str) -> Course:
    return Course("2222", "JAV 201", "", 4, term)
