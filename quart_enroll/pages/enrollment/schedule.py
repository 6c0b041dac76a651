"""The student's schedule: what the student has, waits for and withdrew from, term by term."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import CorequisiteMissing, CreditLimit
from quart_enroll.domain.models import Registration, ScheduledCourse, Term, User, WaitlistEntry
from quart_enroll.domain.week import WeekEntry
from quart_enroll.fastpath.per_catalog import cached_per_catalog
from quart_enroll.fastpath.response_cache import cache_private
from quart_enroll.i18n.language import format_list_of, gettext
from quart_enroll.pages.account.email_confirmation import must_confirm
from quart_enroll.pages.catalog.course_rows import since
from quart_enroll.pages.catalog.section_actions import Button, drop_button, leave_button, waiting_in_words
from quart_enroll.pages.enrollment import alerts, calendar, week
from quart_enroll.pages.enrollment.week import Drawing
from quart_enroll.pages.student_state import Place, facts, places
from quart_enroll.pages.term_window import window
from quart_enroll.state import catalog, now, seats
from quart_enroll.web.templating import render


@dataclass(frozen=True, slots=True)
class Line:
    """A place in a waitlist, with the titles of the courses that it is about.

    `passed_over` says why a seat would go to the next, before one has come; afterwards the place itself says so.
    """

    place: Place
    words: str
    title: str
    instead_of: str
    button: Button
    passed_over: str


@dataclass(frozen=True, slots=True)
class Row:
    """A course of the schedule; without a button when it can't be dropped.

    `lacks` says which corequisites are missing.
    """

    course: ScheduledCourse
    button: Button | None
    lacks: str


@dataclass(frozen=True, eq=False, slots=True)
class TermSchedule:
    """One term of a student; with the week until it is over, and to link to while courses have a page for it.

    `too_many` says that the student can't get all the seats on their waitlists. Equal only to itself; `mark` stands for
    it in cache keys.
    """

    term: Term
    rows: Sequence[Row]
    lines: Sequence[Line]
    week: Drawing | None
    linked_term: Term | None
    too_many: str
    is_over: bool
    mark: object = field(default_factory=object)

    @property
    def credits(self) -> int | float:
        """The credits of the courses with a seat."""
        return sum(row.course.credits for row in self.rows if row.course.status == "enrolled")


PLAN_BYTES, LINE_BYTES = 10_000, 5000
"""Bytes of a term in a schedule, with its week, and of each of its courses and waitlist places."""


class Phase(NamedTuple):
    """How far a term is: since `begun` the same can be done in it."""

    term: Term
    begun: datetime
    goes_on: bool


async def page(user: User) -> bytes:
    """Return the student's schedule: what goes on today, then the terms to come, then the earlier ones."""
    moment = now()
    offered = await catalog()
    shown = terms.by_relevance(offered.terms, moment)
    mine = await facts(user.user_id)
    found = await seats(mine.seats)
    waiting = await places(user.user_id, mine, shown)
    plans = _plans(offered, tuple(found), tuple(waiting), _phases(shown, moment))
    classes = [row.course for plan in plans for row in plan.rows if row.course.status == "enrolled"]
    seated = [course.key for course in classes]
    asked = alerts.shown(mine.alerts, offered, moment, seated)
    current = offered.current_term(moment)
    made_at, address = mine.calendar_since, calendar.take_new_address()
    if not mine.waiting:  # the lines move by themselves
        cache_private(moment, offered, mine, until=terms.start_of_next_day(shown, moment))
    return render(
        "enrollment.html",
        enrollment=True,
        classes=classes,
        schedule=plans,
        fragment_key=tuple(plan.mark for plan in plans) or None,
        sign=mine.fingerprint,
        must_confirm=must_confirm(),
        alerts=asked,
        window=window(current, moment) if current else "",
        calendar_address=address,
        calendar_link=calendar.subscribe_link(address),
        calendar_since=rules.moment_text(current, made_at) if made_at and current else "",
    )


def _phases(shown: Sequence[Term], moment: datetime) -> tuple[Phase, ...]:
    return tuple(Phase(term, since(term, moment), term.is_ongoing(moment)) for term in shown)


def _plans_size(
    key: tuple[str, tuple[Sequence[Registration], Sequence[Place], object]], plans: Sequence[TermSchedule]
) -> int:
    (_, (held, waiting, _)) = key
    return len(plans) * PLAN_BYTES + (len(held) + len(waiting)) * LINE_BYTES


@cached_per_catalog("schedules", _plans_size)
def _plans(
    offered: Catalog, found: tuple[Registration, ...], waiting: tuple[Place, ...], phases: tuple[Phase, ...]
) -> tuple[TermSchedule, ...]:
    """Return the terms in which there is something; for who looks again, nothing is worked out again."""
    plans = [_plan(phase, found, waiting, offered) for phase in phases]
    return tuple(plan for plan in plans if plan.rows or plan.lines)


