"""What happens to seats inside one transaction: taken, given back, and promoted to whoever waits."""

from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import alerts, courses, enrollments, events, notices, schedules, sections, waitlist
from quart_enroll.db.queries import section_facts
from quart_enroll.db.queries.section_facts import SectionFacts, StudentRecord
from quart_enroll.domain import rules
from quart_enroll.domain.errors import (
    AccountGone,
    CorequisiteMissing,
    PrerequisiteMissing,
    Refused,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
)
from quart_enroll.domain.models import Course, Event, Notice, Registration, Section, SectionKey, Term, WaitlistEntry


@dataclass(frozen=True, slots=True)
class SeatTransaction:
    """One transaction: who does it, when, and what it has set free so far.

    `freed` are sections where a seat may be open, `able` students who gave something back, or took what another course
    needs, and may fit now where they wait in that term. `settle` must come last. `left` are the lines
    that somebody left for a seat in another section of the course; `lines` those that somebody joined or left, or in
    which somebody may be able or unable now. `lent` are the sections with a seat that was open before anybody gave it
    back: while there is one the change must not be kept. `gave` says who gave back which seat, `spare` where one was
    left over when the line was through. `promoted` has the promotions, in their order.
    """

    db: Database
    session: Session | None
    now: datetime
    actor: int
    freed: deque[SectionKey] = field(default_factory=deque)
    able: deque[tuple[int, str]] = field(default_factory=deque)
    left: list[SectionKey] = field(default_factory=list)
    lines: set[SectionKey] = field(default_factory=set)
    lent: set[SectionKey] = field(default_factory=set)
    gave: set[tuple[int, SectionKey]] = field(default_factory=set)
    spare: set[SectionKey] = field(default_factory=set)
    promoted: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Offer:
    """A section with what the rules need to know of it."""

    term: Term
    course: Course
    section: Section

    @property
    def key(self) -> SectionKey:
        return self.section.key


@dataclass(frozen=True, slots=True)
class Standing:
    """What is offered under a section's name, what a student has in its term, waits for in any, and took when."""

    offer: Offer
    held: list[Registration]
    lines: list[WaitlistEntry]
    taken: list[tuple[str, Term]]

    @property
    def place(self) -> WaitlistEntry | None:
        """The student's place in a line of this course in this term, of whichever section."""
        course = self.offer.key.term, self.offer.key.courseID
        return next((one for one in self.lines if (one.key.term, one.key.courseID) == course), None)

    @property
    def waits_for(self) -> list[str]:
        """The courses for which the student waits in this term."""
        return [one.key.courseID for one in self.lines if one.key.term == self.offer.key.term]


@dataclass(frozen=True, slots=True)
class Seated:
    """The seat that a student took, and the number of another section whose line the student left for it."""

    offer: Offer
    left: str = ""


def placed(change: SeatTransaction, wanted: Offer) -> Seated:
    """Return the seat that was taken in this change."""
    return Seated(wanted, change.left[0].section if change.left else "")


async def offer(db: Database, key: SectionKey, session: Session | None = None) -> Offer:
    """Return what is offered under that name; raise UnknownTerm, UnknownCourse or UnknownSection."""
    return _offer(key, await section_facts.find(db, key, session))


async def load_student(change: SeatTransaction, user_id: int, key: SectionKey) -> Standing:
    """Return all that the rules ask about before the student takes that seat; raise what `standings` returns.

    Until `take`, or a `guard`, nothing keeps the student from doing something else meanwhile. What is written then
    makes sure of it: where anything has changed since, the transaction runs again.
    """
    [there] = await load_students(change.db, [(user_id, key)], change.session)
    if isinstance(there, Refused):
        raise there
    return there


async def load_students(
    db: Database, wanted: Sequence[tuple[int, SectionKey]], session: Session | None
) -> list[Standing | Refused]:
    """Return the standing of each student who wants a section, or what `offer` raises, or AccountGone."""
    found = await section_facts.find_for_all(db, wanted, session)
    return [_standing(key, *one) for (_, key), one in zip(wanted, found, strict=True)]


def _standing(key: SectionKey, found: SectionFacts, theirs: StudentRecord) -> Standing | Refused:
    if theirs.is_closed:
        return AccountGone()
    try:
        return Standing(_offer(key, found), theirs.registrations, theirs.waitlist_entries, theirs.taken)
    except (UnknownTerm, UnknownCourse, UnknownSection) as refusal:
        return refusal


def _offer(key: SectionKey, found: SectionFacts) -> Offer:
    if found.term is None:
        raise UnknownTerm(key.term, [])
    if found.course is None:
        raise UnknownCourse(key.courseID)
    if found.section is None:
        raise UnknownSection(found.course.title, key.section, key.term)
    return Offer(found.term, found.course, found.section)


async def bump_version(change: SeatTransaction, user_id: int, term: str) -> None:
    """Let the student do nothing else in that term meanwhile."""
    await schedules.bump_version(change.db, user_id, term, change.session)


