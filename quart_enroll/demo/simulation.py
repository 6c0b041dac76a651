"""Simulates how the demo school's students enroll."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from random import Random

from quart_enroll.demo import offices
from quart_enroll.demo.curriculum import all_prerequisites, interest
from quart_enroll.demo.records import EnrollmentRecords, SectionOffering
from quart_enroll.demo.school_data import SchoolData
from quart_enroll.domain import requisite_rules, rules
from quart_enroll.domain.grades import UNRECORDED
from quart_enroll.domain.models import Credentials, Section, Term, User
from quart_enroll.domain.roles import Role
from quart_enroll.services.maintenance.demo_school import School

GENERATED_STUDENTS = 400
"""Students in addition to those in data/users.json."""

ADA, BOB = "ada@school.example", "bob@school.example"
"""Ada has a full schedule and a third place on a waitlist; Bob has nothing yet."""

POPULARITY_SIGMA = 0.6
"""How much courses differ in popularity: the sigma of a log-normal distribution."""

WAITLIST_PROBABILITY = 0.6
"""The share of students who join the waitlist of a full section."""

UNPOPULAR_START_TIMES = (("08:00", 0.5), ("18:00", 0.7), ("18:30", 0.7))
"""Start times, each with a factor for the popularity of its sections."""

CONTINUATION_FACTOR = 2.5
"""How much more students want a course that builds on one they have taken."""

PAUSE_BETWEEN_COURSES = timedelta(seconds=50)
"""The time between two enrollments of a student."""


@dataclass(frozen=True, slots=True)
class Student:
    """A student with the year of study, from 1 to 4, and the main subject."""

    user_id: int
    year: int
    subject: str


class EnrollmentSimulation:
    """Students who enroll term by term, one after the other; the random choices are the same each time."""

    def __init__(self, data: SchoolData, terms: Sequence[Term], sections: Sequence[Section], now: datetime) -> None:
        self.rng = Random("crowd")  # noqa: S311  # no secret
        self.now = now
        self.data = data
        *self.earlier, self.open, self.next = terms
        self.records = EnrollmentRecords(terms, data.courses, sections)
        self.course_popularity = {
            course.courseID: self.rng.lognormvariate(0, POPULARITY_SIGMA) for course in data.courses
        }
        self.prerequisites = all_prerequisites(data.courses)
        self._weights: dict[tuple[str, int, str], list[tuple[SectionOffering, float]]] = {}
        self.people = [*data.people, *self._generated_users()]

    def school(self) -> School:
        """Let all students enroll, Ada last, and return the school."""
        others = (one.user for one in self.people if one.user.email not in (ADA, BOB))
        students = [self._student(user) for user in others if Role.STUDENT in user.roles]
        [ada] = [self._student(one.user) for one in self.people if one.user.email == ADA]
        for term in self.earlier:
            self._register(term, [ada, *students])
        self._withdraw_ada(ada)
        self._register(self.open, students)
        self._enroll_ada(ada)
        records = self.records
        return School(
            terms=list(records.terms.values()),
            courses=self.data.courses,
            sections=records.counted_sections(),
            people=self.people,
            seats=records.seats(),
            line=list(records.waitlist_entries()),
            credits=records.credits(),
            events=sorted(records.events, key=lambda event: event.at),
            hold_types=offices.HOLD_TYPES,
            holds=offices.holds([one.user for one in self.people], self.now),
        )

    def _generated_users(self) -> Iterator[Credentials]:
        """Yield users with unique names and emails, who can't sign in."""
        data = self.data
        names = [(first, last) for first in data.first_names for last in data.last_names]
        number = max(one.user.user_id for one in data.people)
        advisors = cycle(one.user.user_id for one in data.people if Role.ADVISOR in one.user.roles)
        for user_id, (first, last) in enumerate(self.rng.sample(names, GENERATED_STUDENTS), number + 1):
            plain = unicodedata.normalize("NFKD", f"{first}.{last}").encode("ascii", "ignore").decode()
            user = User(user_id, f"{plain.lower()}@school.example", first, last, advisors=(next(advisors),))
            yield Credentials(user, data.unusable_password)

    def _student(self, user: User) -> Student:
        subject = self.rng.choice(list(self.data.subjects))
        if user.email == ADA:
            return Student(user.user_id, 2, "Computing")
        return Student(user.user_id, self.rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 4)), subject)

    def _register(self, term: Term, students: Sequence[Student]) -> None:
        """Let the students enroll one after the other, most of them soon after the term opens."""
        span = min(self.now, term.add_deadline) - term.opens_at - 10 * PAUSE_BETWEEN_COURSES
        start_fractions = sorted(self.rng.random() ** 3 for _ in students)
        for fraction, student in zip(start_fractions, self.rng.sample(students, len(students)), strict=True):
            if term == self.open or student.year > 1:
                at = term.opens_at + span * fraction
                enough = self.rng.choice((3, 4, 4, 5, 5))
                self._choose(student, self._ranked(student, term), at.replace(microsecond=0), enough)

    def _choose(
        self,
        student: Student,
        offers: Sequence[SectionOffering],
        at: datetime,
        enough: int,
        waitlisted: SectionOffering | None = None,
    ) -> None:
        """Enroll in `enough` sections that fit together and fit the waitlisted one.

        A student may join the waitlist of one full section.
        """
        current = self.records.registrations[student.user_id, offers[0].term.term]
        for offer in offers:
            if len(current) >= enough:
                return
            if not self._fits(student, offer, waitlisted):
                continue
            if not self.records.is_full(offer.section):
                self._take(student, offer, offers, waitlisted, at + len(current) * PAUSE_BETWEEN_COURSES)
            elif (
                offer.term == self.open
                and not waitlisted
                and self._has_room(offer)
                and self.rng.random() < WAITLIST_PROBABILITY
            ):
                self.records.join(student.user_id, offer.section, at + len(current) * PAUSE_BETWEEN_COURSES)
                waitlisted = offer

    def _take(
        self,
        student: Student,
        offer: SectionOffering,
        offers: Sequence[SectionOffering],
        waitlisted: SectionOffering | None,
        at: datetime,
    ) -> None:
        """Enroll in the section and in the lab that goes with it."""
        self.records.enroll(student.user_id, offer, at)
        for lab in offers:
            beside = offer.course.courseID in lab.course.corequisites and lab.course.credits <= 1
            if beside and self._fits(student, lab, waitlisted) and not self.records.is_full(lab.section):
                self.records.enroll(student.user_id, lab, at + PAUSE_BETWEEN_COURSES / 2)

    def _fits(self, student: Student, offer: SectionOffering, waitlisted: SectionOffering | None) -> bool:
        """Return whether the section fits the student's schedule and the section they are waiting for."""
        current, course = self.records.registrations[student.user_id, offer.term.term], offer.course
        beside = {one.courseID for one in current}
        if beside & self.prerequisites[course.courseID] or any(
            course.courseID in self.prerequisites[one] for one in beside
        ):
            return False  # one is a prerequisite of the other
        if course.corequisites:
            beside |= self.records.taken(student.user_id, offer.term)
            if not beside.issuperset(course.corequisites):
                return False
        return rules.fits(
            offer.term, course, offer.section, [*current, waitlisted.registration] if waitlisted else current
        )

    def _ranked(self, student: Student, term: Term) -> list[SectionOffering]:
        """Return the sections that the student may take in random order, weighted by interest."""
        had = self.records.taken(student.user_id, term)
        done = had.union(*(self.prerequisites[courseID] for courseID in had))
        drawn = []
        for offer, weight in self._weighed(student.subject, student.year - (term in self.earlier), term):
            course = offer.course
            # It is unknown what students took before the first of these terms.
            if course.courseID not in done and (
                term in self.earlier or not requisite_rules.unmet_prerequisites(course, dict.fromkeys(had, UNRECORDED))
            ):
                going_on = CONTINUATION_FACTOR if course.prerequisite_courses else 1
                drawn.append((self.rng.random() ** (1 / weight / going_on), offer))
        return [offer for _, offer in sorted(drawn, key=lambda pair: -pair[0])]

    def _weighed(self, subject: str, year: int, term: Term) -> list[tuple[SectionOffering, float]]:
        """Return the sections of the term with the interest of students of this subject and year."""
        whose = subject, year, term.term
        if whose not in self._weights:
            interests = [(offer, interest(subject, year, offer.course)) for offer in self.records.offers(term)]
            self._weights[whose] = [
                (offer, weight * self._popularity(offer.section)) for offer, weight in interests if weight
            ]
        return self._weights[whose]

    def _popularity(self, section: Section) -> float:
        """Return the general popularity of the section, from its course and its times."""
        popularity = self.course_popularity[section.courseID]
        for start, factor in UNPOPULAR_START_TIMES:
            if any(meeting.start == start for meeting in section.meetings):
                popularity *= factor
        return popularity

    def _has_room(self, offer: SectionOffering) -> bool:
        return len(self.records.waitlist(offer.section)) < offer.section.waitlist_capacity

    def _withdraw_ada(self, ada: Student) -> None:
        """Let Ada withdraw from a course of the latest past term whose drop deadline is over."""
        over = [term for term in self.earlier if term.drop_deadline < self.now]
        registrations = self.records.registrations[ada.user_id, over[-1].term]
        latest = min(self.now, over[-1].withdraw_deadline)
        if registrations:
            when = over[-1].drop_deadline + (latest - over[-1].drop_deadline) / 2
            self.records.withdraw(ada.user_id, registrations[-1], when.replace(microsecond=0))

    def _enroll_ada(self, ada: Student) -> None:
        """Give Ada four courses, and the third place on the longest waitlist that fits them."""
        choice = self._ranked(ada, self.open)
        waitlisted = [
            one
            for one in choice
            if len(self.records.waitlist(one.section)) > 2 and self._has_room(one) and self._fits(ada, one, None)
        ]
        longest, at = None, self.now - 10 * PAUSE_BETWEEN_COURSES
        if waitlisted:
            longest = max(waitlisted, key=lambda offer: len(self.records.waitlist(offer.section)))
            (_, before), (_, after) = self.records.waitlist(longest.section)[1:3]
            at = (before + (after - before) / 2).replace(microsecond=0)
            self.records.join(ada.user_id, longest.section, at, position=3)
        self._choose(ada, [one for one in choice if not self.records.is_full(one.section)], at, 4, longest)
