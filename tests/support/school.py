"""A small school in a database: two terms, three courses in sections, ada, bob and rita."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bson import Timestamp

from quart_enroll.db.client import Database, Document, shuffle
from quart_enroll.db.collections import sections, terms, users
from quart_enroll.db.schema import ensure_indexes, ensure_validator
from quart_enroll.domain.models import Term
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from tests.support.people import ADA, BOB, COURSES, PASSWORD_HASH, RITA, SECTIONS

Rows = Mapping[str, list[Document]]
"""Rows by collection."""

built_databases: set[str] = set()
"""Names of the databases that have every index and validator; a test that drops one removes the name too."""

_schools: dict[tuple[Term, ...], Rows] = {}
"""The rows of the small school by its terms: every test's school begins with the same ones."""

_put: dict[str, tuple[Rows, Timestamp]] = {}
"""The rows that were last put into a database, by its name, and the last entry of MongoDB's oplog after that."""


async def build(db: Database) -> None:
    """Create all collections with their indexes and validators, and without rows."""
    for name, repository in COLLECTION_MODULES.items():
        await ensure_validator(db, name, repository.SCHEMA)
        await ensure_indexes(db, name, repository.INDEXES)
    built_databases.add(db.name)


async def empty(db: Database) -> None:
    """Remove every row; a database that is new to this process also gets the collections, as `build` creates them."""
    await _put_rows(db, {})


async def refill(db: Database, calendar: Sequence[Term]) -> None:
    """Leave the small school with the terms of `calendar` in the database, and nothing else."""
    key = tuple(calendar)
    if key not in _schools:
        await empty(db)
        await fill(db, calendar)
        _schools[key] = {name: await db[name].find().to_list(None) for name in await db.list_collection_names()}
    await _put_rows(db, _schools[key])


async def fill(db: Database, calendar: Sequence[Term]) -> None:
    """Store the small school with the terms of `calendar` in an empty database."""
    await terms.put_all(db, calendar)
    await db.course.insert_many([asdict(course) for course in COURSES])
    await sections.put_all(db, SECTIONS)
    for user in (ADA, BOB, RITA):
        await users.add(db, user, PASSWORD_HASH)
    await users.raise_user_id_counter(db)


async def _put_rows(db: Database, rows: Rows) -> None:
    """Leave `rows` in the database, and nothing else; change only the collections whose rows differ."""
    before, at = _put.pop(db.name, ({}, None))
    changed = await _changed_since(db, at)
    if changed is None:
        changed = set(await db.list_collection_names())
    replaced = {name for name in before.keys() | rows.keys() if before.get(name) is not rows.get(name)}
    for name in sorted(changed | replaced):
        await db[name].delete_many({})
        if rows.get(name):
            await db[name].insert_many(shuffle(rows[name]))
    if db.name not in built_databases:
        await build(db)
    last = await db.client.local["oplog.rs"].find_one({}, {"ts": 1}, sort=[("$natural", -1)])
    if last is not None:  # a standalone mongod has no oplog
        _put[db.name] = rows, last["ts"]


async def _changed_since(db: Database, at: Timestamp | None) -> set[str] | None:
    """Return the collections that anyone has written to since `at`; None if that is unknown or if any was created."""
    if at is None:
        return None
    fields = {"ts": 1, "ns": 1, "o.applyOps.ns": 1}
    first, *entries = await db.client.local["oplog.rs"].find({"ts": {"$gte": at}}, fields).to_list(None) or [{}]
    if first.get("ts") != at:  # the oplog, which has a limited size, begins after it
        return None
    names = set()
    for entry in entries:
        for write in entry.get("o", {}).get("applyOps", [entry]):  # those of a transaction, or the only one
            database, _, collection = write["ns"].partition(".")
            if database == db.name:
                names.add(collection)
    return None if "$cmd" in names else names
