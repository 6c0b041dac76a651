"""Turns the figures of a rehearsal into advice: problems first, then changes, then what to expect."""

from typing import get_args

from quart_enroll.rehearsal import machine_advice, seat_advice
from quart_enroll.rehearsal.advice_text import Advice, Level
from quart_enroll.rehearsal.figures import Figures


def advise(figures: Figures) -> list[Advice]:
    """Return the advice, the most urgent first."""
    order = get_args(Level)
    found = [
        *machine_advice.errors(figures),
        *machine_advice.speed(figures),
        *machine_advice.sign_ins(figures),
        *machine_advice.memory(figures),
        *seat_advice.crowded_courses(figures),
        *seat_advice.first_seconds(figures),
        *seat_advice.waitlists(figures),
        *seat_advice.conflicts(figures),
        *seat_advice.settling(figures),
        *machine_advice.limits(figures),
    ]
    return sorted(found, key=lambda one: order.index(one.level))
