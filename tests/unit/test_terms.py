"""Which term is current, and which ones a course or a person names."""

import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from quart_enroll.domain import terms
from quart_enroll.domain.errors import NoTerms, NotTaught, UnknownTerm
from quart_enroll.domain.models import Course, Term
from tests.support.people import FALL, FALL_MORNING, SPRING, TERMS, midnight

NEXT_FALL = replace(
    FALL,
    term="Fall 2027",
    opens_at=datetime(2027, 8, 1, tzinfo=UTC),
    withdraw_deadline=datetime(2027, 11, 1, tzinfo=UTC),
)
SECOND = timedelta(seconds=1)
YEARS_AGO = datetime(2025, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "term"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), FALL),
        (FALL.opens_at, FALL),
        (FALL.add_deadline - SECOND, FALL),
        (FALL.add_deadline, SPRING),
        (SPRING.opens_at, SPRING),
        (datetime(2030, 1, 1, tzinfo=UTC), SPRING),
    ],
)
def test_the_current_term_is_the_one_that_is_open_else_the_next_else_the_last(now: datetime, term: Term) -> None:
    assert terms.current(TERMS, now) == term


WITH_CLASSES = [
    replace(
        FALL, term="Fall 2024", starts_on=date(2024, 9, 2), ends_on=date(2024, 12, 20), withdraw_deadline=YEARS_AGO
    ),
    replace(
        FALL, term="Fall 2025", starts_on=date(2025, 9, 1), ends_on=date(2025, 12, 19), withdraw_deadline=YEARS_AGO
    ),
    replace(FALL, starts_on=date(2026, 8, 31), ends_on=date(2026, 12, 18)),
    replace(SPRING, starts_on=date(2027, 1, 18), ends_on=date(2027, 5, 7)),
    NEXT_FALL,
]


@pytest.mark.parametrize(
    ("now", "turn"),
    [
        (midnight(2026, 8, 31) - SECOND, ["Fall 2026", "Spring 2027", "Fall 2027", "Fall 2025", "Fall 2024"]),
        (midnight(2026, 11, 10), ["Fall 2026", "Spring 2027", "Fall 2027", "Fall 2025", "Fall 2024"]),
        (midnight(2026, 11, 20), ["Spring 2027", "Fall 2026", "Fall 2027", "Fall 2025", "Fall 2024"]),
        (midnight(2026, 12, 19) - SECOND, ["Spring 2027", "Fall 2026", "Fall 2027", "Fall 2025", "Fall 2024"]),
        (midnight(2026, 12, 19), ["Spring 2027", "Fall 2027", "Fall 2026", "Fall 2025", "Fall 2024"]),
        (midnight(2027, 5, 1), ["Spring 2027", "Fall 2027", "Fall 2026", "Fall 2025", "Fall 2024"]),
        (midnight(2027, 5, 8), ["Fall 2027", "Spring 2027", "Fall 2026", "Fall 2025", "Fall 2024"]),
    ],
)
def test_open_terms_come_first_then_current_future_and_past_ones(now: datetime, turn: list[str]) -> None:
    assert [term.term for term in terms.by_relevance(WITH_CLASSES, now)] == turn


def test_of_two_current_terms_the_later_opened_comes_first() -> None:
    early = replace(FALL, starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 18))
    late = replace(SPRING, opens_at=FALL.opens_at, starts_on=date(2026, 9, 1))
    assert terms.by_relevance([early, late], FALL_MORNING.replace(month=10)) == [late, early]


def test_the_next_day_begins_at_midnight_in_the_schools_timezone() -> None:
    west = replace(SPRING, timezone="America/Los_Angeles")
    assert terms.start_of_next_day(TERMS, midnight(2026, 11, 1)) == midnight(2026, 11, 2)  # the day has 25 hours
    assert terms.start_of_next_day([FALL, west], midnight(2026, 11, 2) - SECOND) == midnight(2026, 11, 2)
    assert terms.start_of_next_day([FALL, west], midnight(2026, 11, 2)) == midnight(2026, 11, 2) + timedelta(hours=3)


def test_a_school_without_terms_says_so() -> None:
    with pytest.raises(NoTerms):
        terms.current([], FALL_MORNING)
    with pytest.raises(NoTerms):
        terms.find("Fall", [], FALL_MORNING)
    with pytest.raises(NoTerms):
        terms.choose(JAVA, [], set(), "", FALL_MORNING)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Fall, Spring", ["Fall 2026", "Spring 2027"]),
        ("autumn", ["Fall 2026"]),
        ("FALL 2027", ["Fall 2027"]),
        ("Spring/Fall 2027", ["Spring 2027", "Fall 2027"]),
        ("Fall 2019", []),
        ("Downfall, Springfield", []),
        ("", []),
    ],
)
def test_a_list_of_seasons_means_their_next_terms(text: str, named: list[str]) -> None:
    assert [str(term) for term in terms.named(text, [NEXT_FALL, SPRING, FALL])] == named


def test_an_unknown_term_error_lists_the_known_ones() -> None:
    with pytest.raises(UnknownTerm) as refusal:
        terms.find("Monsoon", TERMS, FALL_MORNING)
    assert refusal.value.known_terms == ["Fall 2026", "Spring 2027"]


def test_a_season_means_its_next_term_or_else_its_last() -> None:
    late = FALL.withdraw_deadline
    assert terms.find("Fall", [FALL, SPRING, NEXT_FALL], late) == NEXT_FALL
    assert terms.find("Fall", TERMS, late) == FALL


