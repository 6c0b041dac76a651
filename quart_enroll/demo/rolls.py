"""Who sits where in the demo school, and who waits: the books that are kept while its crowd enrolls."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.db.queries.demo import DemoSeat
from quart_enroll.domain.models import Course, Event, Registration, Section, SectionKey, Term, WaitlistEntry


@dataclass(frozen=True, slots=True)
class SectionOffering:
    """A section with its course and term."""

    term: Term
    course: Course
    section: Section

    @property
    def held(self) -> Registration:
        """What it is to the student who takes it."""
        return Registration(self.course, self.section, "enrolled")


class EnrollmentRecords:
    """The books of a school that begins empty; what is allowed is the business of the crowd."""

    def __init__(self, terms: Sequence[Term], courses: Sequence[Course], sections: Sequence[Section]) -> None:
        self.terms = {term.term: term for term in terms}
        self.courses = {course.courseID: course for course in courses}
        self.sections = sections
        self.held: defaultdict[tuple[int, str], list[Registration]] = defaultdict(list)
        self.events: list[Event] = []
        self._seats: dict[tuple[int, SectionKey], DemoSeat] = {}
        self._taken: defaultdict[SectionKey, int] = defaultdict(int)
        self._lines: defaultdict[SectionKey, list[tuple[int, datetime]]] = defaultdict(list)

    def offers(self, term: Term) -> list[SectionOffering]:
        """Return what is taught in the term."""
        return [
            SectionOffering(term, self.courses[one.courseID], one) for one in self.sections if one.term == term.term
        ]

    def taken(self, user_id: int, before: Term) -> set[str]:
        """Return the courses that the student has had in earlier terms."""
        earlier = [name for name, term in self.terms.items() if term.comes_before(before)]
        return {one.courseID for name in earlier for one in self.held[user_id, name] if one.status == "enrolled"}

    def is_full(self, section: Section) -> bool:
        """Tell whether no seat is left."""
        return self._taken[section.key] >= section.capacity

    def line(self, section: Section) -> Sequence[tuple[int, datetime]]:
        """Return who waits for the section, and since when."""
        return self._lines[section.key]

    def enroll(self, user_id: int, offer: SectionOffering, at: datetime) -> None:
        """Give the student a seat."""
        key = offer.section.key
        self._seats[user_id, key] = DemoSeat(user_id, key, at)
        self._taken[key] += 1
        self.held[user_id, key.term].append(offer.held)
        self._note(user_id, "enroll", key, at)

    def withdraw(self, user_id: int, held: Registration, at: datetime) -> None:
        """Let the course stay on the student's schedule without a seat."""
        key = held.section.key
        self._seats[user_id, key] = replace(self._seats[user_id, key], status="withdrawn")
        self._taken[key] -= 1
        mine = self.held[user_id, key.term]
        mine[mine.index(held)] = replace(held, status="withdrawn")
        self._note(user_id, "withdraw", key, at)

    def join(self, user_id: int, section: Section, at: datetime, position: int | None = None) -> None:
        """Let the student wait for the section, at the end of the line unless the moment belongs further ahead."""
        line = self._lines[section.key]
        line.insert(len(line) if position is None else position - 1, (user_id, at))
        self._note(user_id, "join", section.key, at)

    def counted(self) -> list[Section]:
        """Return the sections with their seats and lines counted."""
        return [
            replace(one, seats_taken=self._taken[one.key], waiting=len(self._lines[one.key])) for one in self.sections
        ]

    def seats(self) -> list[DemoSeat]:
        """Return every seat, withdrawn ones included."""
        return list(self._seats.values())

    def places(self) -> Iterator[WaitlistEntry]:
        """Give everybody's places in the lines."""
        for key, line in self._lines.items():
            for place, (user_id, at) in enumerate(line, 1):
                yield WaitlistEntry(user_id, key, place, at)

    def credits(self) -> Mapping[tuple[int, str], int | float]:
        """Return the credits of each student in each term in which there is something."""
        waiting = {(one.user_id, one.key.term): 0 for one in self.places()}
        return waiting | {
            whose: round(sum(one.course.credits for one in held if one.status == "enrolled"), 2)
            for whose, held in self.held.items()
            if held
        }

    def _note(self, user_id: int, action: str, key: SectionKey, at: datetime) -> None:
        self.events.append(Event(at, user_id, user_id, action, key.courseID, key.term, key.section))
