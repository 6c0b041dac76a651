"""Enrollment: take a seat, give it back, swap it; each is one transaction."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses, enrollments, events, sections
from quart_enroll.db.collections import terms as stored_terms
from quart_enroll.domain import rules
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.errors import (
    AlreadyEnrolled,
    AlreadyWaiting,
    DropClosed,
    EnrollmentOver,
    NotEnrolled,
    Refused,
    SectionFull,
    UnknownCourse,
)
from quart_enroll.domain.models import Course, Event, Meeting, Registration, Section, SectionKey, SectionRequest, Term
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import batching, resolve, seat_changes
from quart_enroll.services.enrollment.seat_changes import Offer, Seated, SeatTransaction, Standing
from quart_enroll.services.enrollment.swap_cycles import change_seats


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a drop took off the schedule; `action` is "drop" (no trace) or "withdraw"."""

    courses: tuple[Course, ...]
    term: str
    action: str


@metrics.count_change("enroll")
async def enroll(
    db: Database, user_id: int, wish: SectionRequest, now: datetime, catalog: Catalog | None = None
) -> Seated:
    """Give the student a seat; all the same how often or from how many tabs it is asked for.

    A `catalog` that may be a moment old saves the question what is meant; it decides nothing.
    Raises the reason to refuse: UnknownCourse, UnknownTerm, UnknownSection, NotTaught, NotOpenYet, Closed,
    AlreadyEnrolled, AlreadyWaiting, TimeConflict, CreditLimit, PrerequisiteMissing, CorequisiteMissing, SectionFull.
    """
    options = resolve.at_hand(catalog, wish, now) or await resolve.sections_meant(db, user_id, wish, now)
    for wanted in options:
        try:
            return await _take(db, user_id, wanted, now, catalog)
        except (SectionFull, AlreadyWaiting) as refusal:
            if wanted is options[-1]:
                raise await refused(db, user_id, "enroll", wanted.key, now, refusal) from None
        except Refused as refusal:
            raise await refused(db, user_id, "enroll", wanted.key, now, refusal) from None
    raise AssertionError("There is always an option.")


@metrics.count_change("enroll_together")
async def enroll_together(
    db: Database, user_id: int, keys: Sequence[SectionKey], now: datetime
) -> list[Seated | AlreadyEnrolled]:
    """Give the student a seat in each of these sections of one term, in one transaction, or in none of them.

    They count as each other's corequisites. Returns what became of each: a course that the student has stays as it is.
    Raises what `enroll` raises, of the first section that can't be had.
    """
    tried: list[Standing] = []

    async def check(session: Session | None) -> list[Standing]:
        found = await seat_changes.load_students(db, [(user_id, key) for key in keys], session)
        if unknown := [there for there in found if isinstance(there, Refused)]:
            raise unknown[0]
        tried[:] = [there for there in found if isinstance(there, Standing)]
        wanted = [there for there in tried if not _has(there)]
        if not wanted:
            raise _has_already(tried[0])
        _check_together(wanted, now, tried)
        return wanted

    async def look() -> None:
        await check(None)

    async def body(step: SeatTransaction) -> list[Seated | AlreadyEnrolled]:
        wanted = await check(step.session)
        await seat_changes.take_all(step, user_id, "enroll", wanted)
        await seat_changes.promote_waitlists(step)
        left = {key.courseID: key.section for key in step.left}
        return [
            Seated(there.offer, left.get(there.offer.key.courseID, "")) if there in wanted else _has_already(there)
            for there in tried[: len(keys)]
        ]

    try:
        return await change_seats(db, user_id, now, keys, body, look=look)
    except SectionFull:
        full = await _full(db, tried[-1])
        raise await refused(db, user_id, "enroll", tried[-1].offer.key, now, full) from None
    except Refused as refusal:
        key = tried[-1].offer.key if tried else keys[0]
        raise await refused(db, user_id, "enroll", key, now, refusal) from None


async def enroll_with_corequisites(
    db: Database, user_id: int, wish: SectionRequest, now: datetime
) -> list[Seated | AlreadyEnrolled]:
    """Give the student a seat in the course and in each corequisite that is missing, as `enroll_together` does.

    The sections are the first that have a seat and fit to the schedule and to each other. The course itself is the
    first of the result.
    """
    options = [await resolve.sections_meant(db, user_id, wish, now)]
    term = options[0][0].term.term
    held, taken = await enrollments.find_in_term(db, user_id, term), await _taken(db, user_id)
    for offered in options:  # it grows: a corequisite may need another
        chosen = [several[0].course for several in options]
        missing = rules.missing_corequisites(
            offered[0].course, offered[0].term, held, taken, [one.courseID for one in chosen]
        )
        options += [await resolve.sections_meant(db, user_id, SectionRequest(one, term), now) for one in missing]
    together = _first_fitting(options, held) or [several[0] for several in options]
    return await enroll_together(db, user_id, [one.key for one in together], now)


