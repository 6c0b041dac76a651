"""Terms: which one is current, and which one a text means."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from quart_enroll.domain import folding
from quart_enroll.domain.errors import NoTerms, NotTaught, UnknownTerm
from quart_enroll.domain.models import SEASONS, Course, Term, start_of_day

_NAMES = {season.lower(): season for season in SEASONS} | {"autumn": "Fall"}
_SEASON = re.compile(rf"({'|'.join(_NAMES)})(?:\s*((?:19|20|21)\d\d))?", re.IGNORECASE | re.ASCII)
_BETWEEN = re.compile(r"\s*(?:[;/&+]|\band\b|\bor\b)\s*", re.IGNORECASE)
"""Separators in a list of names, besides commas."""

_LAST_MONTH = {"Winter": 2, "Spring": 5, "Summer": 7, "Fall": 12}
"""The last month of each season, for terms without dates."""


def canonical(name: str) -> str:
    """Return a term's name as it is stored: "autumn  2026" is Fall 2026; other names only have their blanks tidied."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    match = _SEASON.fullmatch(name)
    return f"{_NAMES[match[1].lower()]} {match[2]}" if match and match[2] else name


def key(name: str) -> str:
    """Return the same key for all spellings of a term's name.

    Case, blanks, invisible characters and different Unicode forms of a character don't make a different name.
    """
    return folding.key(canonical(name)).replace(" ", "")


def seasons(text: str) -> list[str]:
    """Return the seasons that a list names, under their own names: "autumn" is Fall."""
    found = [_SEASON.fullmatch(name) for name in _names(text, ())]
    return [_NAMES[match[1].lower()] for match in found if match]


def unknown_names(text: str, among: Iterable[Term]) -> list[str]:
    """Return the names in a list that are neither seasons, with or without a year, nor one of these terms."""
    keys = {key(term.term) for term in among}
    return [name for name in _names(text, keys) if key(name) not in keys and not _SEASON.fullmatch(name)]


def named(text: str, among: Iterable[Term]) -> list[Term]:
    """Return the terms that a text like "Fall, Spring 2027" names, in chronological order; empty unless all are known.

    A season without a year is its first term of those given; so "Autumn" may be Fall 2026.
    """
    found = _meant(text, among)
    return [] if None in found else _in_order(found)


def known_in(text: str, among: Iterable[Term]) -> list[Term]:
    """Return the known terms in a list, in chronological order, and ignore the rest."""
    return _in_order(_meant(text, among))


def _in_order(found: Iterable[Term | None]) -> list[Term]:
    terms = {term for term in found if term}
    return sorted(terms, key=lambda term: term.order) if len(terms) > 1 else list(terms)


def _meant(text: str, among: Iterable[Term]) -> list[Term | None]:
    """Return the term that each name in a list means, or None for a name that is none of these terms."""
    terms: list[Term] = list(among)
    for term in terms:
        if term.term == text:  # the exact name, which every button of the site sends
            return [term]
    terms.sort(key=lambda term: term.order)
    by_key = {key(term.term): term for term in terms}
    first = {term.season: term for term in reversed(terms)}
    found: list[Term | None] = []
    for name in _names(text, by_key):
        match = _SEASON.fullmatch(name)
        season = _NAMES[match[1].lower()] if match and not match[2] else ""
        found.append(by_key.get(key(name)) or first.get(season))
    return found


def _names(text: str, keys: Collection[str]) -> list[str]:
    """Return the names in a list; names with one of these `keys` are never split, and no other word is left out."""
    if key(text) in keys:
        return [text]
    names: list[str] = []
    for name in filter(None, map(str.strip, text.split(","))):
        parts = _BETWEEN.split(name)
        is_list = key(name) not in keys and all(_SEASON.fullmatch(part) or key(part) in keys for part in parts)
        names += parts if is_list else [name]
    return names


def current(known: Sequence[Term], now: datetime) -> Term:
    """Return the term that is open for enrollment, else the next to open, else the last; raise NoTerms if there are
    none."""
    if not known:
        raise NoTerms
    first_open = [term for term in known if term.is_open(now)]
    to_open = sorted((term for term in known if now < term.opens_at), key=lambda term: term.opens_at)
    return (first_open or to_open or [known[-1]])[0]


def active(known: Iterable[Term], now: datetime) -> list[Term]:
    """Return the terms that are not over: in which students can still enroll, drop or withdraw."""
    return [term for term in known if now < term.withdraw_deadline]


def by_relevance(known: Sequence[Term], now: datetime) -> list[Term]:
    """Return all terms, most relevant first: those that are open for enrollment, those whose courses meet now, other
    active ones, then past ones, latest first."""
    meeting = [term for term in known if term.first_day <= term.local(now).date() <= term.last_day]
    still_active = active(known, now)
    is_open = [term for term in still_active if term.is_open(now)]
    return list(dict.fromkeys([*is_open, *meeting, *still_active, *reversed(known)]))


def start_of_next_day(known: Iterable[Term], now: datetime) -> datetime:
    """Return when the next day begins in the school's timezone: then a term's courses may begin or end."""
    zones = [ZoneInfo(name) for name in {term.timezone for term in known}]
    tomorrows = [start_of_day(now.astimezone(zone).date() + timedelta(days=1), zone) for zone in zones]
    return min(tomorrows, default=now + timedelta(days=1))


def find(text: str, known: Sequence[Term], now: datetime) -> Term:
    """Return the term that a person means by "Fall 2026", or by "fall" or "Autumn" for the next one.

    The whole text must be a name. Raises UnknownTerm if it isn't, NoTerms if the school has no terms at all.
    """
    if not known:
        raise NoTerms
    for among in (active(known, now), known):
        if len(found := _meant(text, among)) == 1 and found[0]:
            return found[0]
    raise UnknownTerm(text, [str(term) for term in known])


def choose(course: Course, known: Sequence[Term], offered: Collection[str], text: str, now: datetime) -> Term:
    """Return the term in which a student takes a course that is `offered` in terms of those names.

    That is the first term named by `text`; without a text the first that is open, else the next to open. `known` is in
    chronological order. Raises UnknownTerm if the text names no term, NotTaught if the course is not offered then,
    NoTerms if there is no term at all.
    """
    if not known:
        raise NoTerms
    among = active(known, now)
    wanted = named(text, among) or named(text, known) or [find(text, known, now)] if text else among
    wanted = sorted(wanted, key=lambda term: not term.is_open(now))
    for term in wanted:
        if term.term in offered:
            return term
    raise NotTaught(course.title, wanted[0].term if text else "")


def default_terms(text: str, today: date, *, max_credits: int | float, timezone: str) -> list[Term]:
    """Return the next term of each season in the text, open from today to its last day.

    The Flask site had no dates: these keep everything possible until the registrar sets some.
    """
    made = [
        _default_term(season, year, today, max_credits, timezone)
        for season in SEASONS
        for year in (today.year, today.year + 1)
    ]
    return known_in(text, [term for term in made if term.opens_at < term.add_deadline])


def _default_term(season: str, year: int, today: date, max_credits: int | float, timezone: str) -> Term:
    month = _LAST_MONTH[season]
    zone = ZoneInfo(timezone)
    ends = start_of_day(date(year + month // 12, month % 12 + 1, 1), zone)
    return Term(f"{season} {year}", start_of_day(today, zone), ends, ends, ends, max_credits, timezone)
