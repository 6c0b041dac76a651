"""What a student has in a term, as pages need it: seats, waitlist positions, courses taken, plans, alerts and so on."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from quart import session

from quart_enroll.db.client import DATABASE_UNAVAILABLE
from quart_enroll.domain import appointments, grades, holds, permits, requisite_rules
from quart_enroll.domain.actors import NO_OVERRIDES, Override
from quart_enroll.domain.appointments import Appointment
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.holds import Hold, HoldBlock
from quart_enroll.domain.models import (
    Registration,
    Section,
    SectionKey,
    TakenCourse,
    Term,
    User,
    WaitlistEntry,
    deleted_section,
)
from quart_enroll.domain.permits import Permit, RecordedPermit
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.services.enrollment import student
from quart_enroll.state import catalog, database, now, user_cache

POSITIONS = "waitlist_positions"
"""The key under which a snapshot keeps the positions."""


_GRADES = {"enrolled": "", "withdrawn": grades.WITHDRAWN}
"""The grades that the statuses of seats imply; the recorded one counts where it is empty."""


@dataclass(frozen=True, slots=True)
class WaitlistedSection:
    """A section for which a student is waitlisted, the position, from 1, and the length of the waitlist."""

    entry: WaitlistEntry
    position: int
    length: int


@dataclass(frozen=True, slots=True)
class StudentState:
    """What a student has in one term, and the courses taken in any term; a visitor has nothing, and `taken` is None.

    `fingerprint` is that of the student's snapshot. Changes that are `blocked` now have the hold that blocks them.
    The `permits` are those in effect now, used ones included, and `consent_requests` those that are open or declined.
    The `appointment` is the one for the term, and the `moment` the one of all this; a student who has nothing has none.
    """

    enrolled: Sequence[Registration] = ()
    waitlisted: Sequence[WaitlistedSection] = ()
    taken: Sequence[TakenCourse] | None = None
    planned: Set[SectionKey] = frozenset()
    alerts: Set[SectionKey] = frozenset()
    fingerprint: str = ""
    blocked: Mapping[HoldBlock, Hold] = field(default_factory=dict)
    permits: Sequence[Permit] = ()
    attributes: StudentAttributes = NO_ATTRIBUTES
    appointment: Appointment | None = None
    moment: datetime | None = None
    consent_requests: Mapping[SectionKey, RecordedPermit] = field(default_factory=dict)

    @property
    def signed_in(self) -> bool:
        return self.taken is not None

    def own_term(self, term: Term, overrides: Collection[Override] = NO_OVERRIDES) -> Term:
        """Return the term as it is for the student now, as `appointments.own_term` does, with these rules set aside."""
        if self.moment is None:
            return term
        if Override.APPOINTMENT in overrides:
            return appointments.with_own_limit(term, self.appointment, self.moment)
        return appointments.own_term(term, self.appointment, self.moment)

    def sees(self, section: Section) -> Section:
        """Return the section as the student sees it; a visitor sees only the seats that are open to everybody."""
        return section.seen_by(self.attributes) if self.signed_in else section

    def permitted(self, section: Section) -> frozenset[Override]:
        """Return what permits set aside for the section, besides the student's courses."""
        if not self.permits:
            return NO_OVERRIDES
        return permits.permitted(self.permits, section, [one.section for one in self.enrolled])

    def waitlist_position(self, key: SectionKey) -> WaitlistedSection | None:
        """Return the student's position on the waitlist of that section."""
        return next((one for one in self.waitlisted if one.entry.key == key), None)

    def waitlisted_section(self, courseID: str) -> str:
        """Return the number of the section of that course for which the student is waitlisted; empty for none."""
        return next((one.entry.key.section for one in self.waitlisted if one.entry.key.courseID == courseID), "")


async def load(user: User | None, term: Term, offered: Catalog, known: StudentSnapshot | None = None) -> StudentState:
    """Return what the visitor has in that term; the snapshot is loaded unless it is `known`."""
    if user is None:
        return StudentState()
    known = known or await load_snapshot(user.user_id)
    return build(known, user.attributes, term, offered, await load_waitlist_positions(user.user_id, known, [term]))


