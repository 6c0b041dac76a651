"""Enrollment appointments: a student's own start, and perhaps end and credit limit, inside the term's window.

Open enrollment is the term's window as it is without appointments. It begins at the term's `open_enrollment_at`: until
then, only students with an appointment may enroll, each from their own start until their own end and within their own
credit limit; from then on, appointments no longer matter. A term without that moment is open for students without an
appointment all the time, while the others have their own period and their own limit until the deadline to add courses.

A seat from a waitlist needs no appointment: the place was taken during one. But the credit limit counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.domain.errors import AppointmentEnded, AppointmentNotBegun, NoAppointment
from quart_enroll.domain.models import Term
from quart_enroll.domain.moments import localized_deadline, localized_moment
from quart_enroll.i18n.language import LastDay, Moment, Sentence, TermName, join_sentences


@dataclass(frozen=True, slots=True)
class Appointment:
    """A student's appointment in a term; the end is exclusive. Without `max_credits`, the term's limit applies."""

    term: str
    starts_at: datetime
    ends_at: datetime | None = None
    max_credits: int | float | None = None


@dataclass(frozen=True, slots=True)
class RecordedAppointment:
    """The appointment of a student, when it was last assigned or changed, and by whom."""

    user_id: int
    appointment: Appointment
    at: datetime
    author: int


def is_open_enrollment(term: Term, now: datetime) -> bool:
    """Return whether appointments no longer matter."""
    return term.open_enrollment_at is not None and term.open_enrollment_at <= now


def matter(term: Term, appointment: Appointment | None, now: datetime) -> bool:
    """Return whether the student's enrollment depends on an appointment now, or on having none."""
    has_rule = appointment is not None or term.open_enrollment_at is not None
    return has_rule and now < term.add_deadline and not is_open_enrollment(term, now)


def check(term: Term, appointment: Appointment | None, now: datetime) -> None:
    """Raise AppointmentNotBegun, AppointmentEnded or NoAppointment if the student can't enroll now.

    The term's own dates are another rule (`rules.check_open`).
    """
    if not matter(term, appointment, now):
        return
    if appointment is None:
        if term.open_enrollment_at:
            raise NoAppointment(term.term, localized_moment(term, term.open_enrollment_at))
    elif now < (starts := _start(term, appointment)):
        raise AppointmentNotBegun(term.term, localized_moment(term, starts))
    elif appointment.ends_at is not None and now >= appointment.ends_at:
        raise _ended(term, appointment.ends_at)


def next_start(term: Term, appointment: Appointment | None, now: datetime) -> datetime | None:
    """Return the next moment from which the student may enroll; None if they may now, or no longer."""
    starts = {term.opens_at, term.open_enrollment_at or term.opens_at}
    if appointment:
        starts.add(max(appointment.starts_at, term.opens_at))
    if _is_open(term, appointment, now):
        return None
    return min((one for one in starts if one > now and _is_open(term, appointment, one)), default=None)


def own_term(term: Term, appointment: Appointment | None, now: datetime) -> Term:
    """Return the term as it is for the student now: with their credit limit, and not open unless they may enroll.

    Only for what can be done now: its dates are those of the term, or only in the right order.
    """
    own = with_own_limit(term, appointment, now)
    if not term.is_open(now) or _is_open(term, appointment, now):
        return own
    if next_start(term, appointment, now):
        return replace(own, opens_at=term.add_deadline)
    return replace(own, add_deadline=term.opens_at)


def with_own_limit(term: Term, appointment: Appointment | None, now: datetime) -> Term:
    """Return the term with the credit limit that the student has now."""
    if appointment is None or appointment.max_credits is None or is_open_enrollment(term, now):
        return term
    return replace(term, max_credits=appointment.max_credits)


def describe(term: Term, appointment: Appointment, now: datetime) -> Sentence:
    """Return the appointment in sentences for its student."""
    if appointment.ends_at is not None and now >= appointment.ends_at:
        return _ended(term, appointment.ends_at).message
    name, starts = TermName(term.term), localized_moment(term, appointment.starts_at)
    sentences = [
        Sentence("Your enrollment appointment for %(term)s begins on %(begins)s.", term=name, begins=starts)
        if now < appointment.starts_at
        else Sentence("Your enrollment appointment for %(term)s began on %(began)s.", term=name, began=starts)
    ]
    if appointment.ends_at is not None:
        sentences.append(_end(localized_deadline(term, appointment.ends_at)))
    if appointment.max_credits is not None:
        sentences.append(Sentence("Your credit limit is %(limit)s for now.", limit=appointment.max_credits))
    if term.open_enrollment_at:
        opens = localized_moment(term, term.open_enrollment_at)
        sentences.append(Sentence("Open enrollment begins on %(opens)s.", opens=opens))
    return join_sentences(sentences)


def in_words(term: Term, appointment: Appointment) -> Sentence:
    """Return the appointment in sentences for staff."""
    sentences = [Sentence("Begins on %(begins)s.", begins=localized_moment(term, appointment.starts_at))]
    if appointment.ends_at is not None:
        sentences.append(_end(localized_deadline(term, appointment.ends_at)))
    if appointment.max_credits is not None:
        sentences.append(Sentence("Credit limit: %(limit)s.", limit=appointment.max_credits))
    return join_sentences(sentences)


def _end(ends: Moment | LastDay) -> Sentence:
    if isinstance(ends, LastDay):
        return Sentence("It ends at the end of %(day)s.", day=ends)
    return Sentence("It ends on %(ends)s.", ends=ends)


def in_term(appointments: Iterable[Appointment], term: Term) -> Appointment | None:
    """Return the one for the term."""
    return next((one for one in appointments if one.term == term.term), None)


def problems(term: Term, appointment: Appointment) -> dict[str, Sentence]:
    """Return what contradicts the term's dates or each other, by field."""
    found = {}
    closes = term.open_enrollment_at or term.add_deadline
    if not term.opens_at <= appointment.starts_at < closes:
        found["starts_at"] = Sentence(
            "Choose a time no earlier than %(opens)s and before %(closes)s.",
            opens=localized_moment(term, term.opens_at),
            closes=localized_moment(term, closes),
        )
    if appointment.ends_at is not None and appointment.ends_at <= appointment.starts_at:
        found["ends_at"] = Sentence("Choose a time after the start.")
    return found


def texts(appointment: Appointment | None) -> dict[str, str]:
    """Return the fields as the audit log has them, with times in UTC."""
    values = {name: getattr(appointment, name, None) for name in ("starts_at", "ends_at", "max_credits")}
    return {
        name: f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else "" if value is None else f"{value:g}"
        for name, value in values.items()
    }


def _ended(term: Term, ends_at: datetime) -> AppointmentEnded:
    opens = localized_moment(term, term.open_enrollment_at) if term.open_enrollment_at else None
    return AppointmentEnded(term.term, localized_deadline(term, ends_at), opens)


def _start(term: Term, appointment: Appointment) -> datetime:
    """Return from when the student may enroll for the first time."""
    starts = max(appointment.starts_at, term.opens_at)
    return min(starts, term.open_enrollment_at) if term.open_enrollment_at else starts


def _is_open(term: Term, appointment: Appointment | None, now: datetime) -> bool:
    try:
        check(term, appointment, now)
    except (AppointmentNotBegun, AppointmentEnded, NoAppointment):
        return False
    return term.is_open(now)
