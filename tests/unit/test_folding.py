"""Folded texts: different spellings of one name, and what a search ignores."""

import pytest
from hypothesis import strategies as st

from quart_enroll.domain import folding

LETTERS = [
    chr(code)
    for code in (*range(0x21, 0x7F), *range(0xA1, 0x590))
    if chr(code) in folding.plain(chr(code)) or folding.plain(chr(code)).isalpha()
]
"""Signs of ASCII, and the letters of scripts with capitals."""

NAMES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=12).filter(lambda name: "sss" not in folding.plain(name))


@pytest.mark.parametrize(
    "spelling",
    ["mü 101", "MÜ 101", "mu\u0308 101", "Ｍü １０１", "mü\u00a0101", "mü  101 ", "m\u200bü 101\ufeff", "mü 1\u00ad01"],
)
def test_one_name_has_many_spellings(spelling: str) -> None:
    assert folding.key(spelling) == folding.key("Mü 101")


@pytest.mark.parametrize("other", ["mu 101", "mü101", "mü-101", "mü 1010", "mü 01"])
def test_different_names_stay_different(other: str) -> None:
    assert folding.key(other) != folding.key("Mü 101")


@pytest.mark.parametrize("text", ["\u200b", "\u3164", "\u2800\u00ad", "\ufeff\ufe0f", "\u115f\u1160", "\u034f"])
def test_some_characters_are_invisible(text: str) -> None:
    assert folding.visible(text) == ""
    assert folding.fold(text).strip() == ""


@pytest.mark.parametrize(
    ("section", "same"),
    [
        ("001", "1"),
        ("01", "1"),
        ("1", "1"),
        ("000", "0"),
        ("01A", "1a"),
        ("１", "1"),
        ("L01", "l01"),
        ("10", "10"),
        ("101", "101"),
    ],
)
def test_leading_zeros_do_not_make_a_different_section(section: str, same: str) -> None:
    assert folding.section_key(section) == same


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Łukasz Søren-Ærø", "lukasz soren aero"),
        ("Straße", "strasse"),
        ("Jose\u0301 D\u200bíaz", "jose diaz"),
        ("O’Brien, O'Brien", "obrien  obrien"),
        ("C++ and C#", "c++ and c#"),
        ("𝐃𝐚𝐭𝐚", "data"),
        ("İstanbul", "istanbul"),
    ],
)
def test_a_search_ignores_case_accents_and_letter_forms(written: str, folded: str) -> None:
    assert folding.fold(written) == folded
