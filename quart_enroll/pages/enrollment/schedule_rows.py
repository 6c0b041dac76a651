"""What a student's schedule says about a term: courses, waitlist positions and warnings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from quart_enroll.domain import requisite_rules, rules, waitlist_odds
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import CorequisiteMissing, CreditLimit, PrerequisiteMissing
from quart_enroll.domain.holds import Hold
from quart_enroll.domain.models import Registration, ScheduledCourse, TakenCourse, Term, WaitlistEntry
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.domain.waitlist_odds import Odds
from quart_enroll.domain.week import WeekEntry, entry_of, with_colors
from quart_enroll.i18n.language import TermName, format_list_of, gettext
from quart_enroll.pages.catalog.section_actions import Button, drop_button, leave_button, waitlist_status
from quart_enroll.pages.enrollment import week_grid
from quart_enroll.pages.enrollment.week_grid import WeekGrid
from quart_enroll.pages.student_state import WaitlistedSection


class TermPhase(NamedTuple):
    """A term, the moment since which its dates allow the same, and whether it is still running."""

    term: Term
    since: datetime
    is_running: bool


@dataclass(frozen=True, slots=True)
class StudentTerm:
    """What a student has in a term, and the courses `taken` in any term, each with its term.

    The `odds` are what past terms say about positions on waitlists. With a `drop_hold`, the student can't drop courses.
    The `max_credits` are the student's own limit, or else the term's.
    """

    phase: TermPhase
    registrations: Sequence[Registration]
    positions: Sequence[WaitlistedSection]
    taken: Sequence[TakenCourse]
    odds: Sequence[Odds] = ()
    drop_hold: Hold | None = None
    own_limit: int | float | None = None
    attributes: StudentAttributes = NO_ATTRIBUTES

    @property
    def max_credits(self) -> int | float:
        return self.phase.term.max_credits if self.own_limit is None else self.own_limit

    @property
    def enrolled(self) -> list[Registration]:
        return [one for one in self.registrations if one.status == "enrolled"]

    @property
    def is_empty(self) -> bool:
        return not self.registrations and not self.positions

    @property
    def credits(self) -> int | float:
        """Return the credits of the enrolled courses."""
        return sum(one.course.credits for one in self.enrolled)


@dataclass(frozen=True, slots=True)
class WaitlistRow:
    """A waitlist position with the titles of its course and of the course that it replaces.

    `skip_warning` says why the next seat would go to another student. It is empty once that has happened, because the
    entry itself then has the reason. `odds` says how many students got a seat from there in past terms.
    """

    position: WaitlistedSection
    status: str
    title: str
    instead_of: str
    button: Button
    skip_warning: str
    odds: str


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A course of the schedule; it has no button if it can't be dropped."""

    course: ScheduledCourse
    button: Button | None
    missing_corequisites: str


@dataclass(frozen=True, slots=True)
class TermSchedule:
    """One term of a student's schedule, for a school's own template.

    `week` is there until the term is over. `overload_warning` says that the student can't get all the seats on their
    waitlists.
    """

    term: Term
    rows: Sequence[ScheduleRow]
    waitlist_rows: Sequence[WaitlistRow]
    week: WeekGrid | None
    overload_warning: str
    is_over: bool
    credits: int | float


def term_schedule(student: StudentTerm, offered: Catalog) -> TermSchedule:
    """Return the term as a whole."""
    phase = student.phase
    rows = [schedule_row(student, one, corequisite_warning(student, one, offered)) for one in student.registrations]
    waiting = waitlist_rows(student, offered)
    entries = week_entries(student, offered)
    return TermSchedule(
        phase.term,
        rows,
        waiting,
        week_grid.build(entries) if phase.is_running and entries else None,
        overload_warning(student, waiting, offered),
        not phase.is_running,
        student.credits,
    )


def schedule_row(student: StudentTerm, registration: Registration, warning: str) -> ScheduleRow:
    """Return the row of a course that has this warning about its corequisites."""
    course, phase = ScheduledCourse.of(registration), student.phase
    if registration.status != "enrolled":
        return ScheduleRow(course, None, "")
    if student.drop_hold:
        return ScheduleRow(course, None, warning)
    return ScheduleRow(course, drop_button(phase.term, course, registration.section.waiting, phase.since), warning)


def corequisite_warning(student: StudentTerm, registration: Registration, offered: Catalog) -> str:
    """Return the warning for a student who takes the course without its corequisites; empty for none."""
    course, phase = registration.course, student.phase
    if not course.corequisites or registration.status != "enrolled" or not phase.is_running:
        return ""
    if missing := requisite_rules.missing_corequisites(course, phase.term, student.enrolled, student.taken):
        others = [_title(courseID, offered) for courseID in missing]
        return gettext("This course must be taken with %(others)s.", others=format_list_of(others))
    return ""


