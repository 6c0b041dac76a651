"""Use a week that was built: choose sections of several planned courses in one change."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from quart_enroll.db.client import Session
from quart_enroll.db.collections import plans
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import rules, terms
from quart_enroll.domain.errors import NotPlanned, PlanChanged, Refused
from quart_enroll.domain.models import PlannedSection, Registration, SectionKey, Term
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import seat_changes
from quart_enroll.services.enrollment.candidates import Candidate, load_candidates
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction


def plan_mark(planned: Iterable[PlannedSection]) -> str:
    """Return a text that is equal for plans with the same sections."""
    keys = sorted((one.key.term, one.key.courseID, one.key.section) for one in planned)
    return hashlib.blake2s(repr(keys).encode(), digest_size=8).hexdigest()


@metrics.count_change("plan_use_week")
async def use_week(
    context: EnrollmentContext, user_id: int, term_name: str, chosen: Mapping[str, str], mark: str, now: datetime
) -> Term:
    """Plan the `chosen` sections, by courseID, instead of those that are planned for these courses.

    All are replaced or none. A repeated request changes nothing. `mark` is that of the plan for which the week was
    built.
    Raises UnknownTerm, Closed, NotPlanned, PlanChanged, UnknownCourse, UnknownSection, SectionClosed, TimeConflict,
    AlreadyEnrolled.
    """
    db = context.db
    term = terms.find(term_name, await stored_terms.find_all(db), now)
    keys = [SectionKey(term.term, courseID, section) for courseID, section in chosen.items()]

    async def body(session: Session) -> Term:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        planned = await plans.find_by_student(db, user_id, term.term, session)
        if set(keys) <= {one.key for one in planned}:
            return term
        if now >= term.opens_at:
            rules.check_open(term, now)
        candidates = _loaded(await load_candidates(db, [(user_id, key) for key in keys], session))
        planned_courses = {one.key.courseID for one in planned}
        for one in candidates:
            if one.offering.key.courseID not in planned_courses:
                raise NotPlanned(one.offering.course.title, term.term)
        if plan_mark(planned) != mark:
            raise PlanChanged(term.term)
        _check_week(candidates)
        await plans.replace_sections(db, user_id, keys, session)
        return term

    return await context.locks.run([], body)


def _loaded(found: Iterable[Candidate | Refused]) -> list[Candidate]:
    candidates = []
    for one in found:
        if isinstance(one, Refused):
            raise one
        candidates.append(one)
    return candidates


def _check_week(candidates: Sequence[Candidate]) -> None:
    """Check what may have changed since the week was built; enrolling checks seats and requisites."""
    week = list[Registration]()
    for one in candidates:
        term, course, section = one.offering.term, one.offering.course, one.offering.section
        enrolled = [other for other in one.registrations if other.status == "enrolled"]
        rules.check_not_enrolled(term, course, enrolled)
        rules.check_status(course, section)
        rules.check_times(course, section, [*enrolled, *week])
        week.append(Registration(course, section, "planned"))
