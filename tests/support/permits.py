"""Permits for tests."""

from bson import ObjectId

from quart_enroll.db.client import Database
from tests.support.people import ADA, FALL_MORNING, RITA

PERMIT_ID = "65a000000000000000000002"
"""The key of ada's permit."""


async def permit_ada(db: Database) -> None:
    """Grant ada a permit for the only section of PHP 202, even if it is full, as rita would have done before."""
    row = {
        "_id": ObjectId(PERMIT_ID),
        "user_id": ADA.user_id,
        "term": "Fall 2026",
        "courseID": "3333",
        "section": "01",
        "overrides": ["full"],
        "status": "granted",
        "at": FALL_MORNING,
        "author": RITA.user_id,
        "reason": "=Graduates in spring",
    }
    await db.permit.insert_one(row)
