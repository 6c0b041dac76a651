"""Rows that violate their collection's schema: they are older than it, or bypassed it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quart_enroll.db.client import Database, Document, Session

NAME_FIELDS = {"user_id": 1, "courseID": 1, "term": 1}
"""Fields that identify a row in messages; the first one that it has is used."""


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """A row, its name in messages, and the `fields` that are missing or invalid."""

    row_id: str
    name: str
    fields: list[str]

    def __str__(self) -> str:
        return f"{self.name} lacks a valid {' and '.join(self.fields)}"


async def find(
    db: Database, collection: str, schema: Mapping[str, Any], session: Session | None = None
) -> list[SchemaViolation]:
    """Return the rows that violate the schema."""
    if await db[collection].find_one({"$nor": [{"$jsonSchema": schema}]}, {"_id": 1}, session=session) is None:
        return []
    violations: dict[str, SchemaViolation] = {}
    for field, rule in schema["properties"].items():
        field_schema: Document = {"properties": {field: rule}}
        if field in schema["required"]:
            field_schema["required"] = [field]
        invalid = {"$nor": [{"$jsonSchema": field_schema}]}
        async for row in db[collection].find(invalid, NAME_FIELDS, session=session).sort("_id"):
            row_id = str(row["_id"])
            violations.setdefault(row_id, SchemaViolation(row_id, describe_row(row), [])).fields.append(field)
    return list(violations.values())


def describe_row(row: Mapping[str, Any]) -> str:
    """Return what identifies a row in messages: the user, course or term it is about, and its unique _id."""
    known = [str(row[name]) for name in NAME_FIELDS if name in row]
    return f"{known[0] if known else 'without a number'} (_id {row['_id']})"
