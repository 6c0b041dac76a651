"""Repairs of a database that a Flask site left: each may be stopped halfway, and run again."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from math import isfinite
from typing import Any

from pymongo.collation import Collation

from quart_enroll.db.client import Database
from quart_enroll.db.collections.users import CASE_INSENSITIVE
from quart_enroll.db.queries.pipelines import Stage
from quart_enroll.db.queries.schema_violations import describe_row
from quart_enroll.domain import email_addresses

VALID_HASH_PATTERN = r"^(scrypt|pbkdf2)(:[^$]*)?\$[^$]+\$([0-9a-f]+|none)$"
"""Werkzeug hashes; the last part is “none” for users imported without a password."""


async def convert_credits_to_numbers(db: Database) -> int:
    """Turn credits that are text into numbers where they can be read; return how many courses that were."""
    changed = 0
    async for course in db.course.find({"credits": {"$type": "string"}}, {"credits": 1}):
        if (number := _number(course["credits"])) is not None:
            same = {"_id": course["_id"], "credits": course["credits"]}
            changed += (await db.course.update_one(same, {"$set": {"credits": number}})).modified_count
    return changed


async def set_missing_roles(db: Database) -> int:
    """Make users without a role students, except those who share an address; return how many."""
    shared = [email for email, _ in await find_repeated(db, "user", "email", CASE_INSENSITIVE)]
    alone = {"role": None, "email": {"$type": "string", "$nin": shared}}
    result = await db.user.update_many(alone, {"$set": {"role": "student"}}, collation=CASE_INSENSITIVE)
    return result.modified_count


async def find_unusable_passwords(db: Database) -> dict[Any, str]:
    """Return stored passwords that are not hashes that can be checked, by the _id of the user."""
    unusable = {"password": {"$type": "string", "$not": {"$regex": VALID_HASH_PATTERN}}}
    return {row["_id"]: row["password"] async for row in db.user.find(unusable, {"password": 1}).sort("_id")}


async def replace_password(db: Database, key: Any, plain: str, hashed: str) -> None:
    """Replace a stored password with its hash."""
    await db.user.update_one({"_id": key, "password": plain}, {"$set": {"password": hashed}})


async def find_user_names(db: Database, keys: Sequence[Any]) -> list[str]:
    """Return the numbers of these users, given by their _id."""
    found = db.user.find({"_id": {"$in": list(keys)}}, {"user_id": 1}).sort("user_id")
    return [str(row.get("user_id", row["_id"])) async for row in found]


async def find_repeated(
    db: Database, collection: str, field: str, collation: Collation | None = None
) -> list[tuple[Any, list[str]]]:
    """Return the values that several rows have in `field`, and those rows' names."""
    row = {"_id": "$_id", "user_id": "$user_id", "courseID": "$courseID"}
    alike: list[Stage] = [
        {"$match": {field: {"$ne": None}}},
        {"$sort": {"_id": 1}},
        {"$group": {"_id": f"${field}", "rows": {"$push": row}}},
        {"$match": {"rows.1": {"$exists": True}}},
        {"$sort": {"_id": 1}},
    ]
    groups = db[collection].aggregate(alike, collation=collation)
    return [(group["_id"], [describe_row(row) for row in group["rows"]]) async for group in groups]


async def find_repeated_emails(db: Database) -> list[list[str]]:
    """Return the names of the users who share an address in spellings that `ANY_CASE` tells apart."""
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