@pytest.mark.parametrize(
    ("text", "offered", "now", "term"),
    [
        ("", {"Fall 2026", "Spring 2027"}, FALL_MORNING, FALL),
        ("", {"Fall 2026", "Spring 2027"}, SPRING.opens_at, SPRING),
        ("", {"Spring 2027"}, FALL_MORNING, SPRING),
        ("Fall, Spring", {"Spring 2027"}, FALL_MORNING, SPRING),
        ("Spring, Fall", {"Fall 2026", "Spring 2027"}, FALL_MORNING, FALL),
    ],
)
def test_enrolling_means_the_first_named_term_in_which_the_course_is_offered(
    text: str, offered: set[str], now: datetime, term: Term
) -> None:
    assert terms.choose(JAVA, TERMS, offered, text, now) == term


def test_of_several_named_terms_the_open_one_comes_first() -> None:
    spring = replace(SPRING, opens_at=FALL.add_deadline)
    offered = {"Fall 2026", "Spring 2027"}
    assert terms.choose(JAVA, [FALL, spring], offered, "Fall, Spring", FALL.add_deadline) == spring


@pytest.mark.parametrize(
    "text",
    ["Fall 20266", "2028 Spring", "2027 Spring", "Spring 2028", "Spring term", "the Spring", "Fall, 2028 Spring"],
)
def test_a_text_that_contains_a_season_is_not_the_name_of_a_term(text: str) -> None:
    assert terms.named(text, TERMS) == []
    with pytest.raises(UnknownTerm):
        terms.find(text, TERMS, FALL_MORNING)
    with pytest.raises(UnknownTerm):
        terms.choose(JAVA, TERMS, {"Fall 2026", "Spring 2027"}, text, FALL_MORNING)


def test_a_list_of_two_terms_is_not_a_term_name() -> None:
    with pytest.raises(UnknownTerm):
        terms.find("Fall, Spring", TERMS, FALL_MORNING)


SCHOOLS_OWN = [
    replace(FALL, term=name)
    for name in ("2026FA", "Winter 2026/27", "Summer Session II", "Fall 2026 – first half", "2026-27 Semester 1", "Été")
]


@pytest.mark.parametrize("term", SCHOOLS_OWN)
def test_a_custom_term_name_is_found_in_any_spelling(term: Term) -> None:
    known = [*TERMS, *SCHOOLS_OWN]
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in term.term)
    ways = (term.term, term.term.upper(), f"  {term.term.replace(' ', '   ')}", unicodedata.normalize("NFD", term.term))
    for text in (*ways, wide, f"\ufeff{term.term}"):
        assert terms.find(text, known, FALL_MORNING) == term
        assert terms.named(text, known) == [term]


@pytest.mark.parametrize(
    "text", ["2026", "FA", "2026F", "Winter", "Winter 2026", "2026/27", "Summer Session I", "Session"]
)
def test_part_of_a_custom_term_name_finds_nothing(text: str) -> None:
    with pytest.raises(UnknownTerm):
        terms.find(text, SCHOOLS_OWN, FALL_MORNING)


def test_a_course_may_list_seasons_and_custom_term_names() -> None:
    known = [*TERMS, *SCHOOLS_OWN]
    assert {term.term for term in terms.named("Spring, Winter 2026/27, 2026fa", known)} == {
        "Spring 2027",
        "Winter 2026/27",
        "2026FA",
    }
    assert terms.known_in("J-Term, Spring and Fall", TERMS) == TERMS
    assert terms.unknown_names("Spring, Winter 2022, 2026FA, J-Term", known) == ["J-Term"]


def test_terms_are_ordered_by_their_days_whatever_their_names() -> None:
    days = {
        "Fall 2026 – first half": (date(2026, 8, 31), date(2026, 10, 16)),
        "Fall 2026": (date(2026, 8, 31), date(2026, 12, 18)),
        "Fall 2026 – second half": (date(2026, 10, 19), date(2026, 12, 18)),
        "Winter 2026/27": (date(2027, 1, 4), date(2027, 1, 15)),
        "2027SP": (date(2027, 1, 18), date(2027, 5, 7)),
    }
    made = [replace(FALL, term=name, starts_on=first, ends_on=last) for name, (first, last) in days.items()]
    assert [term.term for term in sorted(set(made), key=lambda term: term.order)] == [*days]
    first_half, fall, second_half, winter, _ = made
    assert first_half.comes_before(second_half)
    assert fall.comes_before(winter)
    assert not any(one.comes_before(other) for one, other in ((first_half, fall), (fall, second_half), (fall, fall)))


def test_terms_without_days_are_ordered_by_their_ends() -> None:
    summer = replace(FALL, term="Summer 2026", opens_at=FALL.opens_at + SECOND, withdraw_deadline=FALL.add_deadline)
    assert sorted([FALL, summer], key=lambda term: term.order) == [summer, FALL]
    assert summer.comes_before(FALL)


def test_a_course_cannot_be_taken_in_a_term_without_it() -> None:
    with pytest.raises(NotTaught, match="JAV 201 isn’t offered in Fall 2026\\."):
        terms.choose(JAVA, TERMS, {"Spring 2027"}, "Fall", FALL_MORNING)


def test_without_dates_a_season_is_open_from_today_to_its_last_day() -> None:
    made = terms.default_terms("Fall, Spring", date(2026, 9, 1), max_credits=18, timezone="UTC")
    assert [str(term) for term in made] == ["Fall 2026", "Spring 2027"]
    fall = made[0]
    assert fall.is_open(datetime(2026, 9, 1, tzinfo=UTC))
    assert fall.is_open(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert not fall.is_open(datetime(2027, 1, 1, tzinfo=UTC))


JAVA = Course("2222", "JAV 201", "", 4, "Spring")