def check_all(there: Standing, now: datetime, along: Collection[str] = ()) -> None:
    """Raise the first reason why the student may not have the section now, open or full; what is done comes first."""
    rules.check_new(there.offer.term, there.offer.course, there.held)
    rules.check_open(there.offer.term, now)
    check(there, along=along)


def check(there: Standing, old: Registration | None = None, along: Collection[str] = ()) -> None:
    """Raise the first reason why the student may not have the section, for an `old` seat if there is one.

    The courses `along` count as corequisites besides what the student has.
    """
    wanted, given_up = there.offer, [old] if old else []
    rules.check_may_have(wanted.term, wanted.course, wanted.section, there.held, there.taken, given_up, along)


async def named(db: Database, refusal: Refused, session: Session | None = None) -> Refused:
    """Return the refusal with what courses are called that it knew by their numbers alone."""
    if not isinstance(refusal, PrerequisiteMissing | CorequisiteMissing):
        return refusal
    names = await courses.find_names(db, refusal.missing, session)
    return type(refusal)(refusal.title, refusal.missing, names)


async def take(
    change: SeatTransaction, user_id: int, action: str, there: Standing, old: Registration | None = None
) -> Event | None:
    """Take the seat for the student, for an `old` one if there is one; return None when none is open, and abort then.

    Another section of the same course is a swap and nothing else: the course stays, so nothing is withdrawn.
    The seat comes last: every other student of this section is waiting for this document.
    """
    event = await _take_but_for_the_seat(change, user_id, action, there, old)
    return event if await sections.take_seat(change.db, there.offer.key, change.session) else None


async def take_all(change: SeatTransaction, user_id: int, action: str, wanted: Sequence[Standing]) -> None:
    """Take the seats, all of which must be open; the sections come last, as in `take`."""
    for there in wanted:
        await _take_but_for_the_seat(change, user_id, action, there, None)
    if not await sections.take_seats(change.db, Counter(there.offer.key for there in wanted), change.session):
        raise RuntimeError("A seat that was open in this transaction is gone.")


async def _take_but_for_the_seat(
    change: SeatTransaction, user_id: int, action: str, there: Standing, old: Registration | None
) -> Event:
    db, session, wanted = change.db, change.session, there.offer
    key = wanted.key
    moved = old is not None and old.courseID == key.courseID
    if old is not None:
        await (_free(change, user_id, old.section.key) if moved else give_back(change, user_id, wanted.term, old))
    await schedules.bump_version(db, user_id, key.term, session, more=0 if moved else wanted.course.credits)
    await enrollments.put(db, user_id, key, change.now, session)
    await leave_lines(change, user_id, key, there.lines)
    return await record(change, user_id, action, key, from_section=old.section.section if old and moved else "")


async def leave_lines(change: SeatTransaction, user_id: int, key: SectionKey, lines: Sequence[WaitlistEntry]) -> None:
    """Take who has a seat now out of the course's line, unless the place there is for a swap within the course.

    What they wait for elsewhere may be what they can take now: then it is tried again.
    """
    db, session = change.db, change.session
    beside = [one.key.courseID for one in lines if one.key.term == key.term and one.key.courseID != key.courseID]
    if beside and await courses.is_corequisite(db, key.courseID, beside, session):
        change.able.append((user_id, key.term))
    for waiting in lines:
        change.lines.add(waiting.key)
        if waiting.key.term != key.term:  # the course may be what another one needs
            await bump_version(change, user_id, waiting.key.term)
            change.able.append((user_id, waiting.key.term))
        elif waiting.key == key or (waiting.key.courseID == key.courseID != waiting.drop_if_enrolled):
            await waitlist.remove(db, waiting, session)
            await sections.leave_waitlist(db, waiting.key, session)
            if waiting.key != key:
                await record(change, user_id, "leave", waiting.key)
                change.left.append(waiting.key)


async def give_back(change: SeatTransaction, user_id: int, term: Term, held: Registration) -> str:
    """Give back the seat, by the time with or without a trace; return what is recorded: "drop" or "withdraw"."""
    db, session, key = change.db, change.session, held.section.key
    withdrawn = rules.leaves_a_trace(term, held.course, change.now)
    await (enrollments.withdraw if withdrawn else enrollments.remove)(db, user_id, key, session)
    await schedules.bump_version(db, user_id, key.term, session, more=-held.course.credits)
    await _free(change, user_id, key)
    action = "withdraw" if withdrawn else "drop"
    await record(change, user_id, action, key)
    return action


async def lend(change: SeatTransaction, key: SectionKey) -> None:
    """Let a seat be open already that somebody must give back before the end."""
    change.lent.add(key)
    await _open(change, key)


async def _open(change: SeatTransaction, key: SectionKey) -> None:
    await sections.release_seat(change.db, key, change.session)
    change.freed.append(key)


async def _free(change: SeatTransaction, user_id: int, key: SectionKey) -> None:
    """Let the student's seat be open; where one was lent, it is that one."""
    if key in change.lent:
        change.lent.remove(key)
    else:
        await _open(change, key)
    change.gave.add((user_id, key))
    change.able.append((user_id, key.term))


