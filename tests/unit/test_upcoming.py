"""What comes next for a student: the next meeting and the next deadline."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from quart_enroll.domain.models import Meeting, Registration, Section, Term
from quart_enroll.domain.upcoming import next_deadlines, next_meeting
from tests.support.people import COURSES, FALL, SCHOOL, SPRING

AUTUMN = replace(FALL, starts_on=date(2026, 8, 31), ends_on=date(2026, 12, 18))
MINUTE = timedelta(minutes=1)


def registration(*meetings: Meeting, status: str = "enrolled") -> Registration:
    return Registration(COURSES[0], Section("Fall 2026", "1111", "01", 30, 1, 0, 0, meetings), status)


MORNING = Meeting("MWF", "09:00", "09:50")


def at(day: int, clock: str, month: int = 9) -> datetime:
    """Return that time of a day in 2026, by the school's clock."""
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{clock}").replace(tzinfo=SCHOOL)


def found(now: datetime, *registrations: Registration, term: Term = AUTUMN) -> tuple[str, str] | None:
    """Return the day and the beginning of the next meeting."""
    one = next_meeting(registrations, {term.term: term}, now)
    return one and (f"{one.day:%a %d %b}", one.meeting.start)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (at(2, "08:00"), ("Wed 02 Sep", "09:00")),
        (at(2, "09:49"), ("Wed 02 Sep", "09:00")),
        (at(2, "09:50"), ("Fri 04 Sep", "09:00")),
        (at(4, "12:00"), ("Mon 07 Sep", "09:00")),
        (at(1, "12:00", month=8), ("Mon 31 Aug", "09:00")),
        (at(18, "09:00", month=12), ("Fri 18 Dec", "09:00")),
        (at(18, "09:50", month=12), None),
        (at(19, "09:00", month=12), None),
    ],
)
def test_the_next_meeting_is_the_one_that_has_not_ended(now: datetime, expected: tuple[str, str] | None) -> None:
    assert found(now, registration(MORNING)) == expected


def test_the_day_is_that_of_the_schools_clock() -> None:
    late = datetime.fromisoformat("2026-09-02T03:30:00+00:00")  # Tuesday, 23:30 in New York
    assert found(late, registration(Meeting("T", "23:00", "23:45"))) == ("Tue 01 Sep", "23:00")


def test_of_several_meetings_the_earliest_comes_next() -> None:
    noon, evening = Meeting("W", "12:00", "13:15"), Meeting("T", "18:00", "19:15")
    assert found(at(2, "10:00"), registration(MORNING, noon), registration(evening)) == ("Wed 02 Sep", "12:00")


@pytest.mark.parametrize("registrations", [[registration(MORNING, status="withdrawn")], [registration()], []])
def test_a_withdrawn_course_and_one_without_times_have_no_next_meeting(registrations: Sequence[Registration]) -> None:
    assert found(at(2, "08:00"), *registrations) is None


def test_a_term_without_dates_has_no_next_meeting() -> None:
    assert found(at(2, "08:00"), registration(MORNING), term=FALL) is None


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        (FALL.opens_at - MINUTE, ["opens"]),
        (FALL.opens_at, ["add", "drop"]),
        (FALL.drop_deadline, ["withdraw"]),
        (FALL.withdraw_deadline, ["opens"]),
        (SPRING.opens_at, ["add"]),
        (SPRING.withdraw_deadline, []),
    ],
)
def test_the_next_deadline_is_the_first_to_come(now: datetime, kinds: list[str]) -> None:
    assert [one.kind for one in next_deadlines([FALL, SPRING], {"Fall 2026"}, now)] == kinds


def test_a_student_without_courses_in_a_term_need_not_drop_them() -> None:
    assert [one.kind for one in next_deadlines([FALL], (), FALL.opens_at)] == ["add"]


def test_a_term_in_which_nobody_withdraws_has_no_such_deadline() -> None:
    term = replace(FALL, withdraw_deadline=FALL.drop_deadline)
    assert [one.kind for one in next_deadlines([term], {"Fall 2026"}, FALL.opens_at)] == ["add", "drop"]
