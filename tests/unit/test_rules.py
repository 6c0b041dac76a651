"""The rules of enrolling and dropping, as far as other tests don't cover them."""

from dataclasses import replace

import pytest

from quart_enroll.domain import rules
from quart_enroll.domain.errors import TimeConflict, UnknownSection
from quart_enroll.domain.models import Meeting, Registration
from tests.support.people import COURSES, FALL, SECTIONS


def test_a_section_does_not_fit_whatever_rule_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UnknownSection("PYT 101", "01", FALL.term)  # stands for a rule that does not exist yet

    assert rules.fits(FALL, COURSES[0], SECTIONS[0], [])
    monkeypatch.setattr(rules, "check_times", refuse)
    assert not rules.fits(FALL, COURSES[0], SECTIONS[0], [])


def test_a_conflict_names_the_time_of_the_overlap() -> None:
    lab = replace(SECTIONS[0], meetings=(Meeting("F", "08:00", "08:50"), Meeting("MTW", "12:00", "13:15")))
    seminar = replace(SECTIONS[1], meetings=(Meeting("TR", "11:00", "12:15"),))
    with pytest.raises(TimeConflict) as refusal:
        rules.check_times(COURSES[0], lab, [Registration(COURSES[1], seminar, "enrolled")])
    assert refusal.value.text == "PYT 101 conflicts with JAV 201: T 12:00–12:15 PM."


def test_meetings_that_touch_do_not_overlap() -> None:
    early, late = (
        replace(SECTIONS[0], meetings=(Meeting("T", start, end),))
        for start, end in (("11:00", "12:00"), ("12:00", "13:00"))
    )
    assert rules.overlap(early, late) is None
