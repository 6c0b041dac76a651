"""The collection `term`: the terms, with the dates between which students may enroll, drop and withdraw."""

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
        "open_enrollment_at": {"bsonType": "date"},
        "in_progress_counts": {"bsonType": "bool"},
    },
}

DATETIME_FIELDS = ("opens_at", "add_deadline", "drop_deadline", "withdraw_deadline")
DATE_FIELDS = ("starts_on", "ends_on")
"""Dates, stored as text like 2026-08-31: a MongoDB date is a moment, which is another day in other timezones."""

OPTIONAL_FIELDS = (*DATE_FIELDS, "open_enrollment_at", "in_progress_counts")
"""Fields that a term may lack."""


async def find(db: Database, term: str, session: Session | None = None) -> Term | None:
    """Return the term, or None."""
    row = await db.term.find_one({"term": term}, session=session)
    return to_term(row) if row is not None and is_complete(row) else None


async def find_all(db: Database, session: Session | None = None) -> list[Term]:
    """Return all terms in chronological order."""
    return to_sorted_terms(await db.term.find(session=session).to_list(None))


async def put_all(db: Database, terms: Sequence[Term], session: Session | None = None) -> tuple[int, int]:
    """Store terms by name; return how many were added and how many changed."""
    writes = [UpdateOne({"term": term.term}, _change(to_row(term)), upsert=True) for term in terms]
    result = await db.term.bulk_write(writes, session=session)
    return result.upserted_count, result.modified_count


async def find_unknown_timezones(db: Database, session: Session | None = None) -> dict[str, str]:
    """Return the terms whose timezone this machine doesn't know, each with the name of the timezone."""
    has_timezone = {"term": {"$type": "string"}, "timezone": {"$type": "string"}}
    stored = {row["term"]: row["timezone"] async for row in db.term.find(has_timezone, session=session).sort("term")}
    return {term: name for term, name in stored.items() if find_timezone(name) is None}


def to_sorted_terms(rows: Iterable[Mapping[str, Any]]) -> list[Term]:
    """Read stored terms, without incomplete ones, in chronological order."""
    return sorted(map(to_term, filter(is_complete, rows)), key=lambda term: term.order)


def is_complete(row: Mapping[str, Any]) -> bool:
    """Return whether the row has the fields that a term needs.

    The site ignores an incomplete term, rather than guess; `check-seats` lists it.
    """
    has_dates = all(isinstance(row.get(name), datetime) for name in DATETIME_FIELDS)
    has_name, limit = isinstance(row.get("term"), str), row.get("max_credits")
    return has_dates and has_name and isinstance(limit, int | float)


def to_term(row: Mapping[str, Any]) -> Term:
    """Read a stored term; an unknown timezone is replaced by UTC."""
    is_known = find_timezone(str(row.get("timezone"))) is not None
    timezone = row["timezone"] if is_known else "UTC"
    values = {name: row[name] for name in ("term", *DATETIME_FIELDS, "max_credits")}
    dates = {name: _to_date(row.get(name)) for name in DATE_FIELDS}
    begins = row.get("open_enrollment_at")
    open_enrollment_at = begins if isinstance(begins, datetime) else None
    return Term(
        **values | dates,
        timezone=timezone,
        open_enrollment_at=open_enrollment_at,
        in_progress_counts=row.get("in_progress_counts") is not False,
    )


def to_row(term: Term) -> Document:
    """Return the term as a row: with the season and year from its name, and without what most terms don't have."""
    given = {name: value for name, value in asdict(term).items() if value is not None}
    if term.in_progress_counts:
        del given["in_progress_counts"]
    dates = {name: given[name].isoformat() for name in DATE_FIELDS if name in given}
    season = {"season": term.season, "year": term.year} if term.season else {}
    return given | season | dates


def _change(row: Document) -> Document:
    missing = {name: "" for name in OPTIONAL_FIELDS if name not in row}
    return {"$set": row} | ({"$unset": missing} if missing else {})


def _to_date(stored: Any) -> date | None:
    try:
        return date.fromisoformat(stored)
    except (TypeError, ValueError):  # missing, or a row that was never validated
        return None
