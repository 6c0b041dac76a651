"""The plan: what a student means to take when a term opens, what is in the way of it, and taking all of it."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from quart_enroll.db.client import Database, OutcomeUnknown, Session
from quart_enroll.db.collections import courses, plans
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import rules, terms
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    Busy,
    CreditLimit,
    NotPlanned,
    PlanFull,
    Refused,
    UnknownCourse,
)
from quart_enroll.domain.models import Course, Planned, Registration, SectionKey, SectionRequest, Term
from quart_enroll.i18n.language import Sentence
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import resolve, seat_changes
from quart_enroll.services.enrollment.enroll import enroll as enroll_in_section
from quart_enroll.services.enrollment.enroll import enroll_together
from quart_enroll.services.enrollment.seat_changes import Offer, Seated, SeatTransaction, Standing
from quart_enroll.services.enrollment.section_lock import run_locked

MOST = 15
"""Courses in a student's plan for one term."""

TIME = 18.0
"""Seconds in which all courses of a plan are tried: what comes after is well below the 30 of Heroku's router."""


@dataclass(frozen=True, slots=True)
class Added:
    """A section that is planned now; `new` is False when it was so already."""

    offer: Offer
    new: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a planned section: the seat, or the refusal; neither where the time was over before."""

    key: SectionKey
    placed: Seated | None = None
    refusal: Refused | None = None

    @property
    def settled(self) -> bool:
        return self.placed is not None or self.refusal is not None


@metrics.count_change("plan_add")
async def add(db: Database, user_id: int, wish: SectionRequest, now: datetime) -> Added:
    """Plan the section, at the end; in place of another section of the course, where that one stood.

    Raises UnknownCourse, UnknownTerm, UnknownSection, NotTaught, Closed, AlreadyEnrolled, PlanFull.
    """
    wanted = await resolve.section_meant(db, user_id, wish, now, None)

    async def body(session: Session) -> Added:
        step = SeatTransaction(db, session, now, user_id)
        await seat_changes.bump_version(step, user_id, wanted.key.term)
        there = await seat_changes.load_student(step, user_id, wanted.key)
        found, held = there.offer, there.held
        if now >= found.term.opens_at:
            rules.check_open(found.term, now)
        rules.check_new(found.term, found.course, [one for one in held if one.status == "enrolled"])
        before = await plans.find_by_student(db, user_id, found.key.term, session)
        if found.key in [planned.key for planned in before]:
            return Added(found, new=False)
        if len(before) >= MOST and found.course.courseID not in [planned.key.courseID for planned in before]:
            raise PlanFull(found.term.term, MOST)
        last = before[-1].place if before else 0
        planned = Planned(found.key, last + 1, now)
        await plans.put(db, user_id, planned, session, expires_at=found.term.withdraw_deadline)
        return Added(found, new=True)

    return await run_locked(db, [], body)


@metrics.count_change("plan_remove")
async def remove(db: Database, user_id: int, wish: SectionRequest, now: datetime) -> tuple[Course, Term]:
    """Take the course out of the plan; raise UnknownCourse, UnknownTerm, TermNeeded or NotPlanned."""
    course, term = await _meant(db, user_id, wish, now)
    if not await plans.remove_course(db, user_id, term.term, course.courseID):
        raise NotPlanned(course.title, term.term)
    return course, term


@metrics.count_change("plan_move_up")
async def move_up(db: Database, user_id: int, wish: SectionRequest, now: datetime) -> tuple[Course, Term]:
    """Let the course be tried before the one above it; the first stays. Raises what `remove` raises."""
    course, term = await _meant(db, user_id, wish, now)

    async def body(session: Session) -> tuple[Course, Term]:
        await seat_changes.bump_version(SeatTransaction(db, session, now, user_id), user_id, term.term)
        above = None
        for planned in await plans.find_by_student(db, user_id, term.term, session):
            if planned.key.courseID == course.courseID:
                if above is not None:
                    await plans.swap_places(db, user_id, above, planned, session)
                return course, term
            above = planned
        raise NotPlanned(course.title, term.term)

    return await run_locked(db, [], body)


@metrics.count_change("plan_enroll")
async def enroll(
    db: Database, user_id: int, term_named: str, now: datetime, catalog: Catalog | None = None
) -> tuple[Term, list[Outcome]]:
    """Take a seat in each planned section, one after the other; return what became of each.

    Each is a change of its own, but courses that need each other are taken together: all or none. A course comes after
    its corequisites, whatever its place in the plan. A student who is cut off has what was settled before, and the same
    request again goes on. What the student has leaves the plan, what was refused stays there with the reason. After
    TIME nothing is begun any more.
    Raises UnknownTerm, NotOpenYet, Closed; Busy while there is no room for any of them.
    """
    end = time.monotonic() + TIME
    term = terms.find(term_named, await stored_terms.find_all(db), now)
    rules.check_open(term, now)
    outcomes: list[Outcome] = []
    keys = [planned.key for planned in await plans.find_by_student(db, user_id, term.term)]
    for together in await _in_groups(db, user_id, keys, catalog):
        try:
            settled = await _enroll(db, user_id, together, now, end - time.monotonic(), catalog)
        except Busy:
            if not any(one.settled for one in outcomes):
                raise  # nothing has to be told: the whole press is repeated
            settled = [Outcome(key) for key in together]
        for outcome in settled:
            if outcome.placed or isinstance(outcome.refusal, AlreadyEnrolled):
                await plans.remove(db, user_id, outcome.key)
            elif outcome.refusal:
                await plans.set_reason(db, user_id, outcome.key, outcome.refusal.message)
        outcomes += settled
    return term, outcomes


def troubles(
    term: Term, wanted: Sequence[Offer], enrolled: Sequence[Registration], taken: Sequence[tuple[str, Term]]
) -> list[list[Sentence]]:
    """Return, for each planned section, what the rules will say against it, in sentences.

    What the student is `enrolled` in counts, and the rest of the plan as if all of it came true: of two that meet at
    one time both are told, of too many credits those that come last. `taken` are the courses of earlier terms.
    """
    planned = [Registration(one.course, one.section, "enrolled") for one in wanted]
    had = {one.courseID for one in enrolled}
    ahead = list(enrolled)
    found = []
    for one in planned:
        others = [*enrolled, *(other for other in planned if other is not one and other.courseID not in had)]
        found.append(list(_troubles(term, one, others, ahead, taken)) if one.courseID not in had else [])
        if one.courseID not in had:
            ahead.append(one)
    return found


def _troubles(
    term: Term,
    one: Registration,
    others: Sequence[Registration],
    ahead: Sequence[Registration],
    taken: Sequence[tuple[str, Term]],
) -> Iterator[Sentence]:
    checks: list[Callable[[], None]] = [
        *(partial(rules.check_times, one.course, one.section, [other]) for other in others),
        partial(rules.check_prerequisites, one.course, term, taken),
        partial(rules.check_corequisites, one.course, term, others, taken),
        partial(rules.check_credits, term, one.course, ahead),
    ]
    for check in checks:
        try:
            check()
        except CreditLimit:
            yield Sentence(
                "With %(title)s your plan has more credits than the limit of %(limit)s.",
                title=one.course.title,
                limit=term.max_credits,
            )
        except Refused as refusal:
            yield refusal.message


async def _in_groups(
    db: Database, user_id: int, keys: Sequence[SectionKey], catalog: Catalog | None
) -> list[list[SectionKey]]:
    """Return the planned sections in the order in which they are taken: corequisites come first.

    Courses that need each other are in one group. The catalog, if there is one, saves the question whether any course
    of the plan has corequisites at all.
    """
    alone = [[key] for key in keys]
    if catalog and not any((course := catalog.find(key.courseID)) and course.corequisites for key in keys):
        return alone
    found = await seat_changes.load_students(db, [(user_id, key) for key in keys], None) if len(keys) > 1 else []
    needs: dict[str, list[str]] = {key.courseID: [] for key in keys}
    for there in found:
        if isinstance(there, Standing):
            course, term = there.offer.course, there.offer.term
            missing = rules.missing_corequisites(course, term, there.held, there.taken)
            needs[course.courseID] = [one for one in missing if one in needs]
    by_course = {key.courseID: key for key in keys}
    return [[by_course[one] for one in group] for group in in_groups(needs)]


def in_groups(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the keys in an order in which each comes after what it needs; those that need each other in one group.

    Keys without needs keep their place. Every needed key must be one of `needs`.
    """
    reached: dict[str, set[str]] = {}
    for one in needs:
        reached[one], ahead = set(), [one]
        while ahead:
            ahead = [other for each in ahead for other in needs[each] if other not in reached[one]]
            reached[one].update(ahead)
    groups: list[list[str]] = []
    done: set[str] = set()

    def visit(one: str) -> None:
        if one in done:
            return
        group = [other for other in needs if other == one or (other in reached[one] and one in reached[other])]
        done.update(group)
        for other in needs:
            if other in reached[one]:
                visit(other)
        groups.append(group)

    for one in needs:
        visit(one)
    return groups