@metrics.count_change("drop")
async def drop(
    db: Database, user_id: int, wish: SectionRequest, now: datetime, *, with_corequisites: bool = False
) -> GivenBack:
    """Give back the student's seat, and promote who waits for it.

    Raises UnknownCourse, UnknownTerm, TermNeeded, NotEnrolled, DropClosed; CorequisitesWouldGo when courses that
    need this one would go too and `with_corequisites` does not say yes to that.
    """
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    has = await enrollments.find_terms(db, user_id, wish.courseID)
    term = await resolve.term_meant(db, wish, course.title, has, now)
    if term is None:
        raise EnrollmentOver(course.title) if has else NotEnrolled(course.title)

    async def body(step: SeatTransaction) -> GivenBack:
        held = await enrollments.find_in_term(db, user_id, term.term, step.session)
        first = _enrolled(held, course, term)
        along = rules.going_along(course.courseID, term, held, ())
        if along:  # unless what they need was taken before
            taken = await _taken(db, user_id, step.session)
            along = rules.going_along(course.courseID, term, held, taken)
            if not with_corequisites:
                rules.check_alone(first, term, held, taken)
        actions = [await seat_changes.give_back(step, user_id, term, one) for one in (first, *along)]
        await seat_changes.promote_waitlists(step)
        return GivenBack(tuple(one.course for one in (first, *along)), term.term, actions[0])

    held = await enrollments.find_in_term(db, user_id, term.term)
    keys = [one.section.key for one in held if one.courseID == course.courseID]
    try:
        return await change_seats(db, user_id, now, keys, body)
    except DropClosed as refusal:
        raise await refused(db, user_id, "drop", keys[0], now, refusal) from None


@metrics.count_change("swap")
async def swap(db: Database, user_id: int, given_up: str, wish: SectionRequest, now: datetime) -> Seated:
    """Give the student another seat for the one in course `given_up`; whatever fails, that one stays.

    The rules are checked as if the old course were gone. Raises what `enroll` raises, and NotEnrolled.
    """
    options = await resolve.sections_meant(db, user_id, wish, now, given_up)
    for wanted in options:
        try:
            return await _swap(db, user_id, given_up, wanted, now)
        except SectionFull:
            if wanted is options[-1]:
                there = await seat_changes.load_student(SeatTransaction(db, None, now, user_id), user_id, wanted.key)
                full = await _full(db, there, given_up=given_up)
                raise await refused(db, user_id, "swap", wanted.key, now, full) from None
        except Refused as refusal:
            raise await refused(db, user_id, "swap", wanted.key, now, refusal) from None
    raise AssertionError("There is always an option.")


async def _take(db: Database, user_id: int, wanted: Offer, now: datetime, catalog: Catalog | None) -> Seated:
    async def body(step: SeatTransaction) -> Seated:
        there = await seat_changes.load_student(step, user_id, wanted.key)
        found = there.offer
        seat_changes.check_all(there, now)
        if not await seat_changes.take(step, user_id, "enroll", there):
            raise SectionFull(found.course.title, found.key.section)
        await seat_changes.promote_waitlists(step)
        return seat_changes.placed(step, found)

    async def look() -> None:
        section = await sections.find(db, wanted.key)
        if section is None or not section.open_seats:
            raise SectionFull(wanted.course.title, wanted.key.section)

    # Where nothing can be taken nothing is begun: a crowd before a full section only reads.
    if wanted.section.open_seats:
        if isinstance(boarded := await batching.board(db, user_id, wanted.key, now), Seated):
            return boarded
        if isinstance(boarded, Standing):
            raise await _full(db, boarded, catalog)
        with suppress(SectionFull):
            return await change_seats(db, user_id, now, [wanted.key], body, look=look)
    step = SeatTransaction(db, None, now, user_id)
    there = await seat_changes.load_student(step, user_id, wanted.key)
    seat_changes.check_all(there, now)
    raise await _full(db, there, catalog)


def _has(there: Standing) -> bool:
    """Tell whether the student is enrolled in that course already, in whichever section."""
    return any(one.courseID == there.offer.course.courseID and one.status == "enrolled" for one in there.held)


def _has_already(there: Standing) -> AlreadyEnrolled:
    return AlreadyEnrolled(there.offer.course.title, there.offer.term.term)


