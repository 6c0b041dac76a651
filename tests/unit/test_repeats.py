"""The rule of repeats: how often a student may take a course."""

from dataclasses import replace

import pytest

from quart_enroll.db.queries import message_codec
from quart_enroll.domain import permits, repeat_rules, rules
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import RepeatLimit
from quart_enroll.domain.models import Course, Registration, RepeatAction, TakenCourse
from quart_enroll.domain.rules import Rule
from quart_enroll.i18n.language import use_language
from tests.concurrency.school import course, section
from tests.support.people import FALL, LAST_FALL, SPRING

ONCE = replace(course("A"), max_attempts=1)
TWICE = replace(ONCE, max_attempts=2)
FAILED = TakenCourse("A", LAST_FALL, "F")


def is_refused(offered: Course, *taken: TakenCourse) -> bool:
    try:
        repeat_rules.check(offered, FALL, taken)
    except RepeatLimit:
        return True
    return False


@pytest.mark.parametrize(
    ("offered", "taken", "refused"),
    [
        (course("A"), [FAILED], False),
        (ONCE, [FAILED], True),
        (TWICE, [FAILED], False),
        (TWICE, [FAILED, TakenCourse("A", SPRING)], True),  # another term counts, even a later one
        (ONCE, [TakenCourse("A", FALL)], False),
        (ONCE, [TakenCourse("B", LAST_FALL)], False),
        (ONCE, [TakenCourse("A", LAST_FALL, "AU")], False),
        (ONCE, [TakenCourse("A", LAST_FALL, "W")], False),
        (replace(ONCE, withdrawals_count=True), [TakenCourse("A", LAST_FALL, "W")], True),
        (replace(ONCE, repeat_action=RepeatAction.WARN), [FAILED], False),
    ],
)
def test_a_course_says_which_attempts_count_and_how_many(
    offered: Course, taken: list[TakenCourse], refused: bool
) -> None:
    assert is_refused(offered, *taken) == refused
    warned = replace(offered, repeat_action=RepeatAction.WARN)
    assert bool(repeat_rules.warning(warned, FALL, taken)) == (refused or offered == warned)


def test_students_read_when_they_took_it_and_whom_to_ask() -> None:
    taken = [TakenCourse("A", SPRING), FAILED]
    with pytest.raises(RepeatLimit) as refused:
        repeat_rules.check(TWICE, FALL, taken)
    assert refused.value.text == (
        "Course A can be taken at most 2 times. It’s already on your record: Fall 2025 (F) and Spring 2027. If you "
        "need another attempt, ask the registrar."
    )
    assert message_codec.decode(message_codec.encode(refused.value.message)) == refused.value.message
    warning = repeat_rules.warning(replace(ONCE, repeat_action=RepeatAction.WARN), FALL, taken)
    with use_language("es"):
        assert "Primavera 2027" in refused.value.text
        assert "Primavera 2027" in str(warning)


def test_another_section_of_a_course_is_not_a_new_attempt_and_a_permit_allows_one() -> None:
    offered, wanted, held = ONCE, section("A", 1), section("A", 1, number="02")
    own = Registration(offered, held, "enrolled")
    new = rules.find_refusals(rules.eligibility_checks(FALL, offered, wanted, [], [FAILED]))
    assert isinstance(new[Rule.REPEATS], RepeatLimit)
    assert Rule.REPEATS not in rules.find_refusals(
        rules.eligibility_checks(FALL, offered, wanted, [own], [FAILED], dropped=[own])
    )
    _, eased, _ = permits.ease(FALL, offered, wanted, {Override.REPEAT})
    assert not is_refused(eased, FAILED)


def test_a_course_describes_its_rule() -> None:
    assert [*map(str, replace(TWICE, withdrawals_count=True).repeat_sentences)] == [
        "You can take it at most 2 times.",
        "Withdrawals count.",
    ]
    assert [*map(str, replace(ONCE, repeat_action=RepeatAction.WARN).repeat_sentences)] == [
        "You should take it only once."
    ]
