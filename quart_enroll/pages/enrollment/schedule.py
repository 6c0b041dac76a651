"""The student's schedule: courses, waitlist positions and withdrawals, term by term."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import CorequisiteMissing, CreditLimit
from quart_enroll.domain.models import Registration, ScheduledCourse, Term, User, WaitlistEntry
from quart_enroll.domain.week import WeekEntry
from quart_enroll.fastpath.per_catalog import cached_per_catalog
from quart_enroll.i18n.language import format_list_of, gettext
from quart_enroll.pages.account.email_confirmation import must_confirm
from quart_enroll.pages.catalog.course_rows import last_boundary
from quart_enroll.pages.catalog.section_actions import Button, drop_button, leave_button, waitlist_status
from quart_enroll.pages.enrollment import alerts, calendar, week_grid
from quart_enroll.pages.enrollment.week_grid import WeekGrid
from quart_enroll.pages.student_state import WaitlistedSection, load_snapshot, load_waitlist_positions
from quart_enroll.pages.term_window import closed_window
from quart_enroll.state import catalog, now, registrations_of
from quart_enroll.web.templating import render


@dataclass(frozen=True, slots=True)
class WaitlistRow:
    """A waitlist position with the titles of its course and of the course that it replaces.

    `skip_warning` says why the next seat would go to another student. It is empty once that has happened, because the
    entry itself then has the reason.
    """

    position: WaitlistedSection
    status: str
    title: str
    instead_of: str
    button: Button
    skip_warning: str


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A course of the schedule; it has no button if it can't be dropped."""

    course: ScheduledCourse
    button: Button | None
    missing_corequisites: str


@dataclass(frozen=True, eq=False, slots=True)
class TermSchedule:
    """One term of a student's schedule.

    `week` is there until the term is over, and `linked_term` while course pages show the term. `overload_warning` says
    that the student can't get all the seats on their waitlists. Equal only to itself; `mark` stands for it in cache
    keys.
    """

    term: Term
    rows: Sequence[ScheduleRow]
    waitlist_rows: Sequence[WaitlistRow]
    week: WeekGrid | None
    linked_term: Term | None
    overload_warning: str
    is_over: bool
    mark: object = field(default_factory=object)

    @property
    def credits(self) -> int | float:
        """Return the credits of the enrolled courses."""
        return sum(row.course.credits for row in self.rows if row.course.status == "enrolled")


TERM_SCHEDULE_BYTES, SCHEDULE_ROW_BYTES = 10_000, 5000
"""Bytes of a term in a schedule, with its week, and of each of its courses and waitlist positions."""


class TermPhase(NamedTuple):
    """A term, the moment since which its dates allow the same, and whether it is still running."""

    term: Term
    since: datetime
    is_running: bool


async def page(user: User) -> bytes:
    """Return the page of the student's schedule: the current terms, then the coming ones, then the earlier ones."""
    moment = now()
    offered = await catalog()
    shown = terms.by_relevance(offered.terms, moment)
    snapshot = await load_snapshot(user.user_id)
    registrations = await registrations_of(snapshot.seats)
    positions = await load_waitlist_positions(user.user_id, snapshot, shown)
    schedules = _term_schedules(offered, tuple(registrations), tuple(positions), _phases(shown, moment))
    classes = [row.course for schedule in schedules for row in schedule.rows if row.course.status == "enrolled"]
    enrolled = [course.key for course in classes]
    current = offered.current_term(moment)
    calendar_since, calendar_url = snapshot.calendar_since, calendar.take_new_url()
    return render(
        "enrollment.html",
        enrollment=True,
        classes=classes,
        schedule=schedules,
        fragment_key=tuple(schedule.mark for schedule in schedules) or None,
        fingerprint=snapshot.fingerprint,
        must_confirm=must_confirm(),
        alerts=alerts.rows(snapshot.alerts, offered, moment, enrolled),
        window=closed_window(current, moment) if current else "",
        calendar_url=calendar_url,
        calendar_link=calendar.subscribe_link(calendar_url),
        calendar_since=rules.moment_text(current, calendar_since) if calendar_since and current else "",
    )


def _phases(shown: Sequence[Term], moment: datetime) -> tuple[TermPhase, ...]:
    return tuple(TermPhase(term, last_boundary(term, moment), term.is_ongoing(moment)) for term in shown)


def _schedules_size(
    key: tuple[str, tuple[Sequence[Registration], Sequence[WaitlistedSection], object]],
    schedules: Sequence[TermSchedule],
) -> int:
    (_, (registrations, positions, _)) = key
    return len(schedules) * TERM_SCHEDULE_BYTES + (len(registrations) + len(positions)) * SCHEDULE_ROW_BYTES


@cached_per_catalog("schedules", _schedules_size)
def _term_schedules(
    offered: Catalog,
    registrations: tuple[Registration, ...],
    positions: tuple[WaitlistedSection, ...],
    phases: tuple[TermPhase, ...],
) -> tuple[TermSchedule, ...]:
    """Return the terms in which the student has something; the result is cached for the next time they look."""
    schedules = [_term_schedule(phase, registrations, positions, offered) for phase in phases]
    return tuple(schedule for schedule in schedules if schedule.rows or schedule.waitlist_rows)


