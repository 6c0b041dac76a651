"""How many students got a seat from a position in past terms."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from quart_enroll.domain.models import Event, SectionKey, Term
from quart_enroll.domain.waitlist_odds import (
    MIN_STUDENTS,
    PastFill,
    Wait,
    at_position,
    comparable_terms,
    compute,
    past_fills,
    positions_at,
    waits,
)
from tests.support.people import FALL, LAST_FALL, SPRING

OPENING, HOUR = LAST_FALL.opens_at, timedelta(hours=1)
NOW = FALL.opens_at + 12 * HOUR
"""Half a day after the opening; a year ago, that was half a day after the opening too."""

KEY = SectionKey("Fall 2025", "1111", "01")


def event(user_id: int, action: str, at: datetime, section: str = "01") -> Event:
    return Event(at, user_id, user_id, action, "1111", "Fall 2025", section)


def line(seated: int, length: int) -> list[Event]:
    """Return the events of a waitlist on which the first `seated` of `length` students get seats after a day."""
    joined = [event(number, "join", OPENING + number * timedelta(minutes=1)) for number in range(length)]
    return [*joined, *(event(number, "promote", OPENING + 24 * HOUR) for number in range(seated))]


def past(*sections: list[Event]) -> list[tuple[Term, dict[SectionKey, list[Wait]]]]:
    found = [replace(one, section=f"{number:02}") for number, events in enumerate(sections) for one in events]
    moved = [replace(one, user_id=one.user_id + 1000 * int(one.section)) for one in found]
    return [(LAST_FALL, waits(sorted(moved, key=lambda one: one.at)))]


@pytest.mark.parametrize(
    ("action", "got_seat"), [("promote", True), ("leave", False), ("cancelled", False), ("enroll", False)]
)
def test_a_wait_ends_with_or_without_the_seat(action: str, got_seat: bool) -> None:
    found = waits([event(1, "join", OPENING), event(1, action, OPENING + HOUR)])
    assert found == {KEY: [Wait(OPENING, OPENING + HOUR, got_seat)]}


def test_a_student_still_waiting_at_the_end_got_no_seat() -> None:
    assert waits([event(1, "join", OPENING)]) == {KEY: [Wait(OPENING, None, got_seat=False)]}


def test_a_student_who_joins_another_line_leaves_the_first() -> None:
    found = waits([event(1, "join", OPENING), event(1, "join", OPENING + HOUR, "02")])
    assert found[KEY] == [Wait(OPENING, OPENING + HOUR, got_seat=False)]
    assert found[replace(KEY, section="02")] == [Wait(OPENING + HOUR, None, got_seat=False)]


def test_the_students_at_each_position_are_counted() -> None:
    odds = compute(NOW, FALL, past(*([line(1, 3)] * 15), *([line(2, 3)] * 10)))
    first, second, third = (at_position(position, odds) for position in (1, 2, 3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.seated, first.waited, first.terms) == (25, 25, ("Fall 2025",))
    assert (second.seated, second.waited) == (10, 25)
    assert (third.first, third.last, third.seated, third.waited) == (3, 5, 0, 25)


def test_positions_are_those_at_the_same_time_before_the_deadline() -> None:
    early, late = FALL.opens_at + 12 * HOUR, FALL.opens_at + 36 * HOUR
    lines = past(*([line(1, 2)] * MIN_STUDENTS))
    before, after = at_position(1, compute(early, FALL, lines)), at_position(1, compute(late, FALL, lines))
    assert before is not None
    assert after is not None
    assert (before.seated, after.seated) == (MIN_STUDENTS, 0)  # a day later, the second students are first in line


def test_nothing_is_said_about_a_position_at_which_few_students_were() -> None:
    assert compute(NOW, FALL, past(*([line(1, 1)] * (MIN_STUDENTS - 1)))) == ()
    assert at_position(51, compute(NOW, FALL, past(*([line(1, 60)] * MIN_STUDENTS)))) is None


def test_only_the_last_two_terms_of_the_same_season_count() -> None:
    years = [replace(LAST_FALL, term=f"Fall {year}", starts_on=None, ends_on=None) for year in (2023, 2024, 2025)]
    moved = [
        replace(
            one,
            **{
                name: getattr(one, name) - timedelta(days=365 * (2 - number))
                for name in ("opens_at", "add_deadline", "drop_deadline", "withdraw_deadline")
            },
        )
        for number, one in enumerate(years)
    ]
    assert [one.term for one in comparable_terms(FALL, [*moved, FALL, SPRING])] == ["Fall 2024", "Fall 2025"]
    assert comparable_terms(moved[0], [*moved, FALL]) == []


def test_a_section_was_full_when_its_first_student_began_to_wait() -> None:
    [(term, by_section)] = past(line(0, 2), line(1, 3))
    later = [event(9, "join", OPENING + HOUR)]
    assert past_fills([(term, by_section)]) == {"1111": PastFill("Fall 2025", timedelta(0))}
    assert past_fills([(term, by_section), (FALL, waits([replace(one, term=FALL.term) for one in later]))]) == {
        "1111": PastFill("Fall 2026", OPENING + HOUR - FALL.opens_at)
    }


def test_students_who_joined_at_the_same_moment_are_all_counted() -> None:
    joined = [event(number, "join", OPENING) for number in range(3)]
    found = waits([*joined, event(1, "promote", OPENING + 24 * HOUR)])
    assert sorted(position for position, _ in positions_at(NOW - timedelta(days=364), found[KEY])) == [1, 2, 3]
