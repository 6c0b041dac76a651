"""Stores the demo school in an unused database."""

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, users
from quart_enroll.db.queries import demo
from quart_enroll.db.queries.demo import DemoSeat, School
from quart_enroll.db.transactions import transaction
from quart_enroll.services.catalog.import_transactions import IMPORT_RETRY_SECONDS

__all__ = ["DemoSeat", "School", "is_catalog_empty", "is_unused", "store"]


async def is_unused(db: Database) -> bool:
    """Return whether the database has no courses, terms, sections, users or enrollments."""
    return await demo.is_empty(db)


async def is_catalog_empty(db: Database) -> bool:
    """Return whether there are no courses."""
    return await courses.is_empty(db)


async def store(db: Database, school: School) -> None:
    """Store all of the school, or nothing."""
    await users.raise_user_id_counter(db, max(one.user.user_id for one in school.people))
    await transaction(db, lambda session: demo.insert(db, school, session), IMPORT_RETRY_SECONDS)
