"""Rows that a collection's schema would refuse today: they were there before it, or came in past it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quart_enroll.db.client import Database, Document, Session

NAME_FIELDS = {"user_id": 1, "courseID": 1, "term": 1}
"""What a row may be called by, the first of these that it has."""


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """A row, by its _id and by its name, and the `fields` that it lacks or that are not what they should be."""

    row: str
    name: str
    fields: list[str]

    def __str__(self) -> str:
        return f"{self.name} lacks a valid {' and '.join(self.fields)}"


async def find(
    db: Database, collection: str, schema: Mapping[str, Any], session: Session | None = None
) -> list[SchemaViolation]:
    """Return the rows that `schema` would refuse."""
    if await db[collection].find_one({"$nor": [{"$jsonSchema": schema}]}, {"_id": 1}, session=session) is None:
        return []
    wrong: dict[str, SchemaViolation] = {}
    for field, rule in schema["properties"].items():
        fits: Document = {"properties": {field: rule}}
        if field in schema["required"]:
            fits["required"] = [field]
        refused = db[collection].find({"$nor": [{"$jsonSchema": fits}]}, NAME_FIELDS, session=session).sort("_id")
        async for row in refused:
            number = str(row["_id"])
            wrong.setdefault(number, SchemaViolation(number, describe_row(row), [])).fields.append(field)
    return list(wrong.values())


def describe_row(row: Mapping[str, Any]) -> str:
    """Name a row by whom or what it is about, and by its _id, which no other row has."""
    known = [str(row[name]) for name in NAME_FIELDS if name in row]
    return f"{known[0] if known else 'without a number'} (_id {row['_id']})"
