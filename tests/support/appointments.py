"""Enrollment appointments for tests."""

from quart_enroll.db.client import Database
from tests.support.people import ADA, FALL, FALL_MORNING, RITA


async def appoint_ada(db: Database) -> None:
    """Give ada an appointment in fall, from its opening on, as rita would have done before."""
    times = {"starts_at": FALL.opens_at, "at": FALL_MORNING}
    await db.appointment.insert_one({"user_id": ADA.user_id, "term": FALL.term, "author": RITA.user_id} | times)
