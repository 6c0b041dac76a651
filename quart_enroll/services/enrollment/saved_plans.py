"""Several plans for a term: one is in use, and the others are saved under their names."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from quart_enroll.db.client import Session
from quart_enroll.db.collections import plans, saved_plans
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import rules, terms
from quart_enroll.domain.errors import NoSuchPlan, OtherPlanInUse, PlanNameTaken, TooManyPlans
from quart_enroll.domain.models import SavedPlan, Term
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import seat_changes
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.seat_changes import SeatTransaction

MAX_PLANS_PER_TERM = 5
"""A student's plans for one term, including the one in use."""


class PlanNames(NamedTuple):
    """The names of a student's plans for a term."""

    in_use: str
    others: Sequence[str]


def plan_names(found: Sequence[SavedPlan]) -> PlanNames:
    """Return the names of the plans in these rows; the name of the plan in use is empty if it has no row."""
    in_use = next((one.name for one in found if one.is_in_use), "")
    return PlanNames(in_use, sorted(one.name for one in found if not one.is_in_use))


@metrics.count_change("plan_save")
async def save_copy(context: EnrollmentContext, user_id: int, term_name: str, name: str, now: datetime) -> Term:
    """Save a copy of the plan in use under the name.

    Raises UnknownTerm, Closed, PlanNameTaken, TooManyPlans.
    """

    async def body(term: Term, names: PlanNames, session: Session) -> None:
        if name in (names.in_use, *names.others):
            raise PlanNameTaken(name)
        if len(names.others) + 1 >= MAX_PLANS_PER_TERM:
            raise TooManyPlans(term.term, MAX_PLANS_PER_TERM)
        await _save_plan_in_use(context, user_id, term, name, session)

    return await _change(context, user_id, term_name, now, body)


@metrics.count_change("plan_use")
async def use(context: EnrollmentContext, user_id: int, term_name: str, name: str, now: datetime) -> Term:
    """Use the plan with that name, and save the one that was in use under its own; a repeat changes nothing.

    Raises UnknownTerm, Closed, NoSuchPlan.
    """
    db = context.db

    async def body(term: Term, names: PlanNames, session: Session) -> None:
        if name == names.in_use:
            return
        if name not in names.others:
            raise NoSuchPlan(term.term)
        wanted = await saved_plans.find_sections(db, user_id, term.term, name, now, session)
        await _save_plan_in_use(context, user_id, term, names.in_use, session)
        expires_at = term.withdraw_deadline
        await plans.replace_all(db, user_id, term.term, wanted, session, expires_at=expires_at)
        await saved_plans.set_name_in_use(db, user_id, term.term, name, name, session, expires_at=expires_at)

    return await _change(context, user_id, term_name, now, body)


@metrics.count_change("plan_rename")
async def rename(context: EnrollmentContext, user_id: int, term_name: str, old: str, name: str, now: datetime) -> Term:
    """Rename the plan in use, whose name is `old`; a repeat changes nothing.

    Raises UnknownTerm, Closed, PlanNameTaken, and OtherPlanInUse if another plan is in use.
    """

    async def body(term: Term, names: PlanNames, session: Session) -> None:
        if name == names.in_use:
            return
        if old != names.in_use:
            raise OtherPlanInUse(term.term)
        if name in names.others:
            raise PlanNameTaken(name)
        await saved_plans.set_name_in_use(
            context.db, user_id, term.term, old, name, session, expires_at=term.withdraw_deadline
        )

    return await _change(context, user_id, term_name, now, body)


@metrics.count_change("plan_delete")
async def delete(context: EnrollmentContext, user_id: int, term_name: str, name: str, now: datetime) -> Term:
    """Delete the plan with that name, which must not be in use; raise UnknownTerm, Closed or NoSuchPlan."""

    async def body(term: Term, names: PlanNames, session: Session) -> None:
        if name not in names.others:
            raise NoSuchPlan(term.term)
        await saved_plans.remove(context.db, user_id, term.term, name, session)

    return await _change(context, user_id, term_name, now, body)


async def _change(
    context: EnrollmentContext,
    user_id: int,
    term_name: str,
    now: datetime,
    change: Callable[[Term, PlanNames, Session], Awaitable[None]],
) -> Term:
    """Run the change in a transaction, with the names of the student's plans; return the term."""
    db = context.db
    term = terms.find(term_name, await stored_terms.find_all(db), now)
    if now >= term.opens_at:
        rules.check_open(term, now)

    async def body(session: Session) -> Term:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        found = await saved_plans.find_in_term(db, user_id, term.term, session)
        await change(term, plan_names(found), session)
        return term

    return await context.locks.run([], body)


async def _save_plan_in_use(context: EnrollmentContext, user_id: int, term: Term, name: str, session: Session) -> None:
    planned = await plans.find_by_student(context.db, user_id, term.term, session)
    await saved_plans.save(context.db, user_id, term.term, name, planned, session, expires_at=term.withdraw_deadline)
