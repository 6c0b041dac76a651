"""The collection `term`: when students may do what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from pymongo import IndexModel, UpdateOne

from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SEASONS, Term, find_timezone

INDEXES = [IndexModel("term", unique=True)]

SCHEMA = {
    "bsonType": "object",
    "required": [
        "term",
        "opens_at",
        "add_deadline",
        "drop_deadline",
        "withdraw_deadline",
        "max_credits",
        "timezone",
    ],
    "properties": {
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "season": {"enum": list(SEASONS)},
        "year": {"bsonType": ["int", "long"], "minimum": 1900, "maximum": 2200},
        "opens_at": {"bsonType": "date"},
        "add_deadline": {"bsonType": "date"},
        "drop_deadline": {"bsonType": "date"},
        "withdraw_deadline": {"bsonType": "date"},
        "max_credits": {"bsonType": "number", "minimum": 0, "maximum": 100},
        "timezone": {"bsonType": "string", "minLength": 1, "maxLength": 50},
        "starts_on": {"bsonType": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "ends_on": {"bsonType": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    },
}

DATETIME_FIELDS = ("opens_at", "add_deadline", "drop_deadline", "withdraw_deadline")
DATE_FIELDS = ("starts_on", "ends_on")
"""Days of the calendar, stored as 2026-08-31: a moment of MongoDB's would be another day elsewhere."""


async def find(db: Database, term: str, session: Session | None = None) -> Term | None:
    """Return the term of that name, or None."""
    document = await db.term.find_one({"term": term}, session=session)
    return to_term(document) if document is not None and is_complete(document) else None


async def find_all(db: Database, session: Session | None = None) -> list[Term]:
    """Return all terms in the order of time."""
    return to_sorted_terms(await db.term.find(session=session).to_list(None))


async def put_all(db: Database, terms: Sequence[Term], session: Session | None = None) -> tuple[int, int]:
    """Store each term under its name; return how many were added and how many changed."""
    writes = [UpdateOne({"term": term.term}, _change(to_row(term)), upsert=True) for term in terms]
    result = await db.term.bulk_write(writes, session=session)
    return result.upserted_count, result.modified_count


async def find_unknown_timezones(db: Database, session: Session | None = None) -> dict[str, str]:
    """Return the terms with a timezone that this machine does not know, each with its name for it."""
    named = {"term": {"$type": "string"}, "timezone": {"$type": "string"}}
    stored = {row["term"]: row["timezone"] async for row in db.term.find(named, session=session).sort("term")}
    return {term: name for term, name in stored.items() if find_timezone(name) is None}


def to_sorted_terms(documents: Iterable[Mapping[str, Any]]) -> list[Term]:
    """Read stored terms, those that are proper, in the order of time."""
    return sorted(map(to_term, filter(is_complete, documents)), key=lambda term: term.order)


def is_complete(document: Mapping[str, Any]) -> bool:
    """Tell whether the row says when students may do what.

    The site knows no term rather than guess; `check-seats` lists the row.
    """
    windows = all(isinstance(document.get(name), datetime) for name in DATETIME_FIELDS)
    named, limit = isinstance(document.get("term"), str), document.get("max_credits")
    return windows and named and isinstance(limit, int | float)


def to_term(document: Mapping[str, Any]) -> Term:
    """Read a stored term; where nobody knows its timezone, its times are told by the clock of UTC."""
    known = find_timezone(str(document.get("timezone"))) is not None
    timezone = document["timezone"] if known else "UTC"
    facts = {name: document[name] for name in ("term", *DATETIME_FIELDS, "max_credits")}
    days = {name: _to_date(document.get(name)) for name in DATE_FIELDS}
    return Term(**facts | days, timezone=timezone)


def to_row(term: Term) -> Document:
    """Return the term as it is stored: with the season and year from its name, and without days that weren't given."""
    days = {name: day.isoformat() for name in DATE_FIELDS if (day := getattr(term, name)) is not None}
    season = {"season": term.season, "year": term.year} if term.season else {}
    return {name: fact for name, fact in asdict(term).items() if name not in DATE_FIELDS} | season | days


def _change(document: Document) -> Document:
    lacks = {name: "" for name in DATE_FIELDS if name not in document}
    return {"$set": document} | ({"$unset": lacks} if lacks else {})


def _to_date(stored: Any) -> date | None:
    try:
        return date.fromisoformat(stored)
    except (TypeError, ValueError):  # a row from before, or one that nobody has checked
        return None
