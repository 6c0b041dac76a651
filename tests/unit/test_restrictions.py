"""Restrictions, written as text."""

from dataclasses import replace

import pytest

from quart_enroll.domain.errors import Restricted
from quart_enroll.domain.restrictions import RestrictionError, parse, stored, to_text, unmet
from quart_enroll.domain.rules import check_restrictions
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.i18n.language import use_language
from tests.concurrency.school import course, section

NURSE = StudentAttributes(("Nursing", "Public Health"), level="Graduate", standing="Senior", cohorts=("2026",))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Program: Nursing,Biology", "program: Nursing, Biology"),
        ("programs:  Public   Health ;NOT Levels: First-year;", "program: Public Health; not level: First-year"),
        ('program: "Film, Television", Art', 'program: "Film, Television", Art'),
        ('campuses: "North"', "campus: North"),
        ("cohort: not yet; cohort: not yet", "cohort: not yet"),
        (" ", ""),
    ],
)
def test_a_text_is_read_in_many_spellings(text: str, canonical: str) -> None:
    assert to_text(parse(text)) == canonical
    assert to_text(parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Nursing", "Character 1: write program, level, standing, cohort, or campus here, and a colon after it."),
        ("program: Nursing; not Biology", "Character 23: write program, level, "),
        ("program Nursing", "Character 9: write a colon here."),
        ("program:", "Character 9: enter a value here."),
        ("program: A,, B", "Character 12: enter a value here."),
        ("program: A: B", "Character 11: separate values with commas, and parts with semicolons."),
        ('program: "A', "Character 10: enter a value here."),
        (f"level: {'x' * 51}", "Character 8: a value can have at most 50 characters."),
    ],
)
def test_an_error_names_the_place(text: str, message: str) -> None:
    with pytest.raises(RestrictionError, match=message.replace("(", r"\(")):
        parse(text)


@pytest.mark.parametrize(
    ("text", "attributes", "is_admitted"),
    [
        ("", NO_ATTRIBUTES, True),
        ("program: nursing, Biology", NURSE, True),
        ("program: Biology", NURSE, False),
        ("program: Nursing; level: Undergraduate", NURSE, False),
        ("program: Nursing; program: public health; cohort: 2026", NURSE, True),
        ("not standing: First-year", NURSE, True),
        ("not standing: First-year, SENIOR", NURSE, False),
        ("campus: North", NURSE, False),
        ("not campus: North", NO_ATTRIBUTES, True),
        ("program: Nursing", NO_ATTRIBUTES, False),
        ("what another program has stored", NURSE, False),
    ],
)
def test_every_part_must_admit_the_student(text: str, attributes: StudentAttributes, is_admitted: bool) -> None:
    assert (not unmet(text, attributes)) == is_admitted


def test_the_refusal_says_who_can_enroll() -> None:
    restricted = replace(section("A", 1), restriction="program: Art, Biology; not level: Graduate")
    with pytest.raises(Restricted) as refused:
        check_restrictions(course("A"), restricted, NURSE)
    assert refused.value.text == (
        "Course A, section 01 isn’t open to you. Only students in the program Art or Biology can enroll. Not open to "
        "students at the level Graduate. If your record is wrong or you need an exception, ask the registrar."
    )
    with use_language("es"):
        assert "Art o Biology" in refused.value.text


def test_an_unreadable_text_admits_nobody_and_is_shown() -> None:
    assert [str(one.sentence) for one in stored("art only")] == ["Only students in the program art only can enroll."]