async def record(
    change: SeatTransaction, user_id: int, action: str, key: SectionKey, *, result: str = "ok", from_section: str = ""
) -> Event:
    """Write what happened."""
    event = Event(change.now, change.actor, user_id, action, key.courseID, key.term, key.section, result, from_section)
    await events.add(change.db, event, change.session)
    return event


async def promote_waitlists(change: SeatTransaction) -> None:
    """Promote until an open seat means that nobody who could take it is waiting; tell who asked of seats left over.

    A promoted student may give back another seat, and so on; each step takes somebody out of a line, so it ends.
    """
    while change.freed or change.able:
        if change.freed:
            await _fill(change, change.freed.popleft())
        else:
            await _try_again(change)
    for key in sorted(change.spare):
        await _tell(change, key)


async def promote_all_waitlists(change: SeatTransaction) -> None:
    """Settle every section that has an open seat and a line, or somebody who asked to be told of a seat."""
    change.freed.extend(await sections.find_promotable(change.db, change.session))
    change.freed.extend(await alerts.find_sections(change.db, change.session))
    await promote_waitlists(change)


async def _fill(change: SeatTransaction, key: SectionKey) -> None:
    section = await sections.find(change.db, key, change.session)
    if section is None or not section.open_seats:
        return
    line = await waitlist.find_by_section(change.db, key, change.session) if section.waiting else []
    for waiting in line:
        if not await _promote(change, waiting):
            break
    else:
        change.spare.add(key)


async def _tell(change: SeatTransaction, key: SectionKey) -> None:
    """Tell everybody who asked that a seat is open, if it is so still, and forget that they asked.

    Who has a seat there meanwhile, waits in line or has just given back this seat need not be told.
    """
    asking = await alerts.find_students(change.db, key, change.session)
    if not asking:
        return
    try:
        opened = await offer(change.db, key, change.session)
    except (UnknownTerm, UnknownCourse, UnknownSection):
        return
    if not opened.section.open_seats or not opened.term.is_open(change.now):
        return
    knows = await enrollments.find_enrolled(change.db, key, asking, change.session)
    knows |= {waiting.user_id for waiting in await waitlist.find_by_section(change.db, key, change.session)}
    knows |= {user_id for user_id, given in change.gave if given == key}
    where = key.courseID, opened.course.title, key.term, key.section
    stories = [Notice(change.now, user_id, "alert", *where) for user_id in asking if user_id not in knows]
    await alerts.remove_all(change.db, key, asking, change.session)
    await notices.add_all(change.db, stories, change.session)


async def _try_again(change: SeatTransaction) -> None:
    """Try the places of everybody who may be able now; of two in one line, who joined first comes first."""
    able = list(dict.fromkeys(change.able))
    change.able.clear()
    found = [
        waiting
        for user_id, term in able
        for waiting in await waitlist.find_in_term(change.db, user_id, term, change.session)
    ]
    change.lines.update(waiting.key for waiting in found)
    for waiting in sorted(found, key=lambda waiting: (waiting.key, waiting.place)):
        await _promote(change, waiting)


async def _promote(change: SeatTransaction, waiting: WaitlistEntry) -> bool:
    """Give the waiting student the seat if there is one and the rules allow it; return whether the next may try."""
    try:
        there = await load_student(change, waiting.user_id, waiting.key)
    except (UnknownTerm, UnknownCourse, UnknownSection):
        return False  # a line for what is gone; `check-seats` tells of it
    except AccountGone:
        return True  # so is who waits: the next one may have it
    wanted, held = there.offer, there.held
    if not wanted.section.open_seats or not wanted.term.promotes(change.now):
        return False
    linked = [one for one in held if one.courseID == waiting.drop_if_enrolled and one.status == "enrolled"]
    old = linked[0] if linked else None
    try:
        if old is not None:
            rules.check_alone(old, wanted.term, held, there.taken, wanted.course.courseID)
        check(there, old)
    except Refused as refusal:
        await _skip(change, waiting, wanted, await named(change.db, refusal, change.session))
        return True
    event = await take(change, waiting.user_id, "promote", there, old)
    if event is None:
        raise RuntimeError(f"The seat of {waiting.key} that was open in this transaction is gone.")
    change.promoted.append(event)
    await notices.add(change.db, Notice.of(event, wanted.course.title), change.session)
    return True


async def _skip(change: SeatTransaction, waiting: WaitlistEntry, wanted: Offer, refusal: Refused) -> None:
    """Keep the student's place, and say why the seat went on to the next; once for each reason.

    Who changes in this moment what was the reason must try this line again: so the guard is written in any case.
    """
    await bump_version(change, waiting.user_id, waiting.key.term)
    if waiting.skipped_because == refusal.message:
        return
    await waitlist.record_skip(change.db, waiting, refusal.message, change.session)
    event = await record(change, waiting.user_id, "skip", waiting.key, result=refusal.code)
    await notices.add(change.db, Notice.of(event, wanted.course.title, refusal.message), change.session)
