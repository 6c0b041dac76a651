"""A change that staff make for a student: the rules that forbid it, and making it.

For many students, `services.catalog.import_enrollments` makes one after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, terms, users, waitlist
from quart_enroll.db.queries import section_facts
from quart_enroll.domain import rules
from quart_enroll.domain.actors import NO_OVERRIDES, SEAT_LIMITS, Actor, Override
from quart_enroll.domain.errors import NotEnrolled, NotWaiting, Refused, UnknownCourse, UnknownTerm
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.rules import Rule
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.enrollment import act_for, eligibility, resolve
from quart_enroll.services.enrollment.act_for import Record, record_nothing
from quart_enroll.services.enrollment.candidates import load_candidate, with_course_names
from quart_enroll.services.enrollment.context import EnrollmentContext


class StaffAction(StrEnum):
    """What staff can do for a student."""

    ENROLL = "enroll"
    DROP = "drop"
    WITHDRAW = "withdraw"
    SWAP = "swap"
    JOIN = "join"
    LEAVE = "leave"
    REORDER = "reorder"


ACTION_NAMES: Mapping[StaffAction, Sentence] = {
    StaffAction.ENROLL: Sentence("Enroll"),
    StaffAction.DROP: Sentence("Drop"),
    StaffAction.WITHDRAW: Sentence("Withdraw"),
    StaffAction.SWAP: Sentence("Swap"),
    StaffAction.JOIN: Sentence("Put on the waitlist"),
    StaffAction.LEAVE: Sentence("Take off the waitlist"),
}
"""What staff can do for many students at once: all but giving them the same position on a waitlist."""


@dataclass(frozen=True, slots=True)
class StaffChange:
    """A change in a section: a swap drops the course `dropped`, and reordering leads to the `position`."""

    action: StaffAction
    key: SectionKey
    dropped: str = ""
    position: int = 1


async def find_rules(db: Database, user_id: int, change: StaffChange, now: datetime) -> dict[Rule, Refused | None]:
    """Return how each rule applies to the change; raise a refusal if it makes no sense whatever the rules."""
    checks: rules.Checks
    permitted = NO_OVERRIDES
    match change.action:
        case StaffAction.DROP | StaffAction.WITHDRAW:
            checks = await _drop_checks(db, user_id, change, now)
        case StaffAction.LEAVE | StaffAction.REORDER:
            await _check_waiting(db, user_id, change.key)
            checks = ()
        case _:
            checks, permitted = await _seat_checks(db, user_id, change, now)
    found = rules.find_refusals(checks, permitted)
    return {rule: await with_course_names(db, refusal) if refusal else None for rule, refusal in found.items()}


async def check(
    db: Database, user_id: int, change: StaffChange, overrides: frozenset[Override], now: datetime
) -> set[Override]:
    """Return the overrides that the change needs.

    Raises the first refusal that none of the overrides allows, and whatever `find_rules` raises.
    """
    needed = set()
    for refusal in (await find_rules(db, user_id, change, now)).values():
        if refusal and refusal.override not in overrides:
            raise refusal
        if refusal and refusal.override:
            needed.add(refusal.override)
    return needed


async def make(
    context: EnrollmentContext,
    staff: Actor,
    user_id: int,
    change: StaffChange,
    now: datetime,
    record: Record = record_nothing,
) -> None:
    """Make the change, and `record` it in the same transaction.

    Raises the first refusal that none of the actor's overrides allows.
    """
    key = change.key
    match change.action:
        case StaffAction.ENROLL:
            await act_for.enroll(context, staff, user_id, key, now, record=record)
        case StaffAction.DROP:
            await act_for.drop(context, staff, user_id, key, now, withdraw=False, record=record)
        case StaffAction.WITHDRAW:
            await act_for.drop(context, staff, user_id, key, now, withdraw=True, record=record)
        case StaffAction.SWAP:
            await act_for.swap(context, staff, user_id, change.dropped, key, now, record=record)
        case StaffAction.JOIN:
            await act_for.join(context, staff, user_id, key, now, record=record)
        case StaffAction.LEAVE:
            await act_for.leave(context, staff, user_id, key, now, record=record)
        case StaffAction.REORDER:
            await act_for.reorder(context, staff, user_id, key, change.position, now, record=record)


async def _seat_checks(
    db: Database, user_id: int, change: StaffChange, now: datetime
) -> tuple[rules.Checks, frozenset[Override]]:
    """Return the rules, and what the student's permits set aside."""
    candidate = await load_candidate(db, user_id, change.key)
    if change.action is StaffAction.ENROLL:
        return eligibility.enroll_checks(candidate, now), candidate.permitted(now)
    if change.action is StaffAction.JOIN:
        return eligibility.join_checks(candidate, None, now), candidate.permitted(now) - SEAT_LIMITS
    old = await resolve.find_dropped(db, candidate.registrations, change.dropped, candidate.offering)
    return eligibility.swap_checks(candidate, old, now), candidate.permitted(now, old)


async def _drop_checks(db: Database, user_id: int, change: StaffChange, now: datetime) -> rules.Checks:
    key = change.key
    registrations, holds = await section_facts.find_for_drop(db, user_id, key.term)
    term = await terms.find(db, key.term)
    if term is None:
        raise UnknownTerm(key.term, [])
    registration = next(
        (one for one in registrations if (one.courseID, one.status) == (key.courseID, "enrolled")), None
    )
    if registration is None:
        raise NotEnrolled(key.courseID, key.term)
    taken_courses = await resolve.taken_courses(db, user_id)
    attributes = await users.find_attributes(db, user_id)
    withdraw = change.action is StaffAction.WITHDRAW
    return eligibility.drop_checks(
        registration, term, registrations, taken_courses, attributes, now, withdraw=withdraw, holds=holds
    )


async def _check_waiting(db: Database, user_id: int, key: SectionKey) -> None:
    course = await courses.find(db, key.courseID)
    if course is None:
        raise UnknownCourse(key.courseID)
    if await waitlist.find(db, user_id, key.term, key.courseID) is None:
        raise NotWaiting(course.title, key.term)
