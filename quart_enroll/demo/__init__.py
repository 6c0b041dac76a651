"""The demo school of `make run`: invented, believable, and the same for everybody who makes it on one day."""

from datetime import datetime

from quart_enroll.db.queries.demo import School
from quart_enroll.demo.calendar import calendar
from quart_enroll.demo.crowd import EnrollmentSimulation
from quart_enroll.demo.texts import SchoolData
from quart_enroll.demo.timetable import timetable


def make(texts: SchoolData, now: datetime, *, timezone: str, max_credits: int | float) -> School:
    """Return a school in which registration for a term is open at `now`; the same facts give the same school.

    Two terms lie behind it, so that students have taken what courses need; one is open, with a crowd in it; the next
    one opens in a week or two. `timezone` is the school's, `max_credits` the most that a student may take in a term.
    """
    terms = calendar(now, timezone, max_credits)
    sections = [section for term in terms for section in timetable(term, texts)]
    return EnrollmentSimulation(texts, terms, sections, now).school()