def _plan(phase: Phase, found: Sequence[Registration], waiting: Sequence[Place], offered: Catalog) -> TermSchedule:
    term, moment = phase.term, phase.begun
    theirs = [held for held in found if held.section.term == term.term]
    enrolled = [held for held in theirs if held.status == "enrolled"]
    places = [place for place in waiting if place.waiting.key.term == term.term]
    taken = _taken(found, offered)
    rows = [_row(phase, held, enrolled, taken, offered) for held in theirs]
    lines = [_line(phase, place, enrolled, taken, offered) for place in places]
    entries = [*map(_enrolled, rows), *(entry for line in lines for entry in _waiting(line, offered))]
    drawing = week.draw(entries) if phase.goes_on and entries else None
    linked_term = term if moment < term.withdraw_deadline else None
    return TermSchedule(
        term, rows, lines, drawing, linked_term, _too_many(phase, lines, enrolled, offered), not phase.goes_on
    )


def _taken(found: Sequence[Registration], offered: Catalog) -> list[tuple[str, Term]]:
    """Return the courses with a seat, in any term, each with its term."""
    terms = {term.term: term for term in offered.terms}
    return [(one.courseID, terms[one.section.term]) for one in found if _counts(one, terms)]


def _counts(one: Registration, terms: Mapping[str, Term]) -> bool:
    return one.status == "enrolled" and one.section.term in terms


def _row(
    phase: Phase,
    held: Registration,
    enrolled: Sequence[Registration],
    taken: Sequence[tuple[str, Term]],
    offered: Catalog,
) -> Row:
    course, term = ScheduledCourse.of(held), phase.term
    if held.status != "enrolled":
        return Row(course, None, "")
    lacks = ""
    if phase.goes_on and (missing := rules.missing_corequisites(course, term, enrolled, taken)):
        others = [_title(courseID, offered) for courseID in missing]
        lacks = gettext("This course must be taken with %(others)s.", others=format_list_of(others))
    return Row(course, drop_button(term, course, held.section.waiting, phase.begun), lacks)


def _line(
    phase: Phase, place: Place, enrolled: Sequence[Registration], taken: Sequence[tuple[str, Term]], offered: Catalog
) -> Line:
    key = place.waiting.key
    title = _title(key.courseID, offered)
    words, instead_of = waiting_in_words(place.position, place.of), place.waiting.drop_if_enrolled or ""
    over = "" if place.waiting.skipped_because else _passed_over(phase, place.waiting, enrolled, taken, offered)
    return Line(place, words, title, _title(instead_of, offered), leave_button(key, title), over)


def _passed_over(
    phase: Phase,
    waiting: WaitlistEntry,
    enrolled: Sequence[Registration],
    taken: Sequence[tuple[str, Term]],
    offered: Catalog,
) -> str:
    """Return what to tell a student who could not take the seat for its credits or for a corequisite.

    The rules are those that are asked when a seat comes.
    """
    course = offered.find(waiting.key.courseID)
    staying = [one for one in enrolled if one.courseID != waiting.drop_if_enrolled]
    try:
        if course and phase.term.promotes_waitlist(phase.begun):
            rules.check_credits(phase.term, course, staying)
            if waiting.drop_if_enrolled != course.courseID:
                rules.check_corequisites(course, phase.term, staying, taken)
    except (CreditLimit, CorequisiteMissing) as refusal:
        return gettext(
            "If a seat opened now, it would go to the next student in line: %(because)s You keep your place.",
            because=refusal.message,
        )
    return ""


def _too_many(phase: Phase, lines: Sequence[Line], enrolled: Sequence[Registration], offered: Catalog) -> str:
    """Return what to tell who can take each of the seats but not all of them; who has read it of one knows it."""
    if any(line.passed_over or line.place.waiting.skipped_because for line in lines):
        return ""
    given_back = {line.place.waiting.drop_if_enrolled for line in lines}
    courses = [one.course for one in enrolled if one.courseID not in given_back]
    courses += [course for line in lines if (course := offered.find(line.place.waiting.key.courseID))]
    credits, term = sum(course.credits for course in courses), phase.term
    if round(credits, 2) <= term.max_credits or not term.promotes_waitlist(phase.begun):
        return ""
    return gettext(
        "Seats from all your waitlists would bring you to %(credits)s credits (limit %(limit)s). "
        "A seat over the limit goes to the next student in line, and you keep your place.",
        credits=credits,
        limit=term.max_credits,
    )


def _title(courseID: str, offered: Catalog) -> str:
    course = offered.find(courseID)
    return course.title if course else courseID


def _enrolled(row: Row) -> WeekEntry:
    course = row.course
    return WeekEntry(course.courseID, course.title, course.status, course.meetings, course.room)


def _waiting(line: Line, offered: Catalog) -> Iterator[WeekEntry]:
    """Give what the student waits for, if it is still taught."""
    waiting = line.place.waiting
    for section in offered.sections_in(waiting.key.courseID, waiting.key.term):
        if section.key == waiting.key:
            instead_of = waiting.drop_if_enrolled or ""
            yield WeekEntry(section.courseID, line.title, "waiting", section.meetings, section.room, instead_of)