def build(
    known: StudentSnapshot,
    attributes: StudentAttributes,
    term: Term,
    offered: Catalog,
    waitlisted: Sequence[WaitlistedSection] = (),
) -> StudentState:
    """Return what the student has in that term according to the snapshot and the waitlist positions."""
    return StudentState(
        [one for one in _registrations(known, term, offered) if one.status == "enrolled"],
        waitlisted,
        taken_courses(known, offered),
        {key for key in known.planned if key.term == term.term},
        {key for key in known.alerts if key.term == term.term},
        known.fingerprint,
        blocked_changes(known),
        granted_permits(known, term),
        attributes,
        appointments.in_term(known.appointments, term),
        now(),
        permits.consent_requests(known.permits, term.term),
    )


def blocked_changes(known: StudentSnapshot) -> Mapping[HoldBlock, Hold]:
    """Return the changes that are blocked now, each with the hold that blocks it."""
    return holds.blocked_changes(known.holds, now()) if known.holds else {}


def granted_permits(known: StudentSnapshot, term: Term) -> tuple[Permit, ...]:
    """Return the permits for the term that are in effect now, used ones included."""
    return permits.granted_in(known.permits, term.term, now()) if known.permits else ()


def own_term(known: StudentSnapshot, term: Term) -> Term:
    """Return the term as it is for the student now."""
    return appointments.own_term(term, appointments.in_term(known.appointments, term), now())


def with_own_limit(known: StudentSnapshot, term: Term) -> Term:
    """Return the term with the credit limit that the student has now."""
    return appointments.with_own_limit(term, appointments.in_term(known.appointments, term), now())


async def load_snapshot(user_id: int) -> StudentSnapshot:
    """Return what is stored about the student, from this process's cache.

    A page that shows a message, to the student or to staff, follows a change, which another process may have made a
    moment ago. It reads the database.
    """
    if session.get("_flashes"):
        user_cache().students.invalidate(user_id)
    return await student.snapshot(user_cache(), user_id)


def past_terms(known: StudentSnapshot | None, offered: Catalog, moment: datetime) -> list[Term]:
    """Return the past terms in which the student has or had a seat or a waitlist position, the latest first."""
    if known is None:
        return []
    names = {seat.key.term for seat in known.seats} | {entry.key.term for entry in known.waiting}
    names -= {term.term for term in offered.active_terms(moment)}
    return [term for term in reversed(offered.terms) if term.term in names] if names else []


def snapshot_reader(user: User | None) -> Callable[[], Awaitable[StudentSnapshot | None]]:
    """Return a function that reads the student's snapshot long after the request.

    It returns None for a visitor and while the database is unavailable.
    """
    users = user_cache()
    user_id = None if user is None else user.user_id

    async def read() -> StudentSnapshot | None:
        if user_id is None:
            return None
        try:
            return await student.snapshot(users, user_id)
        except DATABASE_UNAVAILABLE:
            return None

    return read


async def load_waitlist_positions(
    user_id: int, known: StudentSnapshot, terms: Sequence[Term]
) -> list[WaitlistedSection]:
    """Return the student's waitlist positions in those terms.

    They change when other students leave a waitlist, which changes the section too; until then, they are kept with the
    snapshot.
    """
    entries = [one for term in terms for one in known.waiting if one.key.term == term.term]
    if not entries:
        return []
    offered = await catalog()  # before the positions: a later change replaces the section in the next catalog
    sections = [one for entry in known.waiting for one in offered.sections_in(entry.key.courseID, entry.key.term)]
    cached, positions = known.derived.get(POSITIONS, ((), {}))
    if list(map(id, cached)) != list(map(id, sections)):  # a section that was read again may equal the one before
        positions = await student.waitlist_positions(database(), user_id)
        known.derived[POSITIONS] = sections, positions
    return [WaitlistedSection(one, *positions[one.key]) for one in entries if one.key in positions]


def _registrations(known: StudentSnapshot, term: Term, offered: Catalog) -> Iterator[Registration]:
    """Yield the student's seats in that term; a seat in a deleted section has no meetings."""
    for seat in known.seats:
        if seat.key.term != term.term or (course := offered.find(seat.key.courseID)) is None:
            continue
        yield offered.registration_of(seat) or Registration(course, deleted_section(seat.key), seat.shown_status)


def taken_courses(known: StudentSnapshot, offered: Catalog) -> list[TakenCourse]:
    """Return every course that the student takes or ever took, and those that they count as."""
    terms = {term.term: term for term in offered.terms}
    seats = [seat for seat in known.seats if seat.status in _GRADES and seat.key.term in terms]
    taken = [TakenCourse(seat.key.courseID, terms[seat.key.term], _GRADES[seat.status] or seat.grade) for seat in seats]
    return requisite_rules.with_equivalents(taken, offered.course_index.counted_as)
