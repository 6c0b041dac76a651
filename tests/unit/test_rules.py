"""The rules of enrolling and dropping, as far as other tests don't cover them."""

import pytest

from quart_enroll.domain import rules
from quart_enroll.domain.errors import UnknownSection
from tests.support.people import COURSES, FALL, SECTIONS


def test_a_section_does_not_fit_whatever_rule_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise UnknownSection("PYT 101", "01", FALL.term)  # stands for a rule that does not exist yet

    assert rules.fits(FALL, COURSES[0], SECTIONS[0], [])
    monkeypatch.setattr(rules, "check_times", refuse)
    assert not rules.fits(FALL, COURSES[0], SECTIONS[0], [])
