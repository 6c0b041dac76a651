"""Refusals of enrollment: recorded in the student's history, and completed with what the student can do instead."""

from collections.abc import Iterable
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import events
from quart_enroll.domain import requisite_rules, rules
from quart_enroll.domain.errors import AlreadyWaiting, Refused
from quart_enroll.domain.models import Event, Section, SectionKey
from quart_enroll.services.enrollment.candidates import Candidate, with_course_names


async def record_refusal(
    db: Database, user_id: int, action: str, key: SectionKey, now: datetime, refusal: Refused
) -> Refused:
    """Record the refusal in the student's history if its kind is recorded, and return it with the courses' names."""
    if refusal.is_recorded:
        about = key.courseID, key.term, key.section
        await events.add_refusal(db, Event(now, user_id, user_id, action, *about, refusal.code))
    return await with_course_names(db, refusal)


def section_full(candidate: Candidate, offered: Iterable[Section], dropped: str | None = None) -> Refused:
    """Return the refusal of a full section, with what the student can do instead; AlreadyWaiting on its waitlist.

    The other sections come from those `offered`. `dropped` is the course that a swap gives up.
    """
    offering, key = candidate.offering, candidate.offering.key
    if candidate.waitlist_entry is not None:
        return AlreadyWaiting(offering.course.title, candidate.waitlist_entry.key.section)
    registrations = [one for one in candidate.registrations if one.courseID != dropped]
    others = [
        section.section
        for section in offered
        if (section.term, section.courseID) == (key.term, key.courseID)
        and section.section != key.section
        and section.seen_by(candidate.attributes).open_seats
        and rules.fits(offering.term, offering.course, section, registrations, candidate.attributes)
    ]
    term, taken, waitlisted = offering.term, candidate.taken_courses, candidate.waitlisted_courses
    is_missing_requisites = (
        dropped != key.courseID
        and requisite_rules.missing_corequisites(offering.course, term, registrations, taken, waitlisted)
    ) or requisite_rules.missing_prerequisites(
        offering.course, term, taken, registrations, waitlisted, candidate.attributes
    )
    has_waitlist_place = offering.section.waiting < offering.section.waitlist_capacity
    can_wait = has_waitlist_place and not is_missing_requisites
    return rules.full_refusal(offering.course, offering.section, can_wait=can_wait, others=others)
