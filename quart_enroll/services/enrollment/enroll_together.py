"""Enroll in several sections of a term in one transaction: all of them or none."""

from collections.abc import Sequence
from datetime import datetime

from quart_enroll.db.collections import enrollments
from quart_enroll.domain import requisite_rules, rules
from quart_enroll.domain.errors import AlreadyEnrolled, Refused
from quart_enroll.domain.models import Meeting, Registration, SectionKey, SectionRequest
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve
from quart_enroll.services.enrollment.candidates import Offering
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import Enrolled


@metrics.count_change("enroll_together")
async def enroll_together(
    context: EnrollmentContext, user_id: int, keys: Sequence[SectionKey], now: datetime
) -> list[Enrolled | AlreadyEnrolled]:
    """Enroll the student in all of these sections, which count as each other's corequisites, or in none.

    Returns the result for each: a course that the student has already stays as it is.
    Raises what `enroll` raises, for the first section that is refused.
    """
    results = [decision.result for decision in await context.batches.enroll_in_all(user_id, keys, now)]
    enrolled = [one for one in results if isinstance(one, Enrolled)]
    for one in results:
        if isinstance(one, Refused) and not (enrolled and isinstance(one, AlreadyEnrolled)):
            raise one
    return [one for one in results if isinstance(one, Enrolled | AlreadyEnrolled)]


async def enroll_with_corequisites(
    context: EnrollmentContext, user_id: int, request: SectionRequest, now: datetime
) -> list[Enrolled | AlreadyEnrolled]:
    """Enroll the student in the course and in all its missing corequisites, as `enroll_together` does.

    The sections are the first ones with an open seat that fit the schedule and each other. The course itself is the
    first of the results.
    """
    db = context.db
    options = [await resolve.find_options(db, user_id, request, now)]
    term = options[0][0].term.term
    registrations = await enrollments.find_in_term(db, user_id, term)
    taken_courses = await resolve.taken_courses(db, user_id)
    for offerings in options:  # the list grows: a corequisite may have corequisites too
        chosen = [others[0].course.courseID for others in options]
        course = offerings[0].course
        missing = requisite_rules.missing_corequisites(course, offerings[0].term, registrations, taken_courses, chosen)
        options += [await resolve.find_options(db, user_id, SectionRequest(one, term), now) for one in missing]
    offerings = _first_fitting(options, registrations) or [others[0] for others in options]
    return await enroll_together(context, user_id, [one.key for one in offerings], now)


def _first_fitting(
    options: Sequence[Sequence[Offering]], registrations: Sequence[Registration]
) -> list[Offering] | None:
    """Return one offering from each sequence, all with an open seat and without a conflict; None if there are none.

    Each level of the search keeps only what still fits, and rejects a choice that leaves nothing of another course.
    """
    fitting = [_fitting(offerings, registrations) for offerings in options]
    if not fitting:
        return []
    for one in fitting[0] if all(fitting) else ():
        others = _first_fitting(fitting[1:], [*registrations, Registration(one.course, one.section, "enrolled")])
        if others is not None:
            return [one, *others]
    return None


def _fitting(offerings: Sequence[Offering], registrations: Sequence[Registration]) -> list[Offering]:
    """Return the offerings with an open seat that fit; of several at the same times, only the first."""
    by_times: dict[tuple[Meeting, ...], Offering] = {}
    for one in offerings:
        if one.section.open_seats:
            by_times.setdefault(one.section.meetings, one)
    return [one for one in by_times.values() if rules.fits(one.term, one.course, one.section, registrations)]
