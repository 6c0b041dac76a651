"""The catalog: which courses there are, and in which sections they are taught."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.models import Course, Section, Term
from quart_enroll.mongo import Database
from quart_enroll.repositories import courses, sections
from quart_enroll.repositories import terms as stored_terms
from quart_enroll.services import terms


@dataclass(frozen=True, slots=True)
class Catalog:
    """All courses in the order of courseID, the terms to come in the order of time, and their sections."""

    courses: tuple[Course, ...]
    terms: tuple[Term, ...]
    sections: tuple[Section, ...]
    now: datetime

    @property
    def current_term(self) -> Term | None:
        """The term that a visitor sees first."""
        return terms.current(self.terms, self.now) if self.terms else None

    def find(self, courseID: str) -> Course | None:
        """Return the course, or None when there is no such key."""
        return next((course for course in self.courses if course.courseID == courseID), None)

    def taught_in(self, term: Term) -> list[Course]:
        """Return the courses of that term."""
        taught = {section.courseID for section in self.sections if section.term == term.term}
        return [course for course in self.courses if course.courseID in taught]

    def sections_of(self, courseID: str, term: Term) -> list[Section]:
        """Return the sections of the course in that term, in the order of their numbers."""
        return [one for one in self.sections if one.courseID == courseID and one.term == term.term]


async def load(db: Database, now: datetime) -> Catalog:
    """Read the catalog as it stands."""
    known = await stored_terms.find_all(db)
    shown = terms.coming(known, now) or known
    found = await sections.find_all(db, [term.term for term in shown])
    return Catalog(tuple(await courses.find_all(db)), tuple(shown), tuple(found), now)
