"""What a student has: seats, waitlist entries, plans and alerts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, waitlist
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import terms
from quart_enroll.domain.models import Event, Registration, SectionKey, WaitlistEntry
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.services.live.user_cache import UserCache


async def snapshot(users: UserCache, user_id: int) -> StudentSnapshot:
    """Return everything stored about the student, from the cache if it is there."""
    found = await users.students.get_or_read(user_id, lambda: users.student_reader.read(user_id))
    if found is None:
        raise RuntimeError("Every student has a snapshot, if only an empty one.")
    return found


async def latest_changes(users: UserCache, user_id: int) -> Sequence[Event]:
    """Return the latest changes of the student's seats, the last one first; read together with those of others."""
    return await users.change_reader.read(user_id) or ()


async def waitlist_positions(db: Database, user_id: int) -> Mapping[SectionKey, tuple[int, int]]:
    """Return the student's position on each waitlist, from 1, and the length of that waitlist."""
    return await waitlist.find_positions(db, user_id)


async def registrations(db: Database, user_id: int, terms: Sequence[str]) -> list[Registration]:
    """Return the student's courses in those terms, withdrawn ones included, in the order of courseID."""
    return await enrollments.find_in_terms(db, user_id, terms)


async def registrations_in(db: Database, user_id: int, term: str, now: datetime) -> list[Registration]:
    """Return the student's courses in the term that the name means, or in all terms, past ones included, without one.

    Raises UnknownTerm and NoTerms.
    """
    known = await stored_terms.find_all(db)
    chosen = [terms.find(term, known, now)] if term else known
    return await enrollments.find_in_terms(db, user_id, [one.term for one in chosen])


async def waitlist_entry(db: Database, user_id: int, key: SectionKey) -> WaitlistEntry | None:
    """Return the student's waitlist entry for the course in that term."""
    return await waitlist.find(db, user_id, key.term, key.courseID)


async def waitlist_entries(db: Database, user_id: int) -> list[WaitlistEntry]:
    """Return the student's waitlist entries in all terms, sorted by section."""
    return sorted(await waitlist.find_in_all_terms(db, user_id), key=lambda entry: entry.key)
