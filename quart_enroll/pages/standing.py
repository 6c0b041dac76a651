"""Where a student stands in a term: has, waits for, has taken before."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from quart_enroll.context import database
from quart_enroll.models import Held, SectionKey, Term, User, Waiting
from quart_enroll.repositories import enrollments, plans, waitlist
from quart_enroll.services.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Place:
    """Where a student waits; `position` counts from 1."""

    waiting: Waiting
    position: int
    of: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The courses with a seat, the places in lines, what was taken in any term, and the sections that are planned or
    have an alert; nothing of a visitor."""

    enrolled: Sequence[Held] = ()
    places: Sequence[Place] = ()
    taken: Sequence[tuple[str, Term]] | None = None
    planned: Set[SectionKey] = frozenset()
    alerts: Set[SectionKey] = frozenset()

    @property
    def signed_in(self) -> bool:
        return self.taken is not None

    def place(self, key: SectionKey) -> Place | None:
        """Return where the student waits for that section."""
        return next((place for place in self.places if place.waiting.key == key), None)

    def waits_for(self, courseID: str) -> str:
        """Return the number of the section of that course for which the student waits, or nothing."""
        return next((one.waiting.key.section for one in self.places if one.waiting.key.courseID == courseID), "")


async def in_term(user: User | None, term: Term, offered: Catalog) -> Standing:
    """Read where the visitor stands in that term."""
    if user is None:
        return Standing()
    held = await enrollments.held_by(database(), user.user_id, term.term)
    needed = sorted({courseID for course in offered.courses for courseID in course.prerequisites})
    return Standing(
        [one for one in held if one.status == "enrolled"],
        await places(user.user_id, [term]),
        await _taken(user.user_id, needed, offered) if needed else [],
        *await plans.marked(database(), user.user_id, term.term),
    )


async def places(user_id: int, terms: Sequence[Term]) -> list[Place]:
    """Return where the student waits in those terms."""
    positions = await waitlist.positions(database(), user_id)
    named = {key.term for key in positions}
    waiting = [
        one for term in terms if term.term in named for one in await waitlist.of_student(database(), user_id, term.term)
    ]
    return [Place(one, *positions[one.key]) for one in waiting if one.key in positions]


async def _taken(user_id: int, courses: Sequence[str], offered: Catalog) -> list[tuple[str, Term]]:
    known = {term.term: term for term in offered.terms}
    taken = await enrollments.taken_before(database(), user_id, courses)
    return [(courseID, known[name]) for courseID, name in taken if name in known]