async def _enroll(
    db: Database, user_id: int, keys: Sequence[SectionKey], now: datetime, seconds: float, catalog: Catalog | None
) -> list[Outcome]:
    if seconds <= 0:
        return [Outcome(key) for key in keys]
    try:
        async with asyncio.timeout(seconds):
            if len(keys) > 1:
                settled = await enroll_together(db, user_id, keys, now)
                return [
                    Outcome(key, one) if isinstance(one, Seated) else Outcome(key, refusal=one)
                    for key, one in zip(keys, settled, strict=True)
                ]
            [key] = keys
            wish = SectionRequest(key.courseID, key.term, key.section)
            return [Outcome(key, await enroll_in_section(db, user_id, wish, now, catalog))]
    except Refused as refusal:
        return [Outcome(key, refusal=refusal) for key in keys]
    except (TimeoutError, OutcomeUnknown):  # it may come about yet; then the next request finds it done
        return [Outcome(key) for key in keys]


async def _meant(db: Database, user_id: int, wish: SectionRequest, now: datetime) -> tuple[Course, Term]:
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    term = await resolve.term_meant(db, wish, course.title, await plans.find_terms(db, user_id, wish.courseID), now)
    if term is None:
        raise NotPlanned(course.title)
    return course, term


async def planned_sections(db: Database, user_id: int, term: str) -> list[Planned]:
    """Return the student's planned sections of that term in the order in which they are tried."""
    return await plans.find_by_student(db, user_id, term)


async def planned_terms(db: Database, user_id: int) -> set[str]:
    """Return the terms for which the student has a plan."""
    return await plans.find_terms(db, user_id)
