"""Section keys in stored rows: the fields that hold them, filters that find them, and how they are read."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any

from quart_enroll.db.client import Document
from quart_enroll.domain.models import SectionKey

KEY_FIELDS = ("term", "courseID", "section")
"""The fields of a row that name a section, in the order of SectionKey."""

SORT_ORDER = [(name, 1) for name in KEY_FIELDS]

HAS_KEY: Document = {name: {"$type": "string"} for name in KEY_FIELDS}
"""Matches rows that name a section; `check-seats` lists the others."""


def to_filter(key: SectionKey) -> Document:
    """Return a filter that matches the rows of the section; also the fields that such a row has."""
    return {"term": key.term, "courseID": key.courseID, "section": key.section}


def to_superset_filter(keys: Iterable[SectionKey]) -> Document:
    """Return a filter for the rows of these sections, and of others with a term, a course and a number among theirs.

    One index answers it. The caller drops the rows that it didn't want.
    """
    keys = list(keys)
    return {name: {"$in": sorted({getattr(key, name) for key in keys})} for name in KEY_FIELDS}


def from_row(row: Mapping[str, Any]) -> SectionKey:
    """Return the key that the row names; a missing field is read as empty text."""
    return _shared_key(str(row.get("term") or ""), str(row.get("courseID") or ""), str(row.get("section") or ""))


@lru_cache(5000)  # thousands of students have the same sections in memory
def _shared_key(term: str, courseID: str, section: str) -> SectionKey:
    return SectionKey(intern(term), intern(courseID), intern(section))


def has_key(row: Mapping[str, Any]) -> bool:
    """Return whether the row names a section, as HAS_KEY does."""
    return all(isinstance(row.get(name), str) for name in KEY_FIELDS)