def _term_schedule(
    phase: TermPhase,
    registrations: Sequence[Registration],
    positions: Sequence[WaitlistedSection],
    offered: Catalog,
) -> TermSchedule:
    term, moment = phase.term, phase.since
    own = [one for one in registrations if one.section.term == term.term]
    enrolled = [one for one in own if one.status == "enrolled"]
    taken = _taken_courses(registrations, offered)
    rows = [_row(phase, one, enrolled, taken, offered) for one in own]
    waitlist_rows = [
        _waitlist_row(phase, one, enrolled, taken, offered) for one in positions if one.entry.key.term == term.term
    ]
    entries = [*map(_enrolled, rows), *(entry for row in waitlist_rows for entry in _waitlisted(row, offered))]
    grid = week_grid.build(entries) if phase.is_running and entries else None
    linked_term = term if moment < term.withdraw_deadline else None
    return TermSchedule(
        term,
        rows,
        waitlist_rows,
        grid,
        linked_term,
        _overload_warning(phase, waitlist_rows, enrolled, offered),
        not phase.is_running,
    )


def _taken_courses(registrations: Sequence[Registration], offered: Catalog) -> list[tuple[str, Term]]:
    """Return the courses in which the student is enrolled, in any term, each with its term."""
    terms = {term.term: term for term in offered.terms}
    enrolled = [one for one in registrations if one.status == "enrolled"]
    return [(one.courseID, terms[one.section.term]) for one in enrolled if one.section.term in terms]


def _row(
    phase: TermPhase,
    registration: Registration,
    enrolled: Sequence[Registration],
    taken: Sequence[tuple[str, Term]],
    offered: Catalog,
) -> ScheduleRow:
    course, term = ScheduledCourse.of(registration), phase.term
    if registration.status != "enrolled":
        return ScheduleRow(course, None, "")
    missing_corequisites = ""
    if phase.is_running and (missing := rules.missing_corequisites(course, term, enrolled, taken)):
        others = [_title(courseID, offered) for courseID in missing]
        missing_corequisites = gettext("This course must be taken with %(others)s.", others=format_list_of(others))
    return ScheduleRow(
        course, drop_button(term, course, registration.section.waiting, phase.since), missing_corequisites
    )


def _waitlist_row(
    phase: TermPhase,
    position: WaitlistedSection,
    enrolled: Sequence[Registration],
    taken: Sequence[tuple[str, Term]],
    offered: Catalog,
) -> WaitlistRow:
    key = position.entry.key
    title = _title(key.courseID, offered)
    status, instead_of = waitlist_status(position.position, position.length), position.entry.drop_if_enrolled or ""
    warning = "" if position.entry.skipped_because else _skip_warning(phase, position.entry, enrolled, taken, offered)
    return WaitlistRow(position, status, title, _title(instead_of, offered), leave_button(key, title), warning)


def _skip_warning(
    phase: TermPhase,
    entry: WaitlistEntry,
    enrolled: Sequence[Registration],
    taken: Sequence[tuple[str, Term]],
    offered: Catalog,
) -> str:
    """Return the warning for a student who couldn't take a seat because of its credits or a corequisite.

    A promotion checks the same rules.
    """
    course = offered.find(entry.key.courseID)
    staying = [one for one in enrolled if one.courseID != entry.drop_if_enrolled]
    try:
        if course and phase.term.promotes_waitlist(phase.since):
            rules.check_credits(phase.term, course, staying)
            if entry.drop_if_enrolled != course.courseID:
                rules.check_corequisites(course, phase.term, staying, taken)
    except (CreditLimit, CorequisiteMissing) as refusal:
        return gettext(
            "If a seat opened now, it would go to the next student in line: %(because)s You keep your place.",
            because=refusal.message,
        )
    return ""


def _overload_warning(
    phase: TermPhase, waitlist_rows: Sequence[WaitlistRow], enrolled: Sequence[Registration], offered: Catalog
) -> str:
    """Return the warning for a student who can take each of the seats but not all of them.

    A student who was already warned or skipped gets no second warning.
    """
    if any(row.skip_warning or row.position.entry.skipped_because for row in waitlist_rows):
        return ""
    dropped = {row.position.entry.drop_if_enrolled for row in waitlist_rows}
    courses = [one.course for one in enrolled if one.courseID not in dropped]
    courses += [course for row in waitlist_rows if (course := offered.find(row.position.entry.key.courseID))]
    credits, term = sum(course.credits for course in courses), phase.term
    if round(credits, 2) <= term.max_credits or not term.promotes_waitlist(phase.since):
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


def _enrolled(row: ScheduleRow) -> WeekEntry:
    course = row.course
    return WeekEntry(course.courseID, course.title, course.status, course.meetings, course.room)


def _waitlisted(row: WaitlistRow, offered: Catalog) -> Iterator[WeekEntry]:
    """Yield the section for which the student is waitlisted, if the school still offers it."""
    entry = row.position.entry
    for section in offered.sections_in(entry.key.courseID, entry.key.term):
        if section.key == entry.key:
            instead_of = entry.drop_if_enrolled or ""
            yield WeekEntry(section.courseID, row.title, "waiting", section.meetings, section.room, instead_of)
