"""A small school in a database: two terms, three courses in sections, ada, bob and rita."""

from collections.abc import Sequence
from dataclasses import asdict

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms, users
from quart_enroll.db.schema import ensure_indexes, ensure_validator
from quart_enroll.domain.models import Term
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from tests.support.people import ADA, BOB, COURSES, HASH, RITA, SECTIONS

built: set[str] = set()
"""Names of the databases that have all indexes; a test that takes some away takes the name away too."""


async def build(db: Database) -> None:
    """Make all collections with their indexes and validators, and no row."""
    for name, repository in COLLECTION_MODULES.items():
        await ensure_validator(db, name, repository.SCHEMA)
        await ensure_indexes(db, name, repository.INDEXES)
    built.add(db.name)


async def fill(db: Database, calendar: Sequence[Term]) -> None:
    """Let the school begin."""
    await db.course.insert_many([asdict(course) for course in COURSES])
    await terms.put_all(db, calendar)
    await sections.put_all(db, SECTIONS)
    for user in (ADA, BOB, RITA):
        await users.add(db, user, HASH)
    await users.raise_user_id_counter(db)
