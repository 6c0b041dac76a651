"""The waitlist: join the line for a section, leave it. Promotion is the business of `seats.settle`."""

from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, sections, waitlist
from quart_enroll.domain import rules
from quart_enroll.domain.errors import (
    AlreadyWaiting,
    NotWaiting,
    Refused,
    SectionFull,
    UnknownCourse,
    WaitlistFull,
    WaitlistOver,
)
from quart_enroll.domain.models import SectionKey, SectionRequest, WaitlistEntry
from quart_enroll.observability import metrics
from quart_enroll.services.enrollment import batching, enroll, resolve, seat_changes, swap_cycles
from quart_enroll.services.enrollment.batching import Waitlisted
from quart_enroll.services.enrollment.seat_changes import Offer, Seated, SeatTransaction
from quart_enroll.services.enrollment.swap_cycles import change_seats


@dataclass(frozen=True, slots=True)
class Joined:
    """Where a student waits now; `position` is None for who got a seat at once.

    One was open, or it came by a ring of swaps: then a notice tells of it.
    """

    offer: Offer
    position: int | None
    of: int
    by_ring: bool = False


@metrics.count_change("join")
async def join(
    db: Database, user_id: int, wish: SectionRequest, now: datetime, drop_if_enrolled: str | None = None
) -> Joined:
    """Put the student at the end of the line, or into the seat if one is open.

    With `drop_if_enrolled` that course is given back in the moment of the promotion, and the rules are checked
    as if it were gone. A corequisite for which the student waits too will do: the one seat can come after the other.
    Raises what `enrollment.enroll` raises, and AlreadyWaiting, WaitlistFull, NotEnrolled.
    """
    wanted = await resolve.section_meant(db, user_id, wish, now, drop_if_enrolled)

    async def body(step: SeatTransaction) -> Joined:
        there = await seat_changes.load_student(step, user_id, wanted.key)
        found, held = there.offer, there.held
        if there.place is not None:
            raise AlreadyWaiting(found.course.title, there.place.key.section)
        old = await resolve.given_up_for(db, held, drop_if_enrolled, found) if drop_if_enrolled else None
        kept = [one for one in held if one is not old]
        rules.check_new(found.term, found.course, kept)
        rules.check_open(found.term, now)
        if old is not None:
            rules.check_alone(old, found.term, held, there.taken, found.course.courseID)
        seat_changes.check(there, old, along=() if found.section.open_seats else there.waits_for)
        if found.section.open_seats:  # nobody who waits could take it: that is what an open seat means
            if not await seat_changes.take(step, user_id, "swap" if old else "enroll", there, old):
                raise SectionFull(found.course.title, found.key.section)
            await seat_changes.promote_waitlists(step)
            return Joined(found, None, found.section.waiting)
        await seat_changes.bump_version(step, user_id, found.key.term)
        await seat_changes.record(step, user_id, "join", found.key)
        # The line comes last, as the seat does: every other student of this section is waiting for this document.
        place = await sections.join_waitlist(db, found.key, step.session)
        if place is None:
            raise WaitlistFull(found.course.title, found.key.section)
        await waitlist.add(db, WaitlistEntry(user_id, found.key, place, now, drop_if_enrolled), step.session)
        step.lines.add(found.key)
        last = found.section.waiting + 1
        return Joined(found, last, last)

    try:
        if drop_if_enrolled is None:
            match await batching.board(db, user_id, wanted.key, now, lines_up=True):
                case Waitlisted(found, position):
                    return Joined(found, position, position)
                case Seated(found):
                    return Joined(found, None, found.section.waiting)
        joined = await change_seats(db, user_id, now, [wanted.key], body)
    except Refused as refusal:
        waiting = (
            await waitlist.find(db, user_id, *_course(wanted.key)) if isinstance(refusal, AlreadyWaiting) else None
        )
        if waiting:  # the process that let them join may have died before it came to the ring
            await swap_cycles.complete_cycles(db, user_id, now, [waiting.key])
        raise await enroll.refused(db, user_id, "join", wanted.key, now, refusal) from None
    if drop_if_enrolled and joined.position and not await waitlist.find(db, user_id, *_course(wanted.key)):
        return replace(joined, position=None, by_ring=True)
    return joined


@metrics.count_change("leave")
async def leave(db: Database, user_id: int, wish: SectionRequest, now: datetime) -> SectionKey:
    """Take the student out of the line; raise UnknownCourse, UnknownTerm, TermNeeded or NotWaiting."""
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    waits = await waitlist.find_terms(db, user_id, wish.courseID)
    term = await resolve.term_meant(db, wish, course.title, waits, now)
    if term is None:
        raise WaitlistOver(course.title) if waits else NotWaiting(course.title)

    async def body(step: SeatTransaction) -> SectionKey:
        await seat_changes.bump_version(step, user_id, term.term)
        waiting = await waitlist.find(db, user_id, term.term, course.courseID, step.session)
        if waiting is None:
            raise NotWaiting(course.title, term.term)
        await waitlist.remove(db, waiting, step.session)
        await sections.leave_waitlist(db, waiting.key, step.session)
        step.lines.add(waiting.key)
        await seat_changes.record(step, user_id, "leave", waiting.key)
        return waiting.key

    return await change_seats(db, user_id, now, [], body)


def _course(key: SectionKey) -> tuple[str, str]:
    return key.term, key.courseID
