"""Enroll in everything that a student has planned for a term."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import SectionKey, Term
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment.batch_decisions import Decision
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import Enrolled


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for a planned section: the seat, perhaps `instead_of` the planned one, or the refusal."""

    key: SectionKey
    enrolled: Enrolled | None = None
    refusal: Refused | None = None
    instead_of: SectionKey | None = None


@metrics.count_change("plan_enroll")
async def enroll_plan(
    context: EnrollmentContext, user_id: int, term_name: str, now: datetime, catalog: Catalog | None = None
) -> tuple[Term, list[Outcome]]:
    """Enroll the student in each planned section in turn, and return the outcomes.

    All happens in one transaction, together with the removal of the taken sections from the plan; refused ones stay
    there with the reason. Where a planned section can't be taken, one of its alternatives is, as `domain/plan_fit.py`
    explains. Courses that need each other are taken together or not at all, and a course comes after its
    corequisites, whatever its place in the plan.
    A `catalog` that shows the term open saves a query; it decides nothing.
    Raises UnknownTerm, NotOpenYet, Closed, Crowded, and one of DATABASE_UNAVAILABLE when the outcome is unknown.
    """
    term = await _find_open_term(context, term_name, now, catalog)
    decisions = await context.batches.enroll_in_plan(user_id, term.term, now)
    return term, [_outcome(decision) for decision in decisions]


async def _find_open_term(context: EnrollmentContext, name: str, now: datetime, catalog: Catalog | None) -> Term:
    for term in catalog.terms if catalog else ():
        if term.term == name and term.is_open(now):
            return term
    term = terms.find(name, await stored_terms.find_all(context.db), now)
    rules.check_open(term, now)
    return term


def _outcome(decision: Decision) -> Outcome:
    result = decision.result
    if isinstance(result, Enrolled):
        return Outcome(decision.key, enrolled=result, instead_of=decision.instead_of)
    return Outcome(decision.key, refusal=result if isinstance(result, Refused) else None)
