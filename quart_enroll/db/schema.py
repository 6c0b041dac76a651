"""Indexes and validators: compares the stored ones with those that this version needs, and updates them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure

from quart_enroll.db.client import Database, Document

INDEX_CONFLICT_CODES = (85, 86)
"""MongoDB's codes for an index that exists under another name or with other options."""

COLLECTION_EXISTS_CODE = 48
"""MongoDB's code for a collection that can't be created because it exists."""

UPGRADE_HISTORY_FILTER = {"_id": "schema"}
"""Matches the row of the collection `upgrade` that holds Upgrades."""

ABSENT_INDEXES_FIELD = "impossible"
"""The field of that row with the absent indexes; older versions read it too, and so they stay ready."""


@dataclass(frozen=True, slots=True)
class Indexes:
    """Names of indexes: `created`, `impossible` because of duplicates, or `conflicting` with an existing one."""

    created: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    conflicting: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Index:
    """The purpose of an index: it is `unique`, or `expires` documents, or speeds up queries by `keys`."""

    name: str
    keys: tuple[str, ...]
    unique: bool
    expires: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A missing index, or a different one if `differs`; the validator if `index` is None."""

    collection: str
    index: Index | None
    differs: bool


@dataclass(frozen=True, slots=True)
class Upgrades:
    """Fingerprints of the versions that upgraded the database, latest last, and indexes that are absent on purpose.

    `absent` names those that duplicates make impossible, and those of older versions that others have replaced.
    """

    versions: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def wanted_options(schema: Mapping[str, Any]) -> Document:
    """Return the options of a collection that rejects documents that violate `schema`.

    Existing documents that violate it may stay, and may be changed.
    """
    return {"validator": {"$jsonSchema": dict(schema)}, "validationLevel": "moderate", "validationAction": "error"}


async def stored_options(db: Database, collection: str | None = None) -> dict[str, Document]:
    """Return the validation options of each existing collection, or only of `collection`."""
    defaults = {"validator": {}, "validationLevel": "strict", "validationAction": "error"}
    return {
        one["name"]: {name: one["options"].get(name, default) for name, default in defaults.items()}
        async for one in await db.list_collections(filter={"name": collection} if collection else {})
    }


async def find_differences(db: Database, modules: Mapping[str, Any]) -> list[Difference]:
    """Compare the stored indexes and validators with INDEXES and SCHEMA of each collection's module."""
    stored = await stored_options(db)
    found: list[Difference] = []
    for name, module in modules.items():
        present = await _stored_indexes(db, name) if name in stored else []
        names = {one["name"] for one in present}
        found += [
            Difference(name, index, differs=index.name in names)
            for index in map(_describe, _missing(module.INDEXES, present))
        ]
        options = stored.get(name, {})
        if options != wanted_options(module.SCHEMA):
            found.append(Difference(name, None, differs=bool(options.get("validator"))))
    return found


async def create_collection(db: Database, collection: str, schema: Mapping[str, Any]) -> bool:
    """Create the collection with its validator; unlike changing one, this needs no more than `readWrite`.

    Return False if another process has created it meanwhile, perhaps without a validator.
    """
    try:
        await db.create_collection(collection, check_exists=False, **wanted_options(schema))
    except OperationFailure as error:
        if error.code != COLLECTION_EXISTS_CODE:
            raise
        return False
    return True


async def ensure_validator(db: Database, collection: str, schema: Mapping[str, Any]) -> bool:
    """Make the collection reject documents that violate `schema`; return whether that was new."""
    stored = (await stored_options(db, collection)).get(collection)
    if stored is None and await create_collection(db, collection, schema):
        return True
    if stored == wanted_options(schema):
        return False
    await db.command("collMod", collection, **wanted_options(schema))
    return True


async def assert_may_change_validators(db: Database, collection: str) -> None:
    """Raise MongoDB's error if the database user may not change validators."""
    await db.command("collMod", collection)


