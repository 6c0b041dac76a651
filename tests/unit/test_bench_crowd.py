"""How `make bench` tells whether a page that a crowd reads while seats move is right."""

import time
from dataclasses import replace

import pytest

from tests.bench.catalog_check import OwnCourses, Seats, ShownRow, expected_row, shown_rows
from tests.bench.crowd_school import KINDS, chosen_situations, is_full, is_nearly_full, meeting_slot
from tests.bench.moving_seats import History
from tests.support.student_crowd import Student

CROWD = chosen_situations([Student(number, "") for number in range(400)])


def test_a_value_counts_from_the_start_of_its_write_to_the_end_of_the_next() -> None:
    history = History.starting_with(5)
    with history.change(6):
        during = time.monotonic()
        assert history.between(during, during) == {5, 6}
    after = time.monotonic() + 0.001
    assert history.between(after, after + 1) == {6}
    assert history.between(0, 1) == {5}


def test_a_write_that_never_ends_leaves_both_values_possible() -> None:
    history = History.starting_with(5)
    history.change(6).__enter__()
    now = time.monotonic() + 0.001
    assert history.between(now, now) == {5, 6}


def test_no_student_has_two_courses_at_the_same_time() -> None:
    for one in CROWD:
        numbers = [*one.enrolled, *one.waitlisted, *([] if one.moving is None else [one.moving])]
        assert len(set(map(meeting_slot, numbers))) == len(numbers)


def test_the_crowd_has_students_in_every_situation() -> None:
    situations = {(bool(one.enrolled), bool(one.planned), bool(one.waitlisted)) for one in CROWD}
    assert len(situations) == len(set(KINDS))
    moving = {one.moving for one in CROWD}
    assert all(number in moving for number in range(25) if not is_full(number))
    assert sum(map(is_nearly_full, range(25))) == 5


NOTHING = OwnCourses(frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("seats", "own", "shown"),
    [
        (Seats(90, 20, 0), NOTHING, ("70 of 90 seats open", "Enroll", "Add to plan")),
        (Seats(90, 89, 0), replace(NOTHING, planned={0}), ("1 seat left", "Planned", "Enroll", "Remove from plan")),
        (Seats(90, 90, 0), replace(NOTHING, enrolled={0}), ("Full", "Enrolled", "Drop")),
        (Seats(9, 9, 2), replace(NOTHING, waitlisted={0}), ("Full · 2 on waitlist", "Waitlisted", "Leave waitlist")),
        (
            Seats(90, 20, 0),
            replace(NOTHING, enrolled={10}),
            ("70 of 90 seats open", "Conflict", "Swap Algebra 1010 for this", "Add to plan"),
        ),
    ],
)
def test_the_expected_row_follows_from_the_seats_and_the_students_courses(
    seats: Seats, own: OwnCourses, shown: tuple[str, ...]
) -> None:
    assert expected_row(0, seats, own) == ShownRow(shown[0], frozenset(shown[1:]))


def test_a_row_is_read_from_what_the_page_shows() -> None:
    row = '<details class="course-row"><p>x</p><b class="seats">1 seat left</b><button>Enroll <i>in X</i></button></ul>'
    assert shown_rows(f"<html>{row}</details>{row}</details>") == [ShownRow("1 seat left", frozenset({"Enroll"}))] * 2
