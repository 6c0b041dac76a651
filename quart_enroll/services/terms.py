"""Terms: which one is now, which ones a course names, which one a person means."""

import re
from collections.abc import Iterable
from datetime import date

from quart_enroll.errors import NotTaught, UnknownTerm
from quart_enroll.models import SEASONS, Course, Term

_SEASON_OF_MONTH = ("Spring",) * 5 + ("Summer",) * 2 + ("Fall",) * 5
_NAMES = {season.lower(): season for season in SEASONS} | {"autumn": "Fall"}
_NAMED = re.compile(rf"\b({'|'.join(_NAMES)})\b(?:\s+(\d{{4}})\b)?", re.IGNORECASE | re.ASCII)


def current(today: date) -> Term:
    """Return the term of that day: Spring until May, Summer until July, then Fall."""
    return Term(_SEASON_OF_MONTH[today.month - 1], today.year)


def ahead(today: date) -> list[Term]:
    """Return the current term and those that follow until the end of next year."""
    seasons = [Term(season, year) for year in (today.year, today.year + 1) for season in SEASONS]
    return [term for term in seasons if term >= current(today)]


def seasons(text: str) -> list[str]:
    """Return the seasons that a text names, under their own names: "autumn" is Fall."""
    return [_NAMES[season.lower()] for season, _ in _NAMED.findall(text)]


def named(text: str, among: Iterable[Term]) -> list[Term]:
    """Return the terms that a text like "Fall, Spring 2027" names, in the order of time.

    A season without a year is its first term of those given; so "Autumn" may be Fall 2026.
    """
    terms = sorted(among)
    found = set()
    for season, year in _NAMED.findall(text):
        same = [term for term in terms if term.season == _NAMES[season.lower()]]
        found.update([term for term in same if str(term.year) == year] if year else same[:1])
    return sorted(found)


def of_courses(courses: Iterable[Course], today: date) -> list[Term]:
    """Return every term from now on in which one of the courses is taught, in the order of time."""
    return named(", ".join({course.term for course in courses}), ahead(today))


def find(text: str, known: Iterable[Term]) -> Term:
    """Return the term that a person means by "fall", "Autumn" or "Fall 2026"; raise UnknownTerm if none."""
    known = list(known)
    if not (found := named(text, known)):
        raise UnknownTerm(text, [str(term) for term in known])
    return found[0]


def choose(course: Course, text: str, today: date) -> Term:
    """Return the term in which a student takes the course: the first one of those meant by `text`.

    Without a text it is the next one in which the course is taught. Raises UnknownTerm when the text
    names no term, NotTaught when the course is not taught then.
    """
    terms = ahead(today)
    wanted = named(text, terms) if text else terms
    if not wanted:
        raise UnknownTerm(text, [str(term) for term in terms])
    taught = named(course.term, terms)
    for term in wanted:
        if term in taught:
            return term
    raise NotTaught(course.title, str(wanted[0]) if text else "the coming terms")
