"""What a student's catalog page must show, computed from the rows of the database and independently of the site."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape

from tests.bench.crowd_school import meeting_slot
from tests.bench.school_data import course

_SEATS = re.compile(r"\d+ of \d+ seats open|1 seat left|Full · \d+ on waitlist|Full\b")
_LABELS = re.compile(
    r"Enrolled\b|Waitlisted\b|Leave waitlist|Join waitlist(?:, replacing \w+ \d+)?|Swap \w+ \d+ for this|"
    r"Drop\b|Enroll\b|Planned\b|Conflict\b|Add to plan|Remove from plan|Notify me if a seat opens"
)


@dataclass(frozen=True, slots=True)
class ShownRow:
    """What a page shows about a course's only section: its seats, and the labels of states and buttons."""

    seats: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class OwnCourses:
    """The numbers of a student's courses."""

    enrolled: frozenset[int]
    planned: frozenset[int]
    waitlisted: frozenset[int]


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of a section at one moment."""

    capacity: int
    taken: int
    waiting: int


def shown_rows(page: str) -> list[ShownRow]:
    """Return the rows of a catalog page, in their order."""
    _, *rows = page.split('<details class="course-row"')
    texts = [unescape(re.sub(r"<[^>]*>", " ", row.partition("</ul>")[0])) for row in rows]
    return [_shown_row(" ".join(text.split())) for text in texts]


def _shown_row(text: str) -> ShownRow:
    seats = _SEATS.search(text)
    return ShownRow(seats[0], frozenset(_LABELS.findall(text, seats.end()))) if seats else ShownRow("", frozenset())


def expected_row(number: int, seats: Seats, own: OwnCourses) -> ShownRow:
    """Return what the student must see about the course with that number."""
    open_seats = seats.capacity - seats.taken
    return ShownRow(_seats_text(open_seats, seats), frozenset(_expected_labels(number, open_seats, own)))


def _seats_text(open_seats: int, seats: Seats) -> str:
    if open_seats == 1:
        return "1 seat left"
    if open_seats:
        return f"{open_seats} of {seats.capacity} seats open"
    return f"Full · {seats.waiting} on waitlist" if seats.waiting else "Full"


def _expected_labels(number: int, open_seats: int, own: OwnCourses) -> Iterable[str]:
    if number in own.enrolled:
        return ("Enrolled", "Drop")
    if number in own.waitlisted:
        return ("Waitlisted", "Leave waitlist")
    planned = ("Planned",) if number in own.planned else ()
    conflicts = [course(held).title for held in own.enrolled if meeting_slot(held) == meeting_slot(number)]
    badges = (*planned, *(("Conflict",) if conflicts else ()))
    if not open_seats:
        join = f"Join waitlist, replacing {conflicts[0]}" if conflicts else "Join waitlist"
        return (*badges, join, "Notify me if a seat opens")
    take = f"Swap {conflicts[0]} for this" if conflicts else "Enroll"
    return (*badges, take, "Remove from plan" if number in own.planned else "Add to plan")
