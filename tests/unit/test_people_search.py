"""The words by which people are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quart_enroll.domain.models import User
from quart_enroll.domain.people_search import MAX_WORD_LENGTH, prefixes, words_of


@pytest.mark.parametrize(
    ("first", "last", "email", "words"),
    [
        ("Ada", "Winters", "ada@school.example", ["#7.", "ada@school.example", "school.example", "winters"]),
        (
            "Jean-Luc",
            "O’Brien Díaz",
            "j.obrien+uni@school.example",
            [
                *("#7.", "diaz", "j.obrien+uni@school.example", "jean-luc", "luc"),
                *("obrien+uni@school.example", "school.example", "uni@school.example"),
            ],
        ),
        ("", "", "", ["#7."]),
    ],
)
def test_a_user_is_found_by_the_beginning_of_each_word(first: str, last: str, email: str, words: list[str]) -> None:
    assert words_of(User(7, email, first, last)) == words


@given(st.text(max_size=50), st.text(max_size=50))
def test_whoever_searches_for_a_whole_name_finds_it(first: str, last: str) -> None:
    words = words_of(User(7, "", first, last))
    for alternatives in prefixes(f"{first} {last}".split()):
        prefix = alternatives[0]
        assert any(word.startswith(prefix) for word in words) or not any(map(str.isalnum, prefix))


def test_the_longest_word_is_looked_up_first() -> None:
    assert prefixes(["a", "(Bob", "O'Neill", "'", "7"]) == [["oneill"], ["bob"], ["7", "#7."], ["a"]]
    assert prefixes(["x" * 500]) == [["x" * MAX_WORD_LENGTH]]


@pytest.mark.parametrize("word", ["Winters,", '"Winters"', "(Winters)", "<winters>", "winters;"])
def test_punctuation_around_a_word_is_ignored(word: str) -> None:
    assert prefixes([word]) == [["winters"]]
