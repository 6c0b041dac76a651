"""What the waitlists of past terms say: who got a seat from which position, and how soon sections were full.

Only what happened is counted; nothing is estimated. Moves of a position by staff are ignored.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from quart_enroll.domain.models import Event, SectionKey, Term

POSITION_RANGES = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50))
"""Ranges of positions that are counted together; nothing is said about those beyond the last one."""

MIN_STUDENTS = 20
"""Students that a past waitlist position must have had at that time for anything to be said about it."""

COMPARED_TERMS = 2
"""How many past terms are counted."""

JOINING, LEAVING = ("join",), ("leave", "cancelled", "enroll", "swap")
"""Actions that begin a wait, and those that end it without the seat; "promote" ends it with the seat."""

ACTIONS = (*JOINING, *LEAVING, "promote")


class Wait(NamedTuple):
    """A student's wait for a seat in a section; `ended_at` is None if it lasted until the waitlist closed."""

    began_at: datetime
    ended_at: datetime | None
    got_seat: bool


@dataclass(frozen=True, slots=True)
class Odds:
    """Of `waited` students at the positions from `first` to `last`, `seated` got a seat, in these past terms."""

    first: int
    last: int
    waited: int
    seated: int
    terms: tuple[str, ...]


class PastFill(NamedTuple):
    """When the first section of a course was full: so long after enrollment opened in a past term."""

    term: str
    after: timedelta


def comparable_terms(term: Term, known: Iterable[Term]) -> list[Term]:
    """Return the latest past terms of the same season, or of any season if the term's name has none."""
    past = [one for one in known if one.comes_before(term) and (term.season is None or one.season == term.season)]
    return sorted(past, key=lambda one: one.order)[-COMPARED_TERMS:]


def waits(events: Iterable[Event]) -> dict[SectionKey, list[Wait]]:
    """Return the waits in each section by what these events of a term say, which come in the order of time."""
    begun: dict[tuple[int, str], tuple[SectionKey, datetime]] = {}
    found = defaultdict[SectionKey, list[Wait]](list)
    for event in events:
        student = event.user_id, event.courseID
        if (wait := begun.pop(student, None)) is not None:
            key, began_at = wait
            found[key].append(Wait(began_at, event.at, event.action == "promote"))
        if event.action in JOINING:
            begun[student] = SectionKey(event.term, event.courseID, event.section), event.at
    for key, began_at in begun.values():
        found[key].append(Wait(began_at, None, got_seat=False))
    return dict(found)


def positions_at(moment: datetime, waits: Iterable[Wait]) -> Iterator[tuple[int, bool]]:
    """Yield the position of each student who was waiting for a section at the moment, and whether they got the seat."""
    waiting = [one for one in waits if one.began_at <= moment and (one.ended_at is None or moment < one.ended_at)]
    for position, one in enumerate(sorted(waiting, key=lambda one: one.began_at), 1):
        yield position, one.got_seat


def compute(
    now: datetime, term: Term, past: Sequence[tuple[Term, Mapping[SectionKey, Sequence[Wait]]]]
) -> tuple[Odds, ...]:
    """Return the odds for each range of positions that had enough students in the past terms, by position.

    Each past term is looked at as long before its deadline to add courses as it is now before that of `term`.
    """
    counts = {positions: [0, 0] for positions in POSITION_RANGES}
    for one, by_section in past:
        moment = one.add_deadline - (term.add_deadline - now)
        for section_waits in by_section.values():
            for position, got_seat in positions_at(moment, section_waits):
                if (positions := _range_of(position)) is not None:
                    counts[positions][0] += 1
                    counts[positions][1] += got_seat
    names = tuple(one.term for one, _ in past)
    return tuple(
        Odds(*positions, waited, seated, names)
        for positions, (waited, seated) in counts.items()
        if waited >= MIN_STUDENTS
    )


def past_fills(past: Iterable[tuple[Term, Mapping[SectionKey, Sequence[Wait]]]]) -> dict[str, PastFill]:
    """Return for each course when its first section was full, in the latest of the past terms in which one was.

    A section was full when the first student joined its waitlist. The terms come in order.
    """
    fills = {}
    for term, by_section in past:
        first: dict[str, datetime] = {}
        for key, section_waits in by_section.items():
            began_at = min(one.began_at for one in section_waits)
            first[key.courseID] = min(began_at, first.get(key.courseID, began_at))
        fills.update({courseID: PastFill(term.term, at - term.opens_at) for courseID, at in first.items()})
    return fills


def at_position(position: int, known: Iterable[Odds]) -> Odds | None:
    """Return what is known about a position; None if too few students were there."""
    return next((one for one in known if one.first <= position <= one.last), None)


def _range_of(position: int) -> tuple[int, int] | None:
    return next(((first, last) for first, last in POSITION_RANGES if first <= position <= last), None)
