"""The collection `import_part`: what is too long for the row of an import: bytes, preview, and the outcome of its rows.

`what` names the list that a part belongs to: "bytes", "outcome", or for the preview the kind of its outcomes.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from functools import partial
from typing import IO, Any

from pymongo import IndexModel

from quart_enroll.db.client import Database, Session
from quart_enroll.db.queries import message_codec
from quart_enroll.domain.stored_import import OUTCOME_KINDS, Outcome

INDEXES = [
    IndexModel([("import_id", 1), ("what", 1), ("number", 1)]),
    IndexModel("forget_at", expireAfterSeconds=0),
]

SCHEMA = {
    "bsonType": "object",
    "required": ["import_id", "what", "number", "forget_at"],
    "properties": {
        "import_id": {"bsonType": "string"},
        "what": {"enum": ["bytes", "outcome", *OUTCOME_KINDS]},
        "number": {"bsonType": ["int", "long"]},
        "bytes": {"bsonType": "binData"},
        "outcomes": {"bsonType": "array"},
        "forget_at": {"bsonType": "date"},
    },
}

PART_BYTES = 512 * 1024
"""Bytes in one part, of which the driver makes several copies."""

PART_OUTCOMES = 1000
"""Outcomes in one part, each of a few kilobytes at most."""


async def add_file(db: Database, import_id: str, file: IO[bytes], forget_at: datetime) -> None:
    """Store the bytes of a file."""
    key = {"import_id": import_id, "what": "bytes", "forget_at": forget_at}
    file.seek(0)
    for number, part in enumerate(iter(partial(file.read, PART_BYTES), b"")):
        await db.import_part.insert_one(key | {"number": number, "bytes": part})


async def read_file(db: Database, import_id: str, file: IO[bytes]) -> None:
    """Write the bytes of the stored file into the `file`; none if they were removed."""
    async for row in db.import_part.find({"import_id": import_id, "what": "bytes"}, batch_size=1).sort("number"):
        file.write(row["bytes"])


async def remove_file(db: Database, import_id: str) -> None:
    """Remove the bytes of the file, which may have passwords in it."""
    await db.import_part.delete_many({"import_id": import_id, "what": "bytes"})


async def replace_preview(db: Database, import_id: str, outcomes: Sequence[Outcome], forget_at: datetime) -> None:
    """Store the expected outcomes of the rows, and remove those of an earlier check."""
    await db.import_part.delete_many({"import_id": import_id, "what": {"$in": list(OUTCOME_KINDS)}})
    parts: dict[str, list[Outcome]] = {kind: [] for kind in OUTCOME_KINDS}
    numbers = dict.fromkeys(OUTCOME_KINDS, 0)

    async def flush(kind: str) -> None:
        await _add(db, import_id, kind, parts[kind], forget_at, begins=numbers[kind])
        numbers[kind] += len(parts[kind])
        parts[kind] = []

    for one in outcomes:
        parts[one.what].append(one)
        if len(parts[one.what]) == PART_OUTCOMES:
            await flush(one.what)
    for kind in OUTCOME_KINDS:
        await flush(kind)


async def find_preview(db: Database, import_id: str, kind: str, at_most: int) -> list[Outcome]:
    """Return the first outcomes of this kind, at most PART_OUTCOMES."""
    wanted = {"import_id": import_id, "what": kind, "number": 0}
    part = await db.import_part.find_one(wanted, {"outcomes": {"$slice": at_most}})
    return [_to_outcome(one) for one in part["outcomes"]] if part else []


async def add_outcomes(
    db: Database, import_id: str, outcomes: Sequence[Outcome], forget_at: datetime, session: Session
) -> None:
    """Add what became of some rows."""
    await _add(db, import_id, "outcome", outcomes, forget_at, session, begins=outcomes[0].number if outcomes else 0)


async def read_outcomes(db: Database, import_id: str, *kinds: str) -> AsyncGenerator[list[Outcome], None]:
    """Yield the outcomes in these lists part by part."""
    for kind in kinds:
        async for row in db.import_part.find({"import_id": import_id, "what": kind}).sort("number"):
            yield [_to_outcome(one) for one in row["outcomes"]]


async def find_refused(db: Database, import_id: str, at_most: int) -> list[Outcome]:
    """Return the first rows that were refused, where each has a part of its own."""
    wanted = {"import_id": import_id, "what": "outcome", "outcomes.0.1": "refused"}
    rows = await db.import_part.find(wanted).sort("number").to_list(at_most)
    return [_to_outcome(row["outcomes"][0]) for row in rows]


async def find_recorded_rows(db: Database, import_id: str) -> set[int]:
    """Return the numbers of the rows whose outcome is stored, where each has a part of its own."""
    wanted = {"import_id": import_id, "what": "outcome"}
    return {row["number"] async for row in db.import_part.find(wanted, {"number": 1})}


async def _add(
    db: Database,
    import_id: str,
    what: str,
    outcomes: Sequence[Outcome],
    forget_at: datetime,
    session: Session | None = None,
    begins: int = 0,
) -> None:
    key = {"import_id": import_id, "what": what, "forget_at": forget_at}
    for start in range(0, len(outcomes), PART_OUTCOMES):
        rows = [_to_list(one) for one in outcomes[start : start + PART_OUTCOMES]]
        await db.import_part.insert_one(key | {"number": begins + start, "outcomes": rows}, session=session)


def _to_list(outcome: Outcome) -> list[Any]:
    return list(outcome._replace(text=message_codec.encode_text(outcome.text)))


def _to_outcome(stored: Sequence[Any]) -> Outcome:
    outcome = Outcome(*stored)
    return outcome._replace(text=message_codec.decode_text(outcome.text))
