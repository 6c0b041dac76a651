"""The student's schedule: what the student has, waits for and withdrew from, term by term."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.context import catalog, database, now
from quart_enroll.models import ScheduledCourse, SectionKey, Term, User
from quart_enroll.pages import alerts
from quart_enroll.pages.choices import Button, drop_button, leave_button
from quart_enroll.pages.standing import Place, places
from quart_enroll.rendering import render
from quart_enroll.repositories import enrollments
from quart_enroll.services import terms


@dataclass(frozen=True, slots=True)
class Line:
    """A place in a waitlist, with the titles of the courses that it is about."""

    place: Place
    title: str
    instead_of: str
    button: Button


@dataclass(frozen=True, slots=True)
class Row:
    """A course of the schedule; without a button when it can't be given back."""

    course: ScheduledCourse
    button: Button | None


@dataclass(frozen=True, slots=True)
class Plan:
    """One term of a student."""

    term: Term
    rows: Sequence[Row]
    lines: Sequence[Line]

    @property
    def credits(self) -> int | float:
        """The credits of the courses with a seat."""
        return sum(row.course.credits for row in self.rows if row.course.status == "enrolled")


async def page(user: User) -> str:
    """Return the student's schedule: the terms to come, then the earlier ones, the latest of them first."""
    moment = now()
    known = (await catalog()).terms
    coming = terms.coming(known, moment)
    shown = coming + [term for term in reversed(known) if term not in coming]
    found = await enrollments.schedule(database(), user.user_id, [term.term for term in shown])
    waiting = await places(user.user_id, shown)
    titles = await _titles() if waiting else {}
    plans = [_plan(term, found, waiting, titles, moment) for term in shown]
    plans = [plan for plan in plans if plan.rows or plan.lines]
    classes = [row.course for plan in plans for row in plan.rows if row.course.status == "enrolled"]
    seated = [SectionKey(course.enrolled_term, course.courseID, course.section) for course in classes]
    asked = await alerts.shown(user.user_id, moment, seated)
    return render("enrollment.html", enrollment=True, classes=classes, schedule=plans, alerts=asked)


def _plan(
    term: Term,
    found: Sequence[ScheduledCourse],
    waiting: Sequence[Place],
    titles: Mapping[str, str],
    moment: datetime,
) -> Plan:
    rows = [_row(term, course, moment) for course in found if course.enrolled_term == term.term]
    lines = [_line(place, titles) for place in waiting if place.waiting.key.term == term.term]
    return Plan(term, rows, lines)


def _row(term: Term, course: ScheduledCourse, moment: datetime) -> Row:
    return Row(course, drop_button(term, course, moment) if course.status == "enrolled" else None)


def _line(place: Place, titles: Mapping[str, str]) -> Line:
    key = place.waiting.key
    title = titles.get(key.courseID, key.courseID)
    given_up = place.waiting.drop_if_enrolled or ""
    return Line(place, title, titles.get(given_up, given_up), leave_button(key, title))


async def _titles() -> dict[str, str]:
    return {course.courseID: course.title for course in (await catalog()).courses}
