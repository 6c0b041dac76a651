"""Terms: which one is now, and which one a person means."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from quart_enroll.errors import NoTerms, NotTaught, UnknownTerm
from quart_enroll.models import SEASONS, Course, Term

_NAMES = {season.lower(): season for season in SEASONS} | {"autumn": "Fall"}
_NAMED = re.compile(rf"\b({'|'.join(_NAMES)})\b(?:\s+(\d{{4}})\b|(?!\s*\d))", re.IGNORECASE | re.ASCII)

_LAST_MONTH = {"Winter": 2, "Spring": 5, "Summer": 7, "Fall": 12}
"""The month that ends a season, for terms that nobody has given dates yet."""


def seasons(text: str) -> list[str]:
    """Return the seasons that a text names, under their own names: "autumn" is Fall."""
    return [_NAMES[season.lower()] for season, _ in _NAMED.findall(text)]


def named(text: str, among: Iterable[Term]) -> list[Term]:
    """Return the terms that a text like "Fall, Spring 2027" names, in the order of time.

    A season without a year is its first term of those given; so "Autumn" may be Fall 2026.
    """
    terms = sorted(among, key=lambda term: term.order)
    found = set()
    for season, year in _NAMED.findall(text):
        same = [term for term in terms if term.season == _NAMES[season.lower()]]
        found.update([term for term in same if str(term.year) == year] if year else same[:1])
    return sorted(found, key=lambda term: term.order)


def current(known: Sequence[Term], now: datetime) -> Term:
    """Return the term whose window is open, else the next to open, else the last; raise NoTerms if none is."""
    if not known:
        raise NoTerms
    first_open = [term for term in known if term.is_open(now)]
    to_open = sorted((term for term in known if now < term.opens_at), key=lambda term: term.opens_at)
    return (first_open or to_open or [known[-1]])[0]


def coming(known: Iterable[Term], now: datetime) -> list[Term]:
    """Return the terms in which something can still be done."""
    return [term for term in known if now < term.withdraw_deadline]


def in_turn(known: Sequence[Term], now: datetime) -> list[Term]:
    """Return all terms as they concern a student: those whose courses meet these days, then those in which something
    can still be done, then those that are over, the latest of them first."""
    meeting = [term for term in known if term.first_day <= term.local(now).date() <= term.last_day]
    to_come = [term for term in coming(known, now) if term not in meeting]
    return [*meeting, *to_come, *(term for term in reversed(known) if term not in meeting and term not in to_come)]


def next_day(known: Iterable[Term], now: datetime) -> datetime:
    """Return when the next day begins by the school's clock: with it, courses of a term may begin or end."""
    zones = [ZoneInfo(name) for name in {term.timezone for term in known}]
    tomorrows = [(now.astimezone(zone).date() + timedelta(days=1), zone) for zone in zones]
    return min((datetime.combine(day, time(), zone) for day, zone in tomorrows), default=now + timedelta(days=1))


def find(text: str, known: Sequence[Term], now: datetime) -> Term:
    """Return the term that a person means by "fall", "Autumn" or "Fall 2026"; raise UnknownTerm if none.

    That is NoTerms in a school that has none at all.
    """
    if not known:
        raise NoTerms
    if not (found := named(text, coming(known, now)) or named(text, known)):
        raise UnknownTerm(text, [str(term) for term in known])
    return found[0]


def choose(course: Course, known: Sequence[Term], offered: Collection[str], text: str, now: datetime) -> Term:
    """Return the term in which a student takes a course that is `offered` in terms of those names.

    That is the first of those meant by `text`; without a text the first that is open, else the first to come.
    Raises UnknownTerm when the text names no term, NotTaught when the course is not taught then, NoTerms when there
    is no term at all.
    """
    if not known:
        raise NoTerms
    wanted = named(text, coming(known, now)) or [find(text, known, now)] if text else coming(known, now)
    wanted = sorted(wanted, key=lambda term: (not term.is_open(now), term.order))
    for term in wanted:
        if term.term in offered:
            return term
    raise NotTaught(course.title, wanted[0].term if text else "")


def by_calendar(text: str, today: date, *, max_credits: int | float, timezone: str) -> list[Term]:
    """Return the next term of each season that the text names, open from today to its last day.

    For a Flask site, which had no dates: everything stays possible until the registrar says more.
    """
    made = [
        _by_calendar(season, year, today, max_credits, timezone)
        for season in SEASONS
        for year in (today.year, today.year + 1)
    ]
    return named(text, [term for term in made if term.opens_at < term.add_deadline])


def _by_calendar(season: str, year: int, today: date, max_credits: int | float, timezone: str) -> Term:
    month = _LAST_MONTH[season]
    zone = ZoneInfo(timezone)
    ends = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
    opens = datetime(today.year, today.month, today.day, tzinfo=zone).astimezone(UTC)
    return Term(season, year, opens, ends, ends, ends, max_credits, timezone)
