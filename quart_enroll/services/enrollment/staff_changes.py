"""A change that staff make for a student: the rules that forbid it, and making it.

For many students, the same change is tried for each, and each has a result of its own.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, enrollments, terms, users, waitlist
from quart_enroll.domain import permissions, rules
from quart_enroll.domain.actors import Actor, Override
from quart_enroll.domain.errors import NotEnrolled, NotWaiting, Refused, UnknownCourse, UnknownTerm
from quart_enroll.domain.models import SectionKey, User
from quart_enroll.domain.rules import Rule
from quart_enroll.services.enrollment import act_for, eligibility, resolve
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


@dataclass(frozen=True, slots=True)
class StaffChange:
    """A change in a section: a swap drops the course `dropped`, and reordering leads to the `position`."""

    action: StaffAction
    key: SectionKey
    dropped: str = ""
    position: int = 1


@dataclass(frozen=True, slots=True)
class StudentResult:
    """What came of the change for one student: None for `refusal` if it was made, or would be in a preview.

    `student` is None if nobody in the person's scope is meant by the `text`.
    """

    text: str
    student: User | None
    refusal: Refused | None = None


async def find_rules(db: Database, user_id: int, change: StaffChange, now: datetime) -> dict[Rule, Refused | None]:
    """Return how each rule applies to the change; raise a refusal if it makes no sense whatever the rules."""
    checks: rules.Checks
    match change.action:
        case StaffAction.DROP | StaffAction.WITHDRAW:
            checks = await _drop_checks(db, user_id, change, now)
        case StaffAction.LEAVE | StaffAction.REORDER:
            await _check_waiting(db, user_id, change.key)
            checks = ()
        case _:
            checks = await _seat_checks(db, user_id, change, now)
    found = rules.find_refusals(checks)
    return {rule: await with_course_names(db, refusal) if refusal else None for rule, refusal in found.items()}


async def check(db: Database, user_id: int, change: StaffChange, overrides: frozenset[Override], now: datetime) -> None:
    """Raise the first refusal that none of the overrides allows, and whatever `find_rules` raises."""
    for refusal in (await find_rules(db, user_id, change, now)).values():
        if refusal and refusal.override not in overrides:
            raise refusal


async def make(context: EnrollmentContext, staff: Actor, user_id: int, change: StaffChange, now: datetime) -> None:
    """Make the change; raise the first refusal that none of the actor's overrides allows."""
    key = change.key
    match change.action:
        case StaffAction.ENROLL:
            await act_for.enroll(context, staff, user_id, key, now)
        case StaffAction.DROP:
            await act_for.drop(context, staff, user_id, key, now, withdraw=False)
        case StaffAction.WITHDRAW:
            await act_for.drop(context, staff, user_id, key, now, withdraw=True)
        case StaffAction.SWAP:
            await act_for.swap(context, staff, user_id, change.dropped, key, now)
        case StaffAction.JOIN:
            await act_for.join(context, staff, user_id, key, now)
        case StaffAction.LEAVE:
            await act_for.leave(context, staff, user_id, key, now)
        case StaffAction.REORDER:
            await act_for.reorder(context, staff, user_id, key, change.position, now)


async def preview_for_many(
    db: Database, staff: User, actor: Actor, texts: Sequence[str], change: StaffChange, now: datetime
) -> AsyncGenerator[StudentResult, None]:
    """Yield for each student what would come of the change now; seats that it takes from the next are not counted.

    Each of the `texts` is an ID or an email address; one that means the same student again is left out.
    """
    async for text, student in _students(db, staff, texts):
        refusal = None
        if student is not None:
            try:
                await check(db, student.user_id, change, actor.overrides, now)
            except Refused as error:
                refusal = error
        yield StudentResult(text, student, refusal)


async def make_for_many(
    context: EnrollmentContext, staff: User, actor: Actor, texts: Sequence[str], change: StaffChange, now: datetime
) -> AsyncGenerator[StudentResult, None]:
    """Make the change for one student after the other, each in a transaction of its own, and yield the results.

    Repeated after it was interrupted, it refuses those who have it already, and goes on with the others.
    """
    async for text, student in _students(context.db, staff, texts):
        refusal = None
        if student is not None:
            try:
                await make(context, actor, student.user_id, change, now)
            except Refused as error:
                refusal = error
        yield StudentResult(text, student, refusal)


async def _students(db: Database, staff: User, texts: Sequence[str]) -> AsyncGenerator[tuple[str, User | None], None]:
    """Yield each text with the student for whom the person may act, or None."""
    seen = set()
    for text in texts:
        student = await users.find_by_id_or_email(db, text)
        if student is None or not permissions.can_act_for(staff, student):
            yield text, None
        elif student.user_id not in seen:
            seen.add(student.user_id)
            yield text, student


async def _seat_checks(db: Database, user_id: int, change: StaffChange, now: datetime) -> rules.Checks:
    candidate = await load_candidate(db, user_id, change.key)
    if change.action is StaffAction.ENROLL:
        return eligibility.enroll_checks(candidate, now)
    if change.action is StaffAction.JOIN:
        return eligibility.join_checks(candidate, None, now)
    old = await resolve.find_dropped(db, candidate.registrations, change.dropped, candidate.offering)
    return eligibility.swap_checks(candidate, old, now)


async def _drop_checks(db: Database, user_id: int, change: StaffChange, now: datetime) -> rules.Checks:
    key = change.key
    registrations = await enrollments.find_in_term(db, user_id, key.term)
    term = await terms.find(db, key.term)
    if term is None:
        raise UnknownTerm(key.term, [])
    registration = next(
        (one for one in registrations if (one.courseID, one.status) == (key.courseID, "enrolled")), None
    )
    if registration is None:
        raise NotEnrolled(key.courseID, key.term)
    taken_courses = await resolve.taken_courses(db, user_id)
    withdraw = change.action is StaffAction.WITHDRAW
    return eligibility.drop_checks(registration, term, registrations, taken_courses, now, withdraw=withdraw)


async def _check_waiting(db: Database, user_id: int, key: SectionKey) -> None:
    course = await courses.find(db, key.courseID)
    if course is None:
        raise UnknownCourse(key.courseID)
    if await waitlist.find(db, user_id, key.term, key.courseID) is None:
        raise NotWaiting(course.title, key.term)
