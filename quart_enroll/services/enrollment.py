"""Enrollment: take a seat, give it back, swap it; each is one transaction."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.errors import (
    AlreadyEnrolled,
    AlreadyWaiting,
    DropClosed,
    NotEnrolled,
    NotTaught,
    Refused,
    SectionFull,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
)
from quart_enroll.models import Course, Held, Section, SectionKey, Term, Wish
from quart_enroll.mongo import Database, Session
from quart_enroll.repositories import courses, enrollments, sections, waitlist
from quart_enroll.repositories import terms as stored_terms
from quart_enroll.services import rules, seats, terms
from quart_enroll.services.seats import Change, Offer
from quart_enroll.services.turnstile import change

UNDISPUTED = (AlreadyEnrolled, AlreadyWaiting, NotEnrolled, NotTaught, UnknownCourse, UnknownSection, UnknownTerm)
"""Refusals that only tell what is: nothing is recorded of them."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a drop took off the schedule; `action` is "drop" (no trace) or "withdraw"."""

    courses: tuple[Course, ...]
    term: str
    action: str


async def enroll(db: Database, user_id: int, wish: Wish, now: datetime) -> Offer:
    """Give the student a seat; all the same how often or from how many tabs it is asked for.

    Raises the reason to refuse: UnknownCourse, UnknownTerm, UnknownSection, NotTaught, NotOpenYet, Closed,
    AlreadyEnrolled, AlreadyWaiting, TimeConflict, CreditLimit, PrerequisiteMissing, SectionFull.
    """
    options = await _options(db, user_id, wish, now)
    for wanted in options:
        try:
            return await _take(db, user_id, wanted, now)
        except SectionFull:
            if wanted is options[-1]:
                raise await refused(
                    db, user_id, "enroll", wanted.key, now, await _full(db, user_id, wanted, now)
                ) from None
        except Refused as refusal:
            raise await refused(db, user_id, "enroll", wanted.key, now, refusal) from None
    raise AssertionError("There is always an option.")


async def drop(db: Database, user_id: int, wish: Wish, now: datetime, *, with_corequisites: bool = False) -> GivenBack:
    """Give back the student's seat, and promote who waits for it.

    Raises UnknownCourse, NotEnrolled, DropClosed; CorequisitesWouldGo when courses that need this one would go
    too and `with_corequisites` does not say yes to that.
    """
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    term = await term_of(db, wish, await enrollments.terms_of(db, user_id, wish.courseID), now)

    async def body(session: Session) -> GivenBack:
        step = Change(db, session, now, user_id)
        held = await seats.guarded(step, user_id, term.term)
        first = _enrolled(held, course, term)
        along = rules.going_along(course.courseID, held)
        if not with_corequisites:
            rules.check_alone(first, held)
        actions = [await _give_back(step, user_id, term, one) for one in (first, *along)]
        await seats.settle(step)
        return GivenBack(tuple(one.course for one in (first, *along)), term.term, actions[0])

    held = await enrollments.held_by(db, user_id, term.term)
    keys = [one.section.key for one in held if one.courseID == course.courseID]
    try:
        return await change(db, keys, body)
    except DropClosed as refusal:
        raise await refused(db, user_id, "drop", keys[0], now, refusal) from None


async def swap(db: Database, user_id: int, given_up: str, wish: Wish, now: datetime) -> Offer:
    """Give the student another seat for the one in course `given_up`; whatever fails, that one stays.

    The rules are checked as if the old course were gone. Raises what `enroll` raises, and NotEnrolled.
    """
    options = await _options(db, user_id, wish, now, given_up)
    for wanted in options:
        try:
            return await _swap(db, user_id, given_up, wanted, now)
        except SectionFull:
            if wanted is options[-1]:
                full = await _full(db, user_id, wanted, now, given_up)
                raise await refused(db, user_id, "swap", wanted.key, now, full) from None
        except Refused as refusal:
            raise await refused(db, user_id, "swap", wanted.key, now, refusal) from None
    raise AssertionError("There is always an option.")


async def _take(db: Database, user_id: int, wanted: Offer, now: datetime) -> Offer:
    async def body(session: Session) -> Offer:
        step = Change(db, session, now, user_id)
        held = await seats.guarded(step, user_id, wanted.key.term)
        found = await seats.offer(db, wanted.key, session)
        rules.check_open(found.term, now)
        await seats.check(step, user_id, found, held)
        await seats.record(step, user_id, "enroll", found.key)
        if not await seats.take(step, user_id, found):
            raise SectionFull(found.course.title, found.key.section)
        await seats.settle(step)
        return found

    async def look() -> None:
        section = await sections.find(db, wanted.key)
        if section is None or not section.open_seats:
            raise SectionFull(wanted.course.title, wanted.key.section)

    # Where nothing can be taken nothing is begun: a crowd before a full section only reads.
    with suppress(SectionFull):
        if wanted.section.open_seats:
            return await change(db, [wanted.key], body, look=look)
    rules.check_open(wanted.term, now)
    held = await enrollments.held_by(db, user_id, wanted.key.term)
    await seats.check(Change(db, None, now, user_id), user_id, wanted, held)
    raise SectionFull(wanted.course.title, wanted.key.section)


