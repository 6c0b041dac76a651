"""Enroll in everything that a student has planned for a term."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import OutcomeUnknown
from quart_enroll.db.collections import plans
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import AlreadyEnrolled, Busy, Refused
from quart_enroll.domain.models import SectionKey, SectionRequest, Term
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment.candidates import Candidate, load_candidates
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.enroll import enroll
from quart_enroll.services.enrollment.enroll_together import enroll_together
from quart_enroll.services.enrollment.seat_changes import Enrolled

PLAN_TIMEOUT_SECONDS = 18.0
"""For all courses of a plan; the last one begun ends well before Heroku's router gives up after 30 seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for a planned section: the seat, or the refusal, or neither if the time ran out first."""

    key: SectionKey
    enrolled: Enrolled | None = None
    refusal: Refused | None = None

    @property
    def is_final(self) -> bool:
        return self.enrolled is not None or self.refusal is not None


@metrics.count_change("plan_enroll")
async def enroll_plan(
    context: EnrollmentContext, user_id: int, term_name: str, now: datetime, catalog: Catalog | None = None
) -> tuple[Term, list[Outcome]]:
    """Enroll the student in each planned section in turn, and return the outcomes.

    Each is a change of its own, but courses that need each other are taken together or not at all. A course comes after
    its corequisites, whatever its place in the plan. Sections in which the student is enrolled leave the plan; refused
    ones stay there with the reason. A student who is cut off keeps everything enrolled so far, and the same request
    again continues. After PLAN_TIMEOUT_SECONDS nothing more is begun.
    Raises UnknownTerm, NotOpenYet, Closed; and Busy if there was no room for any of the sections.
    """
    db = context.db
    end = time.monotonic() + PLAN_TIMEOUT_SECONDS
    term = terms.find(term_name, await stored_terms.find_all(db), now)
    rules.check_open(term, now)
    outcomes: list[Outcome] = []
    keys = [planned.key for planned in await plans.find_by_student(db, user_id, term.term)]
    for group in await _group_planned(context, user_id, keys, catalog):
        try:
            results = await _enroll_group(context, user_id, group, now, end - time.monotonic(), catalog)
        except Busy:
            if not any(outcome.is_final for outcome in outcomes):
                raise  # nothing has happened yet, so the whole request can be repeated
            results = [Outcome(key) for key in group]
        for outcome in results:
            if outcome.enrolled or isinstance(outcome.refusal, AlreadyEnrolled):
                await plans.remove(db, user_id, outcome.key)
            elif outcome.refusal:
                await plans.set_reason(db, user_id, outcome.key, outcome.refusal.message)
        outcomes += results
    return term, outcomes


async def _group_planned(
    context: EnrollmentContext, user_id: int, keys: Sequence[SectionKey], catalog: Catalog | None
) -> list[list[SectionKey]]:
    """Return the planned sections in the order in which to take them, grouped as `group_by_needs` does.

    The catalog, if there is one, saves a query for a plan without corequisites.
    """
    alone = [[key] for key in keys]
    if len(keys) < 2:
        return alone
    if catalog and not any((course := catalog.find(key.courseID)) and course.corequisites for key in keys):
        return alone
    needs: dict[str, list[str]] = {key.courseID: [] for key in keys}
    for candidate in await load_candidates(context.db, [(user_id, key) for key in keys], None):
        if isinstance(candidate, Candidate):
            course, term = candidate.offering.course, candidate.offering.term
            missing = rules.missing_corequisites(course, term, candidate.registrations, candidate.taken_courses)
            needs[course.courseID] = [courseID for courseID in missing if courseID in needs]
    by_course = {key.courseID: key for key in keys}
    return [[by_course[courseID] for courseID in group] for group in group_by_needs(needs)]


def group_by_needs(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the keys in an order in which each comes after those it needs; keys that need each other form one group.

    Keys without needs keep their place. Every needed key must be one of `needs`.
    """
    reachable = {key: _reachable(key, needs) for key in needs}
    groups: list[list[str]] = []
    done: set[str] = set()

    def visit(key: str) -> None:
        if key in done:
            return
        group = [other for other in needs if other == key or (other in reachable[key] and key in reachable[other])]
        done.update(group)
        for other in needs:
            if other in reachable[key]:
                visit(other)
        groups.append(group)

    for key in needs:
        visit(key)
    return groups


def _reachable(key: str, needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return everything that the key needs, directly or indirectly."""
    reached: set[str] = set()
    ahead = [key]
    while ahead:
        ahead = [other for each in ahead for other in needs[each] if other not in reached]
        reached.update(ahead)
    return reached


async def _enroll_group(
    context: EnrollmentContext,
    user_id: int,
    keys: Sequence[SectionKey],
    now: datetime,
    seconds: float,
    catalog: Catalog | None,
) -> list[Outcome]:
    if seconds <= 0:
        return [Outcome(key) for key in keys]
    try:
        async with asyncio.timeout(seconds):
            if len(keys) > 1:
                results = await enroll_together(context, user_id, keys, now)
                return [
                    Outcome(key, result) if isinstance(result, Enrolled) else Outcome(key, refusal=result)
                    for key, result in zip(keys, results, strict=True)
                ]
            [key] = keys
            request = SectionRequest(key.courseID, key.term, key.section)
            return [Outcome(key, await enroll(context, user_id, request, now, catalog))]
    except Refused as refusal:
        return [Outcome(key, refusal=refusal) for key in keys]
    except (TimeoutError, OutcomeUnknown):  # it may be committed yet; then the next request finds the student enrolled
        return [Outcome(key) for key in keys]
