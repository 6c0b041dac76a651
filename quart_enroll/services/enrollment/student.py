"""What a student has: seats, waitlist entries, plans and alerts."""

from collections.abc import Mapping, Sequence

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, waitlist
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.models import Registration, SectionKey
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.services.live.user_cache import QueryCache


async def snapshot(db: Database, cache: QueryCache[StudentSnapshot], user_id: int) -> StudentSnapshot:
    """Return everything stored about the student, from the cache if it is there."""
    found = await cache.get_or_read(user_id, lambda: student_facts.find(db, user_id))
    if found is None:
        raise RuntimeError("Every student has a snapshot, if only an empty one.")
    return found


async def waitlist_positions(db: Database, user_id: int) -> Mapping[SectionKey, tuple[int, int]]:
    """Return the student's position on each waitlist, from 1, and the length of that waitlist."""
    return await waitlist.find_positions(db, user_id)


async def registrations(db: Database, user_id: int, terms: Sequence[str]) -> list[Registration]:
    """Return the student's courses in those terms, withdrawn ones included, in the order of courseID."""
    return await enrollments.find_in_terms(db, user_id, terms)