async def ensure_indexes(db: Database, collection: str, indexes: Sequence[IndexModel]) -> Indexes:
    """Create the missing indexes, and return the result. An equal index with another name counts as existing.

    A unique index can't be created while two documents have the same key.
    """
    present = await _stored_indexes(db, collection)
    missing = [*_missing(indexes, present)]
    found = Indexes()
    if await _create_together(db, collection, missing):
        found.created.extend(index.document["name"] for index in missing)
        return found
    for index in missing:
        name = index.document["name"]
        try:
            await db[collection].create_indexes([index])
        except DuplicateKeyError:
            found.impossible.append(name)
        except OperationFailure as error:
            if error.code not in INDEX_CONFLICT_CODES:
                raise
            found.conflicting.append(_conflicting_index(index, present) or name)
        else:
            found.created.append(name)
    return found


async def _create_together(db: Database, collection: str, indexes: Sequence[IndexModel]) -> bool:
    """Create the indexes with one reading of the collection; return False, and create none, if one is refused."""
    try:
        if indexes:
            await db[collection].create_indexes([*indexes])
    except OperationFailure:  # also a duplicate key
        return False
    return True


async def drop_indexes(db: Database, collection: str, indexes: Sequence[IndexModel]) -> list[str]:
    """Drop the indexes that behave like these, whatever their names; return the names of those that existed."""
    if not indexes:
        return []
    unwanted = [_behavior(index.document) for index in indexes]
    names = [one["name"] for one in await _stored_indexes(db, collection) if _behavior(one) in unwanted]
    for name in names:
        await db[collection].drop_index(name)
    return names


async def read_upgrades(db: Database) -> Upgrades:
    """Return which versions have upgraded the database."""
    row: Document = await db.upgrade.find_one(UPGRADE_HISTORY_FILTER) or {}
    return Upgrades(row.get("versions", []), row.get(ABSENT_INDEXES_FIELD, []))


async def note_version(db: Database, version: str) -> None:
    """Record that `version` is the last one that began to upgrade the database."""
    if (await read_upgrades(db)).versions[-1:] == [version]:
        return
    before = {"$filter": {"input": {"$ifNull": ["$versions", []]}, "cond": {"$ne": ["$$this", version]}}}
    note = [{"$set": {"versions": {"$concatArrays": [before, [version]]}}}]
    await db.upgrade.update_one(UPGRADE_HISTORY_FILTER, note, upsert=True)


async def note_absent(db: Database, absent: Sequence[str]) -> None:
    """Record which indexes are absent on purpose, so that no version waits for them."""
    if (await read_upgrades(db)).absent != absent:
        await db.upgrade.update_one(UPGRADE_HISTORY_FILTER, {"$set": {ABSENT_INDEXES_FIELD: absent}})


async def _stored_indexes(db: Database, collection: str) -> list[Document]:
    return [dict(index) async for index in db[collection].list_indexes()]


def _missing(indexes: Iterable[IndexModel], present: Sequence[Document]) -> Iterator[IndexModel]:
    wanted = [(index, _behavior(index.document)) for index in indexes]
    existing = [_behavior(one) for one in present]
    yield from [index for index, behavior in wanted if behavior not in existing]


def _behavior(index: Mapping[str, Any]) -> Document:
    """Return the options that determine what an index does, without its name and the defaults of its collation."""
    collation = index.get("collation") or {}
    return {
        "keys": list(index["key"].items()),
        "unique": bool(index.get("unique")),
        "sparse": bool(index.get("sparse")),
        "expires": index.get("expireAfterSeconds"),
        "only": index.get("partialFilterExpression"),
        "collation": (collation.get("locale"), collation.get("strength")),
    }


def _conflicting_index(index: IndexModel, present: Sequence[Document]) -> str | None:
    """Return the name of a different index that prevents MongoDB from creating the wanted one."""
    wanted = index.document
    named = [one["name"] for one in present if one["name"] == wanted["name"]]
    alike = [one["name"] for one in present if list(one["key"].items()) == list(wanted["key"].items())]
    return next(iter(named + alike), None)


def _describe(index: IndexModel) -> Index:
    wanted = index.document
    return Index(wanted["name"], tuple(wanted["key"]), "unique" in wanted, "expireAfterSeconds" in wanted)
