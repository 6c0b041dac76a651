"""The catalog: which courses there are, and when they are taught."""

from dataclasses import dataclass
from datetime import date

from quart_enroll.models import Course, Term
from quart_enroll.mongo import Database
from quart_enroll.repositories import courses
from quart_enroll.services import terms


@dataclass(frozen=True, slots=True)
class Catalog:
    """All courses in the order of courseID, and the terms from now on in which they are taught."""

    courses: tuple[Course, ...]
    terms: tuple[Term, ...]
    today: date

    @property
    def current_term(self) -> Term:
        """The term that a visitor sees first: the first one with a course, else that of the day."""
        return self.terms[0] if self.terms else terms.current(self.today)

    def find(self, courseID: str) -> Course | None:
        """Return the course, or None when there is no such key."""
        return next((course for course in self.courses if course.courseID == courseID), None)

    def taught_in(self, term: Term) -> list[Course]:
        """Return the courses of that term."""
        return [course for course in self.courses if term in terms.named(course.term, self.terms)]


async def load(db: Database, today: date) -> Catalog:
    """Read the catalog as it stands."""
    found = await courses.find_all(db)
    return Catalog(tuple(found), tuple(terms.of_courses(found, today)), today)