async def _swap(db: Database, user_id: int, given_up: str, wanted: Offer, now: datetime) -> Offer:
    async def body(session: Session) -> Offer:
        step = Change(db, session, now, user_id)
        held = await seats.guarded(step, user_id, wanted.key.term)
        found = await seats.offer(db, wanted.key, session)
        old = await given_up_for(db, held, given_up, found)
        rules.check_open(found.term, now)
        rules.check_alone(old, held, found.course.courseID)
        await seats.check(step, user_id, found, [one for one in held if one is not old])
        await _give_back(step, user_id, found.term, old)
        await seats.record(step, user_id, "swap", found.key)
        if not await seats.take(step, user_id, found):
            raise SectionFull(found.course.title, found.key.section, can_wait=_can_wait(found.section))
        await seats.settle(step)
        return found

    held = await enrollments.held_by(db, user_id, wanted.key.term)
    old = [one.section.key for one in held if one.courseID == given_up]
    return await change(db, [wanted.key, *old], body)


async def given_up_for(db: Database, held: Sequence[Held], given_up: str, wanted: Offer) -> Held:
    """Return what the student gives up for the other seat; a swap that was done before says so."""
    for one in held:
        if one.courseID == given_up and one.status == "enrolled":
            if one.section.key == wanted.key:
                raise AlreadyEnrolled(wanted.course.title, wanted.term.term)
            return one
    rules.check_fits(
        wanted.term, wanted.course, wanted.section, [one for one in held if one.courseID == wanted.course.courseID]
    )
    course = await courses.find(db, given_up)
    raise NotEnrolled(course.title if course else given_up, wanted.term.term)


async def _options(db: Database, user_id: int, wish: Wish, now: datetime, given_up: str | None = None) -> list[Offer]:
    """Return the sections to try in turn: the one that was named, else those with a seat that fits, by number."""
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    known = await stored_terms.find_all(db)
    offered = await sections.find_all(db, [term.term for term in known], wish.courseID)
    term = terms.choose(course, known, {section.term for section in offered}, wish.term, now)
    found = [Offer(term, course, section) for section in offered if section.term == term.term]
    if wish.section:
        found = [option for option in found if option.section.section == wish.section]
        if not found:
            raise UnknownSection(course.title, wish.section, term.term)
        return found
    held = [one for one in await enrollments.held_by(db, user_id, term.term) if one.courseID != given_up]
    fitting = [option for option in found if rules.fits(term, course, option.section, held)]
    with_seat = [option for option in fitting if option.section.open_seats]
    return with_seat or fitting[:1] or [option for option in found if option.section.open_seats][:1] or found[:1]


async def _full(db: Database, user_id: int, wanted: Offer, now: datetime, given_up: str | None = None) -> Refused:
    """Return the refusal of a full section, with what the student can do instead."""
    key = wanted.key
    waiting = await waitlist.find(db, user_id, key.term, key.courseID)
    if waiting is not None:
        return AlreadyWaiting(wanted.course.title, waiting.key.section)
    held = [one for one in await enrollments.held_by(db, user_id, key.term) if one.courseID != given_up]
    others = [
        section.section
        for section in await sections.find_all(db, [key.term], key.courseID)
        if section.open_seats and rules.fits(wanted.term, wanted.course, section, held)
    ]
    return SectionFull(wanted.course.title, key.section, can_wait=_can_wait(wanted.section), others=others)


def _can_wait(section: Section) -> bool:
    return section.waiting < section.waitlist_capacity


async def refused(db: Database, user_id: int, action: str, key: SectionKey, now: datetime, refusal: Refused) -> Refused:
    """Record a refusal that the student may dispute, and return it."""
    if not isinstance(refusal, UNDISPUTED):
        await seats.record(Change(db, None, now, user_id), user_id, action, key, refusal.code)
    return refusal


async def wanted_section(db: Database, user_id: int, wish: Wish, now: datetime, given_up: str | None) -> Offer:
    """Return the section that the student means, the best of them when none is named."""
    return (await _options(db, user_id, wish, now, given_up))[0]


async def term_of(db: Database, wish: Wish, has: Collection[str], now: datetime) -> Term:
    """Return the term that the student means: the named one, else of those where the student `has` the course."""
    known = await stored_terms.find_all(db)
    if wish.term:
        meant = [term for term in terms.named(wish.term, terms.coming(known, now)) if term.term in has]
        return meant[0] if meant else terms.find(wish.term, known, now)
    running = [term for term in known if term.term in has and now < term.withdraw_deadline]
    return (running or [term for term in known if term.term in has] or [terms.current(known, now)])[0]


def _enrolled(held: Sequence[Held], course: Course, term: Term) -> Held:
    for one in held:
        if one.courseID == course.courseID and one.status == "enrolled":
            return one
    raise NotEnrolled(course.title, term.term)


async def _give_back(step: Change, user_id: int, term: Term, held: Held) -> str:
    action = await seats.give_back(step, user_id, term, held)
    await seats.record(step, user_id, action, held.section.key)
    return action
