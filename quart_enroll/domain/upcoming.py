"""What comes next for a student: the next meeting, and the next deadline of a term."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from quart_enroll.domain.models import Meeting, Registration, Term
from quart_enroll.i18n.language import DAYS


class NextMeeting(NamedTuple):
    """A meeting of one of the student's courses, and the day on which it takes place."""

    registration: Registration
    meeting: Meeting
    day: date


class Deadline(NamedTuple):
    """The moment at which a term's possible actions change: `kind` is "opens", "add", "drop" or "withdraw"."""

    at: datetime
    term: Term
    kind: str


def next_meeting(registrations: Iterable[Registration], terms: Mapping[str, Term], now: datetime) -> NextMeeting | None:
    """Return the meeting that is taking place now, else the one that begins next; None if no term has dates for one.

    Terms without a first and a last day say nothing about when their courses meet.
    """
    meetings = [found for one in registrations for found in _next_meetings(one, terms.get(one.section.term), now)]
    return min(meetings, key=lambda one: (one.day, one.meeting.start, one.registration.courseID), default=None)


def _next_meetings(registration: Registration, term: Term | None, now: datetime) -> Iterator[NextMeeting]:
    """Yield the next day of each of the course's weekly meetings."""
    if term is None or not (term.starts_on and term.ends_on) or registration.status != "enrolled":
        return
    local = term.local(now)
    today, clock = local.date(), f"{local:%H:%M}"
    if today > term.ends_on:
        return
    for meeting in registration.section.meetings:
        first = max(today + timedelta(days=clock >= meeting.end), term.starts_on)
        days = (first + timedelta(days=ahead) for ahead in range(7))
        day = next(day for day in days if DAYS[day.weekday()] in meeting.days)
        if day <= term.ends_on:
            yield NextMeeting(registration, meeting, day)


def next_deadlines(terms: Iterable[Term], enrolled_terms: Collection[str], now: datetime) -> list[Deadline]:
    """Return the next deadline; several if they are at the same moment.

    Only students who are enrolled in a term have its deadlines to drop and to withdraw.
    """
    coming = [one for term in terms for one in _deadlines(term, term.term in enrolled_terms) if now < one.at]
    first = min((one.at for one in coming), default=None)
    return [one for one in coming if one.at == first]


def _deadlines(term: Term, is_enrolled: bool) -> Iterator[Deadline]:
    yield Deadline(term.opens_at, term, "opens")
    yield Deadline(term.add_deadline, term, "add")
    if is_enrolled:
        yield Deadline(term.drop_deadline, term, "drop")
        if term.withdraw_deadline > term.drop_deadline:
            yield Deadline(term.withdraw_deadline, term, "withdraw")