def _first_fitting(options: Sequence[Sequence[Offer]], held: Sequence[Registration]) -> list[Offer] | None:
    """Return one of each of the options, all of them with a seat and without a conflict, or None.

    Each step leaves out what doesn't fit any more, and gives up a choice that leaves nothing of another course.
    """
    left = [_fitting(several, held) for several in options]
    if not left:
        return []
    for one in left[0] if all(left) else ():
        others = _first_fitting(left[1:], [*held, Registration(one.course, one.section, "enrolled")])
        if others is not None:
            return [one, *others]
    return None


def _fitting(offers: Sequence[Offer], held: Sequence[Registration]) -> list[Offer]:
    """Return the offers with a seat that fit: of several at the same times, only the first."""
    by_times: dict[tuple[Meeting, ...], Offer] = {}
    for one in offers:
        if one.section.open_seats:
            by_times.setdefault(one.section.meetings, one)
    return [one for one in by_times.values() if rules.fits(one.term, one.course, one.section, held)]


def _check_together(wanted: Sequence[Standing], now: datetime, tried: list[Standing]) -> None:
    """Raise the first reason why the student may not have all of that; the last of `tried` is what it is about."""
    added: list[Registration] = []
    courseIDs = [there.offer.course.courseID for there in wanted]
    for there in wanted:
        tried.append(there)
        seat_changes.check_all(replace(there, held=[*there.held, *added]), now, along=courseIDs)
        added.append(Registration(there.offer.course, there.offer.section, "enrolled"))
    for there in wanted:
        tried.append(there)
        if not there.offer.section.open_seats:
            raise SectionFull(there.offer.course.title, there.offer.key.section)


async def _taken(db: Database, user_id: int, session: Session | None = None) -> list[tuple[str, Term]]:
    """Return the courses that the student is enrolled in, in any term, each with its term."""
    known = {term.term: term for term in await stored_terms.find_all(db, session)}
    held = await enrollments.find_section_keys(db, user_id, session)
    return [(key.courseID, known[key.term]) for key in held if key.term in known]


async def _swap(db: Database, user_id: int, given_up: str, wanted: Offer, now: datetime) -> Seated:
    async def body(step: SeatTransaction) -> Seated:
        there = await seat_changes.load_student(step, user_id, wanted.key)
        found, held = there.offer, there.held
        old = await resolve.given_up_for(db, held, given_up, found)
        rules.check_open(found.term, now)
        rules.check_alone(old, found.term, held, there.taken, found.course.courseID)
        seat_changes.check(there, old)
        if not await seat_changes.take(step, user_id, "swap", there, old):
            raise SectionFull(found.course.title, found.key.section, can_wait=_can_wait(found.section))
        await seat_changes.promote_waitlists(step)
        return seat_changes.placed(step, found)

    held = await enrollments.find_in_term(db, user_id, wanted.key.term)
    old = [one.section.key for one in held if one.courseID == given_up]
    return await change_seats(db, user_id, now, [wanted.key, *old], body)


async def _full(db: Database, there: Standing, catalog: Catalog | None = None, given_up: str | None = None) -> Refused:
    """Return the refusal of a full section, with what the student can do instead, by the catalog if there is one."""
    wanted, key = there.offer, there.offer.key
    if there.place is not None:
        return AlreadyWaiting(wanted.course.title, there.place.key.section)
    held = [one for one in there.held if one.courseID != given_up]
    if catalog is None:
        offered: Sequence[Section] = await sections.find_all(db, [key.term], key.courseID)
    else:
        offered = catalog.sections_named(key.courseID, key.term)
    others = [
        section.section
        for section in offered
        if section.key != key and section.open_seats and rules.fits(wanted.term, wanted.course, section, held)
    ]
    moves = given_up == key.courseID
    lacks = not moves and rules.missing_corequisites(wanted.course, wanted.term, held, there.taken, there.waits_for)
    can_wait = _can_wait(wanted.section) and not lacks
    return SectionFull(wanted.course.title, key.section, can_wait=can_wait, others=others)


def _can_wait(section: Section) -> bool:
    return section.waiting < section.waitlist_capacity


async def refused(db: Database, user_id: int, action: str, key: SectionKey, now: datetime, refusal: Refused) -> Refused:
    """Record a refusal that the student may dispute, and return it as it is told."""
    if refusal.is_recorded:
        where = key.courseID, key.term, key.section
        await events.add_refusal(db, Event(now, user_id, user_id, action, *where, refusal.code))
    return await seat_changes.named(db, refusal)


def _enrolled(held: Sequence[Registration], course: Course, term: Term) -> Registration:
    for one in held:
        if one.courseID == course.courseID and one.status == "enrolled":
            return one
    raise NotEnrolled(course.title, term.term)