def waitlist_rows(student: StudentTerm, offered: Catalog) -> list[WaitlistRow]:
    """Return the student's waitlist positions in the term."""
    return [_waitlist_row(student, one, offered) for one in student.positions]


def _waitlist_row(student: StudentTerm, position: WaitlistedSection, offered: Catalog) -> WaitlistRow:
    key = position.entry.key
    title = _title(key.courseID, offered)
    status, instead_of = waitlist_status(position.position, position.length), position.entry.drop_if_enrolled or ""
    warning = "" if position.entry.skipped_because else _skip_warning(student, position.entry, offered)
    odds = "" if warning or position.entry.skipped_because else odds_text(position.position, student.odds)
    return WaitlistRow(position, status, title, _title(instead_of, offered), leave_button(key, title), warning, odds)


def odds_text(position: int, known: Sequence[Odds]) -> str:
    """Return how many students got a seat from that position in past terms; empty if too few were there."""
    if (odds := waitlist_odds.at_position(position, known)) is None:
        return ""
    facts: dict[str, Any] = {"terms": [TermName(one) for one in odds.terms], "seated": odds.seated}
    facts |= {"waited": odds.waited, "first": odds.first, "last": odds.last}
    if odds.first == odds.last:
        return gettext(
            "At this point before the add deadline in %(terms)s, %(waited)s students were at position %(first)s on a "
            "waitlist. %(seated)s of them got a seat.",
            **facts,
        )
    return gettext(
        "At this point before the add deadline in %(terms)s, %(waited)s students were at positions %(first)s to "
        "%(last)s on a waitlist. %(seated)s of them got a seat.",
        **facts,
    )


def _skip_warning(student: StudentTerm, entry: WaitlistEntry, offered: Catalog) -> str:
    """Return the warning for a student who couldn't take a seat because of its credits or a requisite.

    A promotion checks the same rules.
    """
    course, phase = offered.find(entry.key.courseID), student.phase
    staying = [one for one in student.enrolled if one.courseID != entry.drop_if_enrolled]
    try:
        if course and phase.term.promotes_waitlist(phase.since):
            rules.check_credits(replace(phase.term, max_credits=student.max_credits), course, staying)
            if course.concurrent_courses:
                requisite_rules.check_prerequisites(
                    course, phase.term, student.taken, staying, attributes=student.attributes
                )
            if entry.drop_if_enrolled != course.courseID:
                requisite_rules.check_corequisites(course, phase.term, staying, student.taken)
    except (CreditLimit, CorequisiteMissing, PrerequisiteMissing) as refusal:
        return gettext(
            "If a seat opened now, it would go to the next student in line: %(because)s You keep your place.",
            because=refusal.message,
        )
    return ""


def overload_warning(student: StudentTerm, rows: Sequence[WaitlistRow], offered: Catalog) -> str:
    """Return the warning for a student who can take each of the seats but not all of them; empty for none.

    A student who was already warned or skipped gets no second warning.
    """
    if any(row.skip_warning or row.position.entry.skipped_because for row in rows):
        return ""
    dropped = {row.position.entry.drop_if_enrolled for row in rows}
    courses = [one.course for one in student.enrolled if one.courseID not in dropped]
    courses += [course for row in rows if (course := offered.find(row.position.entry.key.courseID))]
    credits, phase = sum(course.credits for course in courses), student.phase
    if round(credits, 2) <= student.max_credits or not phase.term.promotes_waitlist(phase.since):
        return ""
    return gettext(
        "Seats from all your waitlists would bring you to %(credits)s credits (limit %(limit)s). "
        "A seat over the limit goes to the next student in line, and you keep your place.",
        credits=credits,
        limit=student.max_credits,
    )


def week_entries(student: StudentTerm, offered: Catalog) -> list[WeekEntry]:
    """Return the sections of the student's week: the courses, and then the sections that the school still offers for
    which the student is waitlisted."""
    waitlisted = (entry for one in student.positions for entry in waitlisted_entries(one, offered))
    return with_colors([*map(enrolled_entry, student.registrations), *waitlisted])


def enrolled_entry(registration: Registration) -> WeekEntry:
    """Return the course as part of the student's week."""
    return entry_of(registration.section, registration.course.title, registration.status)


def waitlisted_entries(position: WaitlistedSection, offered: Catalog) -> Iterator[WeekEntry]:
    """Yield the section for which the student is waitlisted, if the school still offers it."""
    key, instead_of = position.entry.key, position.entry.drop_if_enrolled or ""
    for section in offered.sections_in(key.courseID, key.term):
        if section.key == key:
            yield entry_of(section, _title(key.courseID, offered), "waiting", instead_of)


def _title(courseID: str, offered: Catalog) -> str:
    course = offered.find(courseID)
    return course.title if course else courseID
