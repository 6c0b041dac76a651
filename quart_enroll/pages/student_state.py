"""Where a student stands in a term: has, waits for, has taken before."""

from collections.abc import Awaitable, Callable, Iterator, Sequence, Set
from dataclasses import dataclass

from quart import session

from quart_enroll.db.client import DATABASE_UNAVAILABLE
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Registration, SectionKey, Term, User, WaitlistEntry, deleted_section
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.services.enrollment import student
from quart_enroll.state import database, user_cache


@dataclass(frozen=True, slots=True)
class Place:
    """Where a student waits; `position` counts from 1."""

    waiting: WaitlistEntry
    position: int
    of: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The courses with a seat, the places in lines, what was taken in any term, and the sections that are planned or
    have an alert; nothing of a visitor. `sign` is that of the student's Facts."""

    enrolled: Sequence[Registration] = ()
    places: Sequence[Place] = ()
    taken: Sequence[tuple[str, Term]] | None = None
    planned: Set[SectionKey] = frozenset()
    alerts: Set[SectionKey] = frozenset()
    sign: str = ""

    @property
    def signed_in(self) -> bool:
        return self.taken is not None

    def place(self, key: SectionKey) -> Place | None:
        """Return where the student waits for that section."""
        return next((place for place in self.places if place.waiting.key == key), None)

    def waits_for(self, courseID: str) -> str:
        """Return the number of the section of that course for which the student waits, or nothing."""
        return next((one.waiting.key.section for one in self.places if one.waiting.key.courseID == courseID), "")


async def in_term(user: User | None, term: Term, offered: Catalog, known: StudentSnapshot | None = None) -> Standing:
    """Find out where the visitor stands in that term, of whom that is `known` already."""
    if user is None:
        return Standing()
    known = known or await facts(user.user_id)
    return of(known, term, offered, await places(user.user_id, known, [term]))


def of(known: StudentSnapshot, term: Term, offered: Catalog, waits: Sequence[Place] = ()) -> Standing:
    """Return where the student stands in that term, who `waits` there as told."""
    return Standing(
        [one for one in _held(known, term, offered) if one.status == "enrolled"],
        waits,
        _taken(known, offered),
        {key for key in known.planned if key.term == term.term},
        {key for key in known.alerts if key.term == term.term},
        known.fingerprint,
    )


async def facts(user_id: int) -> StudentSnapshot:
    """Return what is stored about the student, as this process remembers it.

    A page that has something to say follows a change that another process may have made a moment ago: it is read.
    """
    memory = user_cache().students
    if session.get("_flashes"):
        memory.invalidate(user_id)
    return await student.snapshot(database(), memory, user_id)


def sign_of(user: User | None) -> Callable[[str], Awaitable[str]]:
    """Return what tells, long after the request, the sign of the student's Facts. It is given the one that was told
    last, and tells that again of a visitor, and while the database is away."""
    db, memory = database(), user_cache().students

    async def sign_now(told: str) -> str:
        if user is None:
            return told
        try:
            return (await student.snapshot(db, memory, user.user_id)).fingerprint
        except DATABASE_UNAVAILABLE:
            return told

    return sign_now


async def places(user_id: int, known: StudentSnapshot, terms: Sequence[Term]) -> list[Place]:
    """Return where the student waits in those terms. Others move in the lines too: how far is always read."""
    waiting = [one for term in terms for one in known.waiting if one.key.term == term.term]
    if not waiting:
        return []
    positions = await student.waitlist_positions(database(), user_id)
    return [Place(one, *positions[one.key]) for one in waiting if one.key in positions]


def _held(known: StudentSnapshot, term: Term, offered: Catalog) -> Iterator[Registration]:
    """Give what the student has in that term; a seat in a section that was deleted is one without meetings."""
    for seat in known.seats:
        if seat.key.term != term.term or (course := offered.find(seat.key.courseID)) is None:
            continue
        yield offered.registration_of(seat) or Registration(course, deleted_section(seat.key), seat.shown_status)


def _taken(known: StudentSnapshot, offered: Catalog) -> list[tuple[str, Term]]:
    """Return the courses that the student was ever enrolled in, each with its term."""
    terms = {term.term: term for term in offered.terms}
    seats = [seat.key for seat in known.seats if seat.status == "enrolled"]
    return [(key.courseID, terms[key.term]) for key in seats if key.term in terms]
