"""A schedule as an iCalendar file (RFC 5545): each weekly meeting of a course is one recurring event.

Emails have one file for each event (RFC 5546). They use PUBLISH, not REQUEST: a request asks the student to accept, and
sends the answer to a mailbox that nobody reads. A course that the student left is a CANCEL with the same UID and a
higher SEQUENCE, with which Outlook and Apple's calendar offer to remove the event. A file has only one event because
CANCEL allows only one UID, and because Gmail and Thunderbird add only the first event of a file.
"""

import hmac
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress

from quart_enroll.domain.models import Meeting, ScheduledCourse, Term
from quart_enroll.i18n.language import DAYS, gettext

ICAL_DAYS = dict(zip(DAYS, ("MO", "TU", "WE", "TH", "FR", "SA", "SU"), strict=True))

EVENT_NAMESPACE = uuid.UUID("6f0c9b1e-5d0c-4d53-9a53-2f8a1d1c7c11")
"""The namespace of the events' UIDs. Another one would duplicate the events in every calendar."""

PRODUCT = "-//Quart Enroll//Schedule//EN"
"""Names this site in the files."""

REFRESH_INTERVAL = timedelta(hours=6)
"""How often a subscribed calendar should update."""


SEQUENCES_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
"""A change has as its SEQUENCE the seconds since this moment, which fit into 31 bits until 2088."""


class Method(StrEnum):
    """What a calendar does with the event of a file."""

    PUBLISH = "PUBLISH"
    """Add or update it."""

    CANCEL = "CANCEL"
    """Remove it."""


MakeUid: TypeAlias = Callable[..., str]
"""Returns the UID for these facts about a student's event: always the same one."""


def student_uids(user_id: int) -> MakeUid:
    """Return a function that makes the UIDs for the student's own files, the same ones in the schedule and in emails.

    Anyone who has such a file can check a guess of the facts, such as the student's number.
    """
    return lambda *parts: str(uuid.uuid5(EVENT_NAMESPACE, _joined(user_id, *parts)))


def secret_uids(key: str) -> MakeUid:
    """Return a function that makes the UIDs for a file that others see; they reveal nothing without the key."""
    return lambda *parts: str(uuid.UUID(bytes=hmac.digest(key.encode(), _joined(*parts).encode(), "sha256")[:16]))


def _joined(*parts: object) -> str:
    return "\0".join(map(str, parts))


def schedule(
    make_uid: MakeUid, courses: Iterable[ScheduledCourse], terms: Iterable[Term], now: datetime, *, name: str
) -> bytes:
    """Return the file with the courses of those terms; the calendar has the `name`."""
    file = Calendar.new(name=name, prodid=PRODUCT, uid=make_uid())
    file.add("refresh-interval", REFRESH_INTERVAL, {"value": "DURATION"})
    known = {term.term: term for term in terms}
    days: list[date] = []
    for course in courses:
        term = known[course.enrolled_term]
        for event in _events(make_uid, course, term, now):
            file.add_component(event)
            days += [term.first_day, term.last_day]
    return _with_timezones(file, days)


def change(
    user_id: int, course: ScheduledCourse, term: Term, method: Method, changed_at: datetime, *, organizer: str
) -> list[bytes]:
    """Return a file for each weekly meeting of a course that the student got or left at that moment.

    The `organizer` is the email address that the files come from.
    """
    files = []
    for event in _events(student_uids(user_id), course, term, changed_at):
        event.add("sequence", max(0, int((changed_at - SEQUENCES_SINCE).total_seconds())))
        event.add("status", "CANCELLED" if method is Method.CANCEL else "CONFIRMED")
        event.add("organizer", vCalAddress(f"mailto:{organizer}"))
        file = Calendar.new(prodid=PRODUCT, uid=str(event.uid), method=method)
        file.add_component(event)
        files.append(_with_timezones(file, [term.first_day, term.last_day]))
    return files


def _with_timezones(file: Calendar, days: Collection[date]) -> bytes:
    """Return the file with the timezones of its events, which take place between the first and last of the days."""
    if days:
        # A year's margin: programs also look up the clock before the first event and after the last.
        margin = timedelta(days=366)
        file.add_missing_timezones(first_date=min(days) - margin, last_date=max(days) + margin)
    return bytes(file.to_ical())


def fingerprint(file: bytes) -> str:
    """Return a value that is equal for files that differ only in when they were created."""
    return uuid.uuid5(EVENT_NAMESPACE, re.sub(rb"\r\nDTSTAMP:[^\r]*", b"", file).decode()).hex


def _events(make_uid: MakeUid, course: ScheduledCourse, term: Term, now: datetime) -> Iterator[Event]:
    """Yield the meetings of the course that take place at least once before the term ends."""
    zone = ZoneInfo(term.timezone)
    for number, meeting in enumerate(course.meetings):
        first = _first_day(meeting, term)
        if first > term.last_day:
            continue
        event = Event.new(
            uid=make_uid(course.enrolled_term, course.courseID, course.section, number),
            summary=course.title,
            description="\n".join(
                filter(
                    None, (course.description, gettext("Section %(number)s", number=course.section), course.instructor)
                )
            ),
            location=course.room or None,
            start=_moment(first, meeting.start, zone),
            end=_moment(first, meeting.end, zone),
            stamp=now,
        )
        event.add("rrule", _every_week(meeting, term, zone))
        yield event


def _first_day(meeting: Meeting, term: Term) -> date:
    """Return the first day of the term on which the meeting takes place: the recurrence must start there."""
    days = {DAYS.index(day) for day in meeting.days}
    return next(day for day in (term.first_day + timedelta(ahead) for ahead in range(7)) if day.weekday() in days)


def _every_week(meeting: Meeting, term: Term, zone: ZoneInfo) -> Mapping[str, object]:
    last_moment = datetime.combine(term.last_day, time(23, 59, 59), zone)
    return {"freq": "weekly", "until": last_moment.astimezone(UTC), "byday": [ICAL_DAYS[day] for day in meeting.days]}


def _moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone)
