"""Recognize a repeated request: find what the student has already, if it is what the request asks for."""

from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments, waitlist
from quart_enroll.domain.folding import section_key
from quart_enroll.domain.models import Registration, SectionRequest, WaitlistEntry
from quart_enroll.services.enrollment import resolve


async def find_enrollment(
    db: Database, user_id: int, request: SectionRequest, term: str, dropped: str | None = None
) -> Registration | None:
    """Return the student's enrollment in the term if it is in the requested section, and `dropped` is gone."""
    registrations = await enrollments.find_in_term(db, user_id, term)
    enrolled = {one.courseID: one for one in registrations if one.status == "enrolled"}
    found = enrolled.get(request.courseID)
    if found is None or not _is_requested(request, found.section.section):
        return None
    return None if dropped in enrolled and dropped != request.courseID else found


async def find_waitlist_entry(
    db: Database, user_id: int, request: SectionRequest, now: datetime, drop_if_enrolled: str | None
) -> WaitlistEntry | None:
    """Return the student's waitlist entry if it is for the requested section and drops the same course."""
    terms = await waitlist.find_terms(db, user_id, request.courseID)
    term = await resolve.find_term(db, request, request.courseID, terms, now)
    found = await waitlist.find(db, user_id, term.term, request.courseID) if term else None
    if found is None or not _is_requested(request, found.key.section) or found.drop_if_enrolled != drop_if_enrolled:
        return None
    return found


def _is_requested(request: SectionRequest, section: str) -> bool:
    """Tell whether the request is for this section, by its number in any spelling, or for any section."""
    return not request.section or section_key(request.section) == section_key(section)
