"""Enrollment appointments for tests."""

from quart_enroll.db.client import Database
from quart_enroll.db.collections import appointment_ranks, bulk_assignments
from quart_enroll.domain.bulk_appointments import BulkAssignment, BulkRules, RankedStudent, Ranking
from tests.support.people import ADA, FALL, FALL_MORNING, RITA

ASSIGNMENT_ID = "an-assignment"


async def appoint_ada(db: Database) -> None:
    """Give ada an appointment in fall, from its opening on, as rita would have done before."""
    times = {"starts_at": FALL.opens_at, "at": FALL_MORNING}
    await db.appointment.insert_one({"user_id": ADA.user_id, "term": FALL.term, "author": RITA.user_id} | times)


async def add_bulk_assignment(db: Database) -> None:
    """Add the bulk assignment in fall by which rita would have given ada her appointment."""
    rules = BulkRules(FALL.term, "a1b2c3d4e5f60718", Ranking.CREDITS, FALL.opens_at, 100, 30)
    await bulk_assignments.add(
        db, BulkAssignment(ASSIGNMENT_ID, rules, 1, RITA.user_id, FALL_MORNING, begun_at=FALL_MORNING)
    )
    await appointment_ranks.add_all(db, ASSIGNMENT_ID, [RankedStudent(ADA.user_id, 60)])
