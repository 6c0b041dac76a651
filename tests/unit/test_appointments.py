"""When a student with or without an enrollment appointment may enroll, and with which credit limit."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from quart_enroll.domain import appointments
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.errors import AppointmentEnded, AppointmentNotBegun, NoAppointment, Refused
from quart_enroll.domain.models import Term
from quart_enroll.pages.enrollment.credits import summarize_credits
from tests.support.people import FALL

HOUR = timedelta(hours=1)
OPENS = FALL.opens_at
STARTS, ENDS, OPEN_ENROLLMENT = OPENS + HOUR, OPENS + 2 * HOUR, OPENS + 3 * HOUR
WITH_OPEN = replace(FALL, open_enrollment_at=OPEN_ENROLLMENT)
ENDLESS = Appointment(FALL.term, STARTS)
OWN = Appointment(FALL.term, STARTS, ENDS, 6)
TICK = timedelta.resolution


@pytest.mark.parametrize(
    ("term", "appointment", "moment", "refusal"),
    [
        (FALL, None, OPENS, None),
        (FALL, OWN, STARTS - TICK, AppointmentNotBegun),
        (FALL, OWN, STARTS, None),
        (FALL, OWN, ENDS - TICK, None),
        (FALL, OWN, ENDS, AppointmentEnded),
        (FALL, ENDLESS, FALL.add_deadline - TICK, None),
        (WITH_OPEN, None, OPENS, NoAppointment),
        (WITH_OPEN, None, OPEN_ENROLLMENT, None),
        (WITH_OPEN, OWN, ENDS, AppointmentEnded),
        (WITH_OPEN, OWN, OPEN_ENROLLMENT, None),
        (WITH_OPEN, replace(ENDLESS, starts_at=OPEN_ENROLLMENT + HOUR), OPEN_ENROLLMENT, None),
    ],
)
def test_students_enroll_during_their_appointment_or_open_enrollment(
    term: Term, appointment: Appointment | None, moment: datetime, refusal: type[Refused] | None
) -> None:
    own = appointments.own_term(term, appointment, moment)
    assert own.is_open(moment) == (refusal is None)
    if refusal is None:
        appointments.check(term, appointment, moment)
    else:
        with pytest.raises(refusal):
            appointments.check(term, appointment, moment)


@pytest.mark.parametrize(
    ("term", "appointment", "moment", "start"),
    [
        (FALL, None, OPENS - HOUR, OPENS),
        (FALL, None, OPENS, None),
        (FALL, OWN, OPENS - HOUR, STARTS),
        (FALL, OWN, STARTS, None),
        (FALL, OWN, ENDS, None),
        (FALL, replace(OWN, starts_at=OPENS - HOUR), OPENS - 2 * HOUR, OPENS),
        (WITH_OPEN, None, OPENS - HOUR, OPEN_ENROLLMENT),
        (WITH_OPEN, OWN, OPENS, STARTS),
        (WITH_OPEN, OWN, ENDS, OPEN_ENROLLMENT),
    ],
)
def test_the_countdown_runs_to_the_students_own_moment(
    term: Term, appointment: Appointment | None, moment: datetime, start: datetime | None
) -> None:
    assert appointments.next_start(term, appointment, moment) == start
    assert (appointments.own_term(term, appointment, moment).opens_at > moment) == (start is not None)


def test_an_own_credit_limit_ends_when_open_enrollment_begins() -> None:
    def limit(term: Term, appointment: Appointment | None, moment: datetime) -> float:
        return appointments.with_own_limit(term, appointment, moment).max_credits

    assert limit(WITH_OPEN, OWN, OPENS) == limit(WITH_OPEN, OWN, OPEN_ENROLLMENT - TICK) == 6
    assert limit(WITH_OPEN, OWN, OPEN_ENROLLMENT) == FALL.max_credits
    assert limit(FALL, OWN, ENDS) == 6
    assert limit(FALL, ENDLESS, STARTS) == limit(FALL, None, STARTS) == FALL.max_credits


def test_an_appointment_lies_within_the_terms_window() -> None:
    assert appointments.problems(WITH_OPEN, OWN) == {}
    for starts_at in (OPENS - TICK, OPEN_ENROLLMENT):
        assert appointments.problems(WITH_OPEN, Appointment(FALL.term, starts_at)).keys() == {"starts_at"}
    assert appointments.problems(FALL, replace(OWN, ends_at=STARTS)).keys() == {"ends_at"}


def test_an_appointment_is_described_with_what_it_has() -> None:
    text = str(appointments.describe(WITH_OPEN, OWN, OPENS))
    assert text.startswith("Your enrollment appointment for Fall 2026 begins on ")
    assert "It ends on" in text
    assert "Your credit limit is 6 for now. Open enrollment begins on" in text
    assert "began on" in str(appointments.describe(FALL, ENDLESS, STARTS))
    assert "ended on" in str(appointments.describe(FALL, OWN, ENDS))


def test_credits_above_a_lower_limit_are_not_counted_as_part_of_it() -> None:
    summaries = [summarize_credits(6, *credits) for credits in ((6,), (9,), (0, 6), (0, 9), (3, 6))]
    assert summaries == [
        "6 of 6 credits",
        "9 credits (limit 6)",
        "6 of 6 credits planned",
        "9 credits planned (limit 6)",
        "3 credits enrolled, 6 planned (limit 6)",
    ]
