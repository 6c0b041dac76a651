"""Enroll in several sections of a term in one transaction: all of them or none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from quart_enroll.db.client import Session
from quart_enroll.db.collections import enrollments
from quart_enroll.domain import rules
from quart_enroll.domain.errors import AlreadyEnrolled, Refused, SectionFull
from quart_enroll.domain.models import Meeting, Registration, SectionKey, SectionRequest
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_changes
from quart_enroll.services.enrollment.candidates import Candidate, Offering, check_can_enroll, load_candidates
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.promotion import promote_waitlists
from quart_enroll.services.enrollment.refusals import record_refusal, section_full
from quart_enroll.services.enrollment.seat_changes import Enrolled, SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats


@metrics.count_change("enroll_together")
async def enroll_together(
    context: EnrollmentContext, user_id: int, keys: Sequence[SectionKey], now: datetime
) -> list[Enrolled | AlreadyEnrolled]:
    """Enroll the student in all of these sections, which count as each other's corequisites, or in none.

    Returns the result for each: a course that the student has already stays as it is.
    Raises what `enroll` raises, for the first section that is refused.
    """
    db = context.db
    checked: list[Candidate] = []
    """All candidates, then those that were checked: a refusal is about the last one."""

    async def check(session: Session | None) -> list[Candidate]:
        found = await load_candidates(db, [(user_id, key) for key in keys], session)
        for candidate in found:
            if isinstance(candidate, Refused):
                raise candidate
        checked[:] = [candidate for candidate in found if isinstance(candidate, Candidate)]
        wanted = [candidate for candidate in checked if not _is_enrolled(candidate)]
        if not wanted:
            raise _already_enrolled(checked[0])
        _check_together(wanted, now, checked)
        return wanted

    async def recheck() -> None:
        await check(None)

    async def body(transaction: SeatTransaction) -> list[Enrolled | AlreadyEnrolled]:
        wanted = await check(transaction.session)
        await seat_changes.take_all(transaction, user_id, "enroll", wanted)
        await promote_waitlists(transaction)
        left_waitlists = {key.courseID: key.section for key in transaction.left_waitlists}
        return [
            Enrolled(candidate.offering, left_waitlists.get(candidate.offering.key.courseID, ""))
            if candidate in wanted
            else _already_enrolled(candidate)
            for candidate in checked[: len(keys)]
        ]

    try:
        return await change_seats(context.locks, user_id, now, keys, body, recheck=recheck)
    except SectionFull:
        full = await section_full(db, checked[-1])
        raise await record_refusal(db, user_id, "enroll", checked[-1].offering.key, now, full) from None
    except Refused as refusal:
        key = checked[-1].offering.key if checked else keys[0]
        raise await record_refusal(db, user_id, "enroll", key, now, refusal) from None


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
        missing = rules.missing_corequisites(course, offerings[0].term, registrations, taken_courses, chosen)
        options += [await resolve.find_options(db, user_id, SectionRequest(one, term), now) for one in missing]
    offerings = _first_fitting(options, registrations) or [others[0] for others in options]
    return await enroll_together(context, user_id, [one.key for one in offerings], now)


def _is_enrolled(candidate: Candidate) -> bool:
    """Return whether the student is enrolled in the course already, in any section."""
    courseID = candidate.offering.course.courseID
    return any(one.courseID == courseID and one.status == "enrolled" for one in candidate.registrations)


def _already_enrolled(candidate: Candidate) -> AlreadyEnrolled:
    return AlreadyEnrolled(candidate.offering.course.title, candidate.offering.term.term)


def _check_together(wanted: Sequence[Candidate], now: datetime, checked: list[Candidate]) -> None:
    """Raise the first reason against all these seats together, and append each candidate to `checked` before."""
    added: list[Registration] = []
    courseIDs = [candidate.offering.course.courseID for candidate in wanted]
    for candidate in wanted:
        checked.append(candidate)
        registrations = [*candidate.registrations, *added]
        check_can_enroll(replace(candidate, registrations=registrations), now, together_with=courseIDs)
        added.append(Registration(candidate.offering.course, candidate.offering.section, "enrolled"))
    for candidate in wanted:
        checked.append(candidate)
        if not candidate.offering.section.open_seats:
            raise SectionFull(candidate.offering.course.title, candidate.offering.key.section)


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
