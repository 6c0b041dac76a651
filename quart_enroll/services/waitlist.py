"""The waitlist: join the line for a section, leave it. Promotion is the business of `seats.settle`."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.errors import AlreadyWaiting, NotWaiting, Refused, SectionFull, UnknownCourse, WaitlistFull
from quart_enroll.models import SectionKey, Waiting, Wish
from quart_enroll.mongo import Database, Session
from quart_enroll.repositories import courses, sections, waitlist
from quart_enroll.services import enrollment, rules, seats, wishes
from quart_enroll.services.seats import Change, Offer
from quart_enroll.services.turnstile import change


@dataclass(frozen=True, slots=True)
class Joined:
    """Where a student waits now; `position` is None for who got a seat at once.

    One was open, or it came by a ring of swaps: then a notice tells of it. `old` is the seat that goes for it.
    """

    offer: Offer
    position: int | None
    of: int
    old: SectionKey | None = None
    by_ring: bool = False


class NoRing(Exception):
    """Nobody comes full circle: nothing must change."""


async def join(db: Database, user_id: int, wish: Wish, now: datetime, drop_if_enrolled: str | None = None) -> Joined:
    """Put the student at the end of the line, or into the seat if one is open.

    With `drop_if_enrolled` that course is given back in the moment of the promotion, and the rules are checked
    as if it were gone. Raises what `enrollment.enroll` raises, and AlreadyWaiting, WaitlistFull, NotEnrolled.
    """
    wanted = await wishes.section_meant(db, user_id, wish, now, drop_if_enrolled)

    async def body(session: Session) -> Joined:
        step = Change(db, session, now, user_id)
        held = await seats.guarded(step, user_id, wanted.key.term)
        found = await seats.offer(db, wanted.key, session)
        await _check_not_waiting(db, user_id, found, session)
        old = await wishes.given_up_for(db, held, drop_if_enrolled, found) if drop_if_enrolled else None
        kept = [one for one in held if one is not old]
        rules.check_new(found.term, found.course, kept)
        rules.check_open(found.term, now)
        if old is not None:
            rules.check_alone(old, held, found.course.courseID)
        await seats.check(step, user_id, found, kept)
        if found.section.open_seats:  # nobody who waits could take it: that is what an open seat means
            if not await seats.take(step, user_id, "swap" if old else "enroll", found, old):
                raise SectionFull(found.course.title, found.key.section)
            await seats.settle(step)
            return Joined(found, None, found.section.waiting)
        await seats.record(step, user_id, "join", found.key)
        # The line comes last, as the seat does: every other student of this section is waiting for this document.
        place = await sections.join_queue(db, found.key, session)
        if place is None:
            raise WaitlistFull(found.course.title, found.key.section)
        await waitlist.add(db, Waiting(user_id, found.key, place, now, drop_if_enrolled), session)
        last = found.section.waiting + 1
        return Joined(found, last, last, old.section.key if old else None)

    try:
        joined = await change(db, [wanted.key], body)
    except Refused as refusal:
        raise await enrollment.refused(db, user_id, "join", wanted.key, now, refusal) from None
    with suppress(NoRing):
        return await _settle_ring(db, user_id, joined, now)
    return joined


async def _settle_ring(db: Database, user_id: int, joined: Joined, now: datetime) -> Joined:
    """Let all move at once who wait, with linked swaps, each for a seat of the next; raise NoRing if nobody does.

    The student's old seat is given in advance to the first in line who can take it, and each who gives back
    another seat for it makes room for the next, as ever: so nobody is passed over. It holds when that leads back to
    the student. A transaction of its own, after the join: whoever joins last finds the places of all the others.
    """
    key, old = joined.offer.key, joined.old
    if old is None or not any(one.drop_if_enrolled for one in await waitlist.of_section(db, old)):
        raise NoRing

    async def body(session: Session) -> Joined:
        step = Change(db, session, now, user_id)
        held = await seats.guarded(step, user_id, key.term)
        place = await waitlist.find(db, user_id, key.term, key.courseID, session)
        if place is None or old not in [one.section.key for one in held if one.status == "enrolled"]:
            raise NoRing  # somebody else's ring was quicker
        await seats.lend(step, user_id, old)
        await seats.settle(step)
        if step.lent:
            raise NoRing
        return replace(joined, position=None, by_ring=True)

    return await change(db, [key, old], body)


async def leave(db: Database, user_id: int, wish: Wish, now: datetime) -> SectionKey:
    """Take the student out of the line; raise UnknownCourse, UnknownTerm, TermNeeded or NotWaiting."""
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    waits = await waitlist.terms_of(db, user_id, wish.courseID)
    term = await wishes.term_meant(db, wish, course.title, waits, now)
    if term is None:
        raise NotWaiting(course.title, "a term that still runs" if waits else "")

    async def body(session: Session) -> SectionKey:
        step = Change(db, session, now, user_id)
        await seats.guarded(step, user_id, term.term)
        waiting = await waitlist.find(db, user_id, term.term, course.courseID, session)
        if waiting is None:
            raise NotWaiting(course.title, term.term)
        await waitlist.remove(db, waiting, session)
        await sections.leave_queue(db, waiting.key, session)
        await seats.record(step, user_id, "leave", waiting.key)
        return waiting.key

    return await change(db, [], body)


async def _check_not_waiting(db: Database, user_id: int, wanted: Offer, session: Session) -> None:
    waiting = await waitlist.find(db, user_id, wanted.key.term, wanted.key.courseID, session)
    if waiting is not None:
        raise AlreadyWaiting(wanted.course.title, waiting.key.section)
