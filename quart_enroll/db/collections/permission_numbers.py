"""The collection `permission_number`: codes that staff hand out. They are stored as they are, to be printed again."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from pymongo import IndexModel

from quart_enroll.db import section_keys
from quart_enroll.db.client import Database, Document, Session
from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH, SectionKey
from quart_enroll.domain.permission_numbers import ALPHABET, CODE_LENGTH, NUMBER_OVERRIDES, PermissionNumber

INDEXES = [IndexModel([("term", 1), ("courseID", 1), ("code", 1)], unique=True)]

SCHEMA = {
    "bsonType": "object",
    "required": [
        *("term", "courseID", "section", "code", "overrides", "expires_at", "at", "author", "reason", "by_registrar"),
    ],
    "properties": {
        "term": {"bsonType": "string", "minLength": 1, "maxLength": MAX_TERM_NAME_LENGTH},
        "courseID": {"bsonType": "string", "minLength": 1, "maxLength": 20},
        "section": {"bsonType": "string", "minLength": 1, "maxLength": 10},
        "code": {"bsonType": "string", "pattern": f"^[{ALPHABET}]{{{CODE_LENGTH}}}$"},
        "overrides": {"bsonType": "array", "minItems": 1, "items": {"enum": [*NUMBER_OVERRIDES]}},
        "expires_at": {"bsonType": "date"},
        "at": {"bsonType": "date"},
        "author": {"bsonType": ["int", "long"]},
        "reason": {"bsonType": "string"},
        "by_registrar": {"bsonType": "bool"},
        "used_by": {"bsonType": ["int", "long"]},
        "used_at": {"bsonType": "date"},
        "is_revoked": {"bsonType": "bool"},
    },
}

IS_UNUSED: Document = {"used_by": {"$exists": False}, "is_revoked": {"$ne": True}}
"""Matches numbers that are neither used nor revoked."""


async def add_all(db: Database, numbers: Iterable[PermissionNumber], session: Session) -> None:
    """Add the unused numbers."""
    await db.permission_number.insert_many(map(_to_row, numbers), session=session)


async def find(
    db: Database, term: str, courseID: str, code: str, session: Session | None = None
) -> PermissionNumber | None:
    """Return the course's permission number with this code, or None."""
    row = await db.permission_number.find_one({"term": term, "courseID": courseID, "code": code}, session=session)
    return None if row is None else _to_number(row)


async def find_of_section(db: Database, key: SectionKey, session: Session | None = None) -> list[PermissionNumber]:
    """Return the section's permission numbers, the latest first, those created together in the order of their codes."""
    found = db.permission_number.find(section_keys.to_filter(key), session=session)
    numbers = sorted([_to_number(row) async for row in found], key=lambda one: one.code)
    return sorted(numbers, key=lambda one: one.at, reverse=True)


async def use(db: Database, number: PermissionNumber, user_id: int, at: datetime, session: Session) -> bool:
    """Note that the student has used the number; return False if it is used or revoked."""
    change = {"$set": {"used_by": user_id, "used_at": at}}
    result = await db.permission_number.update_one(_match([number]) | IS_UNUSED, change, session=session)
    return result.modified_count == 1


async def revoke(db: Database, numbers: Collection[PermissionNumber], session: Session) -> int:
    """Revoke those of the numbers, which are all for one course, that are unused; return how many."""
    wanted = _match(numbers) | IS_UNUSED
    result = await db.permission_number.update_many(wanted, {"$set": {"is_revoked": True}}, session=session)
    return int(result.modified_count)


def _match(numbers: Collection[PermissionNumber]) -> Document:
    [(term, courseID)] = {(one.key.term, one.key.courseID) for one in numbers}
    return {"term": term, "courseID": courseID, "code": {"$in": [one.code for one in numbers]}}


def _to_row(number: PermissionNumber) -> Document:
    names = ("code", "expires_at", "at", "author", "reason", "by_registrar")
    return (
        section_keys.to_filter(number.key)
        | {name: getattr(number, name) for name in names}
        | {"overrides": sorted(number.overrides)}
    )


def _to_number(row: Mapping[str, Any]) -> PermissionNumber:
    return PermissionNumber(
        code=row["code"],
        key=section_keys.from_row(row),
        overrides=frozenset(map(Override, row["overrides"])),
        expires_at=row["expires_at"],
        at=row["at"],
        author=row["author"],
        reason=row["reason"],
        by_registrar=row["by_registrar"],
        used_by=row.get("used_by"),
        used_at=row.get("used_at"),
        is_revoked=row.get("is_revoked", False),
    )
