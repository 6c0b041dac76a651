"""Records who is enrolled and waitlisted in the demo school while students enroll."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from quart_enroll.domain.models import Course, Event, Registration, Section, SectionKey, Term, WaitlistEntry
from quart_enroll.services.maintenance.demo_school import DemoSeat


@dataclass(frozen=True, slots=True)
class SectionOffering:
    """A section with its course and term."""

    term: Term
    course: Course
    section: Section

    @property
    def registration(self) -> Registration:
        """The registration of a student who enrolls in it."""
        return Registration(self.course, self.section, "enrolled")


class EnrollmentRecords:
    """The enrollments of a school that starts empty; the simulation decides what is allowed."""

    def __init__(self, terms: Sequence[Term], courses: Sequence[Course], sections: Sequence[Section]) -> None:
        self.terms = {term.term: term for term in terms}
        self.courses = {course.courseID: course for course in courses}
        self.sections = sections
        self.registrations: defaultdict[tuple[int, str], list[Registration]] = defaultdict(list)
        self.events: list[Event] = []
        self._seats: dict[tuple[int, SectionKey], DemoSeat] = {}
        self._taken: defaultdict[SectionKey, int] = defaultdict(int)
        self._waitlists: defaultdict[SectionKey, list[tuple[int, datetime]]] = defaultdict(list)

    def offers(self, term: Term) -> list[SectionOffering]:
        """Return the sections of the term."""
        return [
            SectionOffering(term, self.courses[one.courseID], one) for one in self.sections if one.term == term.term
        ]

    def taken(self, user_id: int, before: Term) -> set[str]:
        """Return the courses that the student has taken in earlier terms."""
        earlier = [name for name, term in self.terms.items() if term.comes_before(before)]
        return {
            one.courseID for name in earlier for one in self.registrations[user_id, name] if one.status == "enrolled"
        }

    def is_full(self, section: Section) -> bool:
        """Return whether no seat is left."""
        return self._taken[section.key] >= section.capacity

    def waitlist(self, section: Section) -> Sequence[tuple[int, datetime]]:
        """Return the waitlisted students with the times at which they joined."""
        return self._waitlists[section.key]

    def enroll(self, user_id: int, offer: SectionOffering, at: datetime) -> None:
        """Enroll the student in a section."""
        key = offer.section.key
        self._seats[user_id, key] = DemoSeat(user_id, key, at)
        self._taken[key] += 1
        self.registrations[user_id, key.term].append(offer.registration)
        self._record(user_id, "enroll", key, at)

    def withdraw(self, user_id: int, registration: Registration, at: datetime) -> None:
        """Withdraw the student from a course, which stays on the schedule without a seat."""
        key = registration.section.key
        self._seats[user_id, key] = replace(self._seats[user_id, key], status="withdrawn")
        self._taken[key] -= 1
        current = self.registrations[user_id, key.term]
        current[current.index(registration)] = replace(registration, status="withdrawn")
        self._record(user_id, "withdraw", key, at)

    def join(self, user_id: int, section: Section, at: datetime, position: int | None = None) -> None:
        """Add the student to the waitlist, at the end or at `position`."""
        entries = self._waitlists[section.key]
        entries.insert(len(entries) if position is None else position - 1, (user_id, at))
        self._record(user_id, "join", section.key, at)

    def counted_sections(self) -> list[Section]:
        """Return the sections with their counters."""
        return [
            replace(one, seats_taken=self._taken[one.key], waiting=len(self._waitlists[one.key]))
            for one in self.sections
        ]

    def seats(self) -> list[DemoSeat]:
        """Return every enrollment, including withdrawn ones."""
        return list(self._seats.values())

    def waitlist_entries(self) -> Iterator[WaitlistEntry]:
        """Yield all waitlist entries."""
        for key, entries in self._waitlists.items():
            for place, (user_id, at) in enumerate(entries, 1):
                yield WaitlistEntry(user_id, key, place, at)

    def credits(self) -> Mapping[tuple[int, str], int | float]:
        """Return the credits of each student in each term in which they are enrolled or waitlisted."""
        waiting = {(one.user_id, one.key.term): 0 for one in self.waitlist_entries()}
        return waiting | {
            owner: round(sum(one.course.credits for one in registrations if one.status == "enrolled"), 2)
            for owner, registrations in self.registrations.items()
            if registrations
        }

    def _record(self, user_id: int, action: str, key: SectionKey, at: datetime) -> None:
        self.events.append(Event(at, user_id, user_id, action, key.courseID, key.term, key.section))
