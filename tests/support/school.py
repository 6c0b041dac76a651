"""A small school in a database: two terms, three courses in sections, ada, bob and rita."""

from collections.abc import Sequence
from dataclasses import asdict

from quart_enroll.db.client import Database, Document, shuffle
from quart_enroll.db.collections import sections, terms, users
from quart_enroll.db.schema import ensure_indexes, ensure_validator
from quart_enroll.domain.models import Term
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from tests.support.people import ADA, BOB, COURSES, PASSWORD_HASH, RITA, SECTIONS

built_databases: set[str] = set()
"""Names of the databases that have every index and validator; a test that drops one removes the name too."""

_rows: dict[str, list[Document]] = {}
"""The rows of the small school by collection, without its terms: every test's school begins with the same ones."""


async def build(db: Database) -> None:
    """Create all collections with their indexes and validators, and without rows."""
    for name, repository in COLLECTION_MODULES.items():
        await ensure_validator(db, name, repository.SCHEMA)
        await ensure_indexes(db, name, repository.INDEXES)
    built_databases.add(db.name)


async def empty(db: Database) -> None:
    """Remove every row; a database that is new to this process also gets the collections, as `build` creates them.

    Creating the indexes takes a hundred times as long as removing the rows.
    """
    if names := await db.list_collection_names():
        first, *others = [(name, [{"$limit": 1}, {"$project": {"_id": {"$literal": name}}}]) for name in names]
        union = [{"$unionWith": {"coll": name, "pipeline": stages}} for name, stages in others]
        async for filled in db[first[0]].aggregate([*first[1], *union]):  # a deletion costs more, even of nothing
            await db[filled["_id"]].delete_many({})
    if db.name not in built_databases:
        await build(db)


async def fill(db: Database, calendar: Sequence[Term]) -> None:
    """Store the small school with the terms of `calendar` in an empty database."""
    await terms.put_all(db, calendar)
    if _rows:
        for name, documents in _rows.items():
            await db[name].insert_many(shuffle(documents))
        return
    await db.course.insert_many([asdict(course) for course in COURSES])
    await sections.put_all(db, SECTIONS)
    for user in (ADA, BOB, RITA):
        await users.add(db, user, PASSWORD_HASH)
    await users.raise_user_id_counter(db)
    for name in ("course", "section", "user", "counter"):
        _rows[name] = await db[name].find().to_list(None)
