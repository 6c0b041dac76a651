"""A type of hold, and holds of it, for tests."""

from bson import ObjectId

from quart_enroll.db.client import Database
from quart_enroll.db.collections import hold_types
from quart_enroll.domain.holds import HoldBlock, HoldType
from tests.support.people import ADA, FALL_MORNING, RITA

BURSAR = HoldType("Bursar hold", "Bursar’s Office", "bursar@school.example", frozenset(HoldBlock))

HOLD_ID = "65a000000000000000000001"
"""The key of ada's hold."""


async def add_type(db: Database) -> None:
    """Add the type of holds."""
    await hold_types.put(db, BURSAR)


async def hold_ada(db: Database) -> None:
    """Place a hold on ada, which blocks everything, as rita would have done before the site started."""
    await add_type(db)
    row = {
        "_id": ObjectId(HOLD_ID),
        "user_id": ADA.user_id,
        "type": BURSAR.name,
        "office": BURSAR.office,
        "reason": "Fees are unpaid",
        "contact": BURSAR.contact,
        "blocks": [*HoldBlock],
        "at": FALL_MORNING,
        "placed_by": RITA.user_id,
    }
    await db.hold.insert_one(row)
