"""Generates the demo school of `make run`: realistic data, the same for everyone on the same day.

Everything is computed in memory; storing it belongs in services/maintenance.
"""

from datetime import datetime

from quart_enroll.demo.calendar import calendar
from quart_enroll.demo.school_data import SchoolData
from quart_enroll.demo.simulation import EnrollmentSimulation
from quart_enroll.demo.timetable import timetable
from quart_enroll.services.maintenance.demo_school import School


def create_school(data: SchoolData, now: datetime, *, timezone: str, max_credits: int | float) -> School:
    """Return a school in which enrollment for a term is open at `now`; the same arguments return the same school.

    Two terms are in the past, so that students have taken prerequisites. One is open and has many enrollments. The next
    one opens in a week or two. `max_credits` is the limit for a student in a term.
    """
    terms = calendar(now, timezone, max_credits)
    sections = [section for term in terms for section in timetable(term, data)]
    return EnrollmentSimulation(data, terms, sections, now).school()
