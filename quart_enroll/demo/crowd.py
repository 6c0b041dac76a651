"""The students of the demo school, and what they have taken and wait for."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from quart_enroll.db.queries.demo import School
from quart_enroll.demo.curriculum import all_prerequisites, interest
from quart_enroll.demo.rolls import EnrollmentRecords, SectionOffering
from quart_enroll.demo.texts import SchoolData
from quart_enroll.domain import rules
from quart_enroll.domain.models import Credentials, Section, Term, User

GENERATED_STUDENTS = 400
"""Students besides those of data/users.json."""

ADA, BOB = "ada@school.example", "bob@school.example"
"""She has a full schedule and the third place in a line; he has nothing yet."""

POPULARITY_SIGMA = 0.6
"""How different courses are in what they mean to everybody."""

WAITLIST_PROBABILITY = 0.6
"""Of those who find a section full, so many wait for it."""

UNPOPULAR_START_TIMES = (("08:00", 0.5), ("18:00", 0.7), ("18:30", 0.7))
"""Hours of the day, each with how much less people want to be there."""

CONTINUATION_FACTOR = 2.5
"""So many times more they want what goes on where they were."""

PAUSE_BETWEEN_COURSES = timedelta(seconds=50)
"""How long somebody thinks before the next course."""


@dataclass(frozen=True, slots=True)
class Student:
    """A student in the first to fourth year, and the subject that most of the courses are from."""

    user_id: int
    year: int
    subject: str


class EnrollmentSimulation:
    """Students who enroll, term by term and one after the other; chance is the same each time."""

    def __init__(self, texts: SchoolData, terms: Sequence[Term], sections: Sequence[Section], now: datetime) -> None:
        self.chance = Random("crowd")  # noqa: S311  # no secret
        self.now = now
        self.texts = texts
        *self.earlier, self.open, self.next = terms
        self.rolls = EnrollmentRecords(terms, texts.courses, sections)
        self.wanted = {course.courseID: self.chance.lognormvariate(0, POPULARITY_SIGMA) for course in texts.courses}
        self.below = all_prerequisites(texts.courses)
        self._weights: dict[tuple[str, int, str], list[tuple[SectionOffering, float]]] = {}
        self.people = [*texts.people, *self._invented()]

    def school(self) -> School:
        """Let everybody enroll, ada last, and return the school with them in it."""
        strangers = (one.user for one in self.people if one.user.email not in (ADA, BOB))
        students = [self._student(user) for user in strangers if user.role == "student"]
        [ada] = [self._student(one.user) for one in self.people if one.user.email == ADA]
        for term in self.earlier:
            self._register(term, [ada, *students])
        self._let_withdraw(ada)
        self._register(self.open, students)
        self._let_wait(ada)
        rolls = self.rolls
        return School(
            terms=list(rolls.terms.values()),
            courses=self.texts.courses,
            sections=rolls.counted(),
            people=self.people,
            seats=rolls.seats(),
            line=list(rolls.places()),
            credits=rolls.credits(),
            events=sorted(rolls.events, key=lambda event: event.at),
        )

    def _invented(self) -> Iterator[Credentials]:
        """Give people with names and addresses of their own, who can't sign in."""
        texts = self.texts
        names = [(first, last) for first in texts.first_names for last in texts.last_names]
        number = max(one.user.user_id for one in texts.people)
        for user_id, (first, last) in enumerate(self.chance.sample(names, GENERATED_STUDENTS), number + 1):
            plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
            yield Credentials(
                User(user_id, f"{plain.lower()}@school.example", first, last, "student"), texts.nobodys_password
            )

    def _student(self, user: User) -> Student:
        subject = self.chance.choice(list(self.texts.subjects))
        if user.email == ADA:
            return Student(user.user_id, 2, "Computing")
        return Student(user.user_id, self.chance.choice((1, 1, 1, 2, 2, 2, 3, 3, 4)), subject)

    def _register(self, term: Term, students: Sequence[Student]) -> None:
        """Let the students come one after the other, most of them soon after the term has opened."""
        span = min(self.now, term.add_deadline) - term.opens_at - 10 * PAUSE_BETWEEN_COURSES
        arrivals = sorted(self.chance.random() ** 3 for _ in students)
        for arrival, student in zip(arrivals, self.chance.sample(students, len(students)), strict=True):
            if term == self.open or student.year > 1:
                at = term.opens_at + span * arrival
                enough = self.chance.choice((3, 4, 4, 5, 5))
                self._choose(student, self._ranked(student, term), at.replace(microsecond=0), enough)

    def _choose(
        self,
        student: Student,
        offers: Sequence[SectionOffering],
        at: datetime,
        enough: int,
        waits: SectionOffering | None = None,
    ) -> None:
        """Take so many seats that fit to each other, and to what the student waits for.

        Who finds a section full may wait for it, but for one only.
        """
        mine = self.rolls.held[student.user_id, offers[0].term.term]
        for offer in offers:
            if len(mine) >= enough:
                return
            if not self._fits(student, offer, waits):
                continue
            if not self.rolls.is_full(offer.section):
                self._take(student, offer, offers, waits, at + len(mine) * PAUSE_BETWEEN_COURSES)
            elif (
                offer.term == self.open
                and not waits
                and self._has_room(offer)
                and self.chance.random() < WAITLIST_PROBABILITY
            ):
                self.rolls.join(student.user_id, offer.section, at + len(mine) * PAUSE_BETWEEN_COURSES)
                waits = offer

    def _take(
        self,
        student: Student,
        offer: SectionOffering,
        offers: Sequence[SectionOffering],
        waits: SectionOffering | None,
        at: datetime,
    ) -> None:
        """Take the seat, and one in the laboratory that goes with it."""
        self.rolls.enroll(student.user_id, offer, at)
        for lab in offers:
            beside = offer.course.courseID in lab.course.corequisites and lab.course.credits <= 1
            if beside and self._fits(student, lab, waits) and not self.rolls.is_full(lab.section):
                self.rolls.enroll(student.user_id, lab, at + PAUSE_BETWEEN_COURSES / 2)

    def _fits(self, student: Student, offer: SectionOffering, waits: SectionOffering | None) -> bool:
        """Tell whether the section goes with what the student has, and with what is kept free for a place in line."""
        mine, course = self.rolls.held[student.user_id, offer.term.term], offer.course
        beside = {one.courseID for one in mine}
        if beside & self.below[course.courseID] or any(course.courseID in self.below[one] for one in beside):
            return False  # one of them comes before the other
        if course.corequisites:
            beside |= self.rolls.taken(student.user_id, offer.term)
            if not beside.issuperset(course.corequisites):
                return False
        return rules.fits(offer.term, course, offer.section, [*mine, waits.held] if waits else mine)

    def _ranked(self, student: Student, term: Term) -> list[SectionOffering]:
        """Return the sections that the student may take, by chance, the more wanted ones rather sooner."""
        had = self.rolls.taken(student.user_id, term)
        done = had.union(*(self.below[courseID] for courseID in had))
        drawn = []
        for offer, weight in self._weighed(student.subject, student.year - (term in self.earlier), term):
            course = offer.course
            # What somebody had before the first of these terms nobody knows.
            if course.courseID not in done and (term in self.earlier or had.issuperset(course.prerequisites)):
                going_on = CONTINUATION_FACTOR if course.prerequisites else 1
                drawn.append((self.chance.random() ** (1 / weight / going_on), offer))
        return [offer for _, offer in sorted(drawn, key=lambda pair: -pair[0])]

    def _weighed(self, subject: str, year: int, term: Term) -> list[tuple[SectionOffering, float]]:
        """Return the sections of the term, each with how much students of that subject and year want it."""
        whose = subject, year, term.term
        if whose not in self._weights:
            wants = [(offer, interest(subject, year, offer.course)) for offer in self.rolls.offers(term)]
            self._weights[whose] = [(offer, want * self._loved(offer.section)) for offer, want in wants if want]
        return self._weights[whose]

    def _loved(self, section: Section) -> float:
        """Return how much everybody wants the section: for its course, and for its hours."""
        love = self.wanted[section.courseID]
        for start, less in UNPOPULAR_START_TIMES:
            if any(meeting.start == start for meeting in section.meetings):
                love *= less
        return love

    def _has_room(self, offer: SectionOffering) -> bool:
        return len(self.rolls.line(offer.section)) < offer.section.waitlist_capacity

    def _let_withdraw(self, ada: Student) -> None:
        """Let ada give back a course of the latest term in which that leaves a trace."""
        over = [term for term in self.earlier if term.drop_deadline < self.now]
        held = self.rolls.held[ada.user_id, over[-1].term]
        latest = min(self.now, over[-1].withdraw_deadline)
        if held:
            when = over[-1].drop_deadline + (latest - over[-1].drop_deadline) / 2
            self.rolls.withdraw(ada.user_id, held[-1], when.replace(microsecond=0))

    def _let_wait(self, ada: Student) -> None:
        """Give ada four courses, and the third place in the longest line for something that fits to them."""
        choice = self._ranked(ada, self.open)
        lines = [
            one
            for one in choice
            if len(self.rolls.line(one.section)) > 2 and self._has_room(one) and self._fits(ada, one, None)
        ]
        longest, at = None, self.now - 10 * PAUSE_BETWEEN_COURSES
        if lines:
            longest = max(lines, key=lambda offer: len(self.rolls.line(offer.section)))
            (_, before), (_, after) = self.rolls.line(longest.section)[1:3]
            at = (before + (after - before) / 2).replace(microsecond=0)
            self.rolls.join(ada.user_id, longest.section, at, position=3)
        self._choose(ada, [one for one in choice if not self.rolls.is_full(one.section)], at, 4, longest)
