"""Repairs of the Flask site's database. Each may be interrupted and run again."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from math import isfinite
from typing import Any

from pymongo.collation import Collation

from quart_enroll.db.client import Database
from quart_enroll.db.collections.users import CASE_INSENSITIVE, OLD_ROLES
from quart_enroll.db.queries.pipelines import Stage
from quart_enroll.db.queries.schema_violations import describe_row
from quart_enroll.domain import email_addresses
from quart_enroll.domain.roles import Role

VALID_HASH_PATTERN = r"^(scrypt|pbkdf2)(:[^$]*)?\$[^$]+\$([0-9a-f]+|none)$"
"""Matches Werkzeug hashes; the last part is “none” for users imported without a password."""


async def convert_credits_to_numbers(db: Database) -> int:
    """Convert credits stored as text to numbers, where possible; return how many courses changed."""
    changed = 0
    async for course in db.course.find({"credits": {"$type": "string"}}, {"credits": 1}):
        if (number := _number(course["credits"])) is not None:
            unchanged = {"_id": course["_id"], "credits": course["credits"]}
            changed += (await db.course.update_one(unchanged, {"$set": {"credits": number}})).modified_count
    return changed


async def set_missing_roles(db: Database) -> int:
    """Make users without a role students, except those who share an email address; return how many changed."""
    shared = [email for email, _ in await find_repeated(db, "user", "email", CASE_INSENSITIVE)]
    unique = {"role": None, "roles": None, "email": {"$type": "string", "$nin": shared}}
    student = {"role": Role.STUDENT, "roles": [Role.STUDENT]}
    result = await db.user.update_many(unique, {"$set": student}, collation=CASE_INSENSITIVE)
    return result.modified_count


async def copy_single_roles(db: Database) -> int:
    """Store the single role of users also as their `roles`; return how many changed."""
    old = {"role": {"$in": OLD_ROLES}, "roles": None}
    return (await db.user.update_many(old, [{"$set": {"roles": ["$role"]}}])).modified_count


async def find_unusable_passwords(db: Database) -> dict[Any, str]:
    """Return stored passwords that are not valid hashes, by the _id of the user."""
    unusable = {"password": {"$type": "string", "$not": {"$regex": VALID_HASH_PATTERN}}}
    return {row["_id"]: row["password"] async for row in db.user.find(unusable, {"password": 1}).sort("_id")}


async def replace_password(db: Database, row_id: Any, plain: str, hashed: str) -> None:
    """Replace a password stored as plain text by its hash."""
    await db.user.update_one({"_id": row_id, "password": plain}, {"$set": {"password": hashed}})


async def find_user_names(db: Database, row_ids: Sequence[Any]) -> list[str]:
    """Return the user_ids of the users with these _ids, as text."""
    found = db.user.find({"_id": {"$in": list(row_ids)}}, {"user_id": 1}).sort("user_id")
    return [str(row.get("user_id", row["_id"])) async for row in found]


async def find_repeated(
    db: Database, collection: str, field: str, collation: Collation | None = None
) -> list[tuple[Any, list[str]]]:
    """Return the values that several rows have in `field`, and what identifies those rows."""
    row = {"_id": "$_id", "user_id": "$user_id", "courseID": "$courseID"}
    stages: list[Stage] = [
        {"$match": {field: {"$ne": None}}},
        {"$sort": {"_id": 1}},
        {"$group": {"_id": f"${field}", "rows": {"$push": row}}},
        {"$match": {"rows.1": {"$exists": True}}},
        {"$sort": {"_id": 1}},
    ]
    groups = db[collection].aggregate(stages, collation=collation)
    return [(group["_id"], [describe_row(row) for row in group["rows"]]) async for group in groups]


async def find_repeated_emails(db: Database) -> list[list[str]]:
    """Return what identifies the users who share an email address in spellings that CASE_INSENSITIVE distinguishes."""
    users: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    async for row in db.user.find({"email": {"$type": "string"}}, {"user_id": 1, "email": 1}).sort("_id"):
        if isinstance(row["email"], str):  # MongoDB also finds lists of strings
            users[email_addresses.canonical(row["email"])].append((row["email"].casefold(), describe_row(row)))
    return [[name for _, name in rows] for rows in users.values() if len({email for email, _ in rows}) > 1]


def _number(text: str) -> int | float | None:
    with suppress(ValueError, TypeError):
        number = float(text)
        if isfinite(number):
            return int(number) if number.is_integer() else number
    return None
