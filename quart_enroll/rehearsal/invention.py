"""Invents the students of a rehearsal and their plans: random, but the same for the same seed."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from quart_enroll.domain import rules
from quart_enroll.domain.models import Course, Section, SectionKey, Term

FIRST_USER_ID = 1
MAX_COURSES_PER_PLAN = 7
CREDIT_SHARES = (0.7, 1.0)
"""Students plan this share of the term's credit limit: the least and the most."""

OWN_SUBJECT_FACTOR = 6.0
"""How much more students want courses of their own subject."""

POPULARITY_SIGMA = 0.9
"""How much courses differ if nothing is known about demand: the sigma of a log-normal distribution. A tenth of the
courses is then wanted three times as much as the median course."""

MIN_KNOWN_DEMAND = 50
"""From this many planned or taken seats on, they show what students want."""

UNKNOWN_DEMAND = 0.5
"""The demand for a course without plans, where plans show the demand."""

CAREFUL_PROBABILITY = 0.9
"""How likely a student plans a section that fits the rest of the plan, rather than the favorite one."""

REACTION_SECONDS, MAX_REACTION_SECONDS = 1.5, 15.0
"""How long after the opening students press the button: the mean of an exponential distribution, and the most."""

MAX_CHOICES = 60
"""How many courses a student considers at most."""


@dataclass(frozen=True, slots=True)
class InventedStudent:
    """A student with a plan, in the order of preference.

    `arrival` is when they come, as a fraction of the time for arriving: before the opening, or right after it for those
    who use a password. `taken` are the prerequisites of the planned courses.
    """

    user_id: int
    plan: tuple[SectionKey, ...]
    taken: tuple[str, ...]
    uses_password: bool
    arrival: float
    reaction_seconds: float

    @property
    def email(self) -> str:
        """An address that can't exist (RFC 2606)."""
        return f"student{self.user_id}@rehearsal.invalid"


@dataclass(frozen=True, slots=True)
class Demand:
    """How much students want each course, by courseID, and where that is known from."""

    weights: Mapping[str, float]
    source: str


@dataclass(frozen=True, slots=True)
class PlanConflicts:
    """The students whose plans hold sections that meet at the same time, and the most frequent pairs of sections."""

    students: int
    pairs: Sequence[tuple[SectionKey, SectionKey, int]]


def estimate_demand(
    offered: Sequence[Section], plans: Mapping[str, int], earlier: Mapping[str, Sequence[Section]], seed: int
) -> Demand:
    """Estimate the demand for the offered courses.

    Students' own plans tell most, then the seats and waitlists of the latest of the `earlier` terms (sections by the
    term's name, latest first). Without either, it is random, around the capacity that the school offers.
    """
    courseIDs = sorted({section.courseID for section in offered})
    if sum(plans.get(one, 0) for one in courseIDs) >= MIN_KNOWN_DEMAND:
        source = "the plans that students have already made (only their numbers were read)"
        return Demand({one: plans.get(one, 0) or UNKNOWN_DEMAND for one in courseIDs}, source)
    for name, sections in earlier.items():
        wanted: Counter[str] = Counter()
        for section in sections:
            wanted[section.courseID] += section.seats_taken + section.waiting
        if sum(wanted[one] for one in courseIDs) >= MIN_KNOWN_DEMAND:
            source = f"the seats and waitlists of {name}"
            return Demand({one: wanted[one] or UNKNOWN_DEMAND for one in courseIDs}, source)
    rng = Random(f"demand {seed}")  # noqa: S311  # no secret
    capacity: Counter[str] = Counter()
    for section in offered:
        capacity[section.courseID] += section.capacity
    weights = {one: max(1, capacity[one]) * rng.lognormvariate(0, POPULARITY_SIGMA) for one in courseIDs}
    return Demand(weights, "chance, because neither plans nor an earlier term’s seats say what students want")


def invent_students(
    term: Term,
    courses: Mapping[str, Course],
    offered: Sequence[Section],
    demand: Demand,
    *,
    number: int,
    password_share: float,
    seed: int,
) -> list[InventedStudent]:
    """Return that many students with plans for the term; the same arguments return the same students."""
    inventor = _Inventor(term, courses, offered, demand)
    return [inventor.student(index, Random(f"student {seed} {index}"), password_share) for index in range(number)]  # noqa: S311  # no secret


def find_conflicts(students: Iterable[InventedStudent], offered: Iterable[Section], *, most: int = 5) -> PlanConflicts:
    """Return the conflicts within the students' plans, with at most `most` pairs of sections."""
    sections = {section.key: section for section in offered}
    pairs: Counter[tuple[SectionKey, SectionKey]] = Counter()
    concerned = 0
    for student in students:
        planned = sorted(student.plan)
        found = [
            (one, other)
            for index, one in enumerate(planned)
            for other in planned[index + 1 :]
            if rules.overlap(sections[one], sections[other])
        ]
        concerned += bool(found)
        pairs.update(found)
    return PlanConflicts(concerned, [(*pair, number) for pair, number in pairs.most_common(most)])


class _Inventor:
    """Draws students and plans from the demand."""

    def __init__(self, term: Term, courses: Mapping[str, Course], offered: Sequence[Section], demand: Demand) -> None:
        self.term = term
        self.courses = courses
        self.sections: defaultdict[str, list[Section]] = defaultdict(list)
        for section in offered:
            if section.courseID in courses:
                self.sections[section.courseID].append(section)
        self.weights = {one: demand.weights.get(one, UNKNOWN_DEMAND) for one in self.sections}
        subjects: defaultdict[str, float] = defaultdict(float)
        for courseID, weight in self.weights.items():
            subjects[_subject(courses[courseID])] += weight
        self.subjects, self.subject_weights = list(subjects), list(subjects.values())
        self._by_subject: dict[str, tuple[list[str], list[float]]] = {}

    def student(self, index: int, rng: Random, password_share: float) -> InventedStudent:
        plan = self._plan(rng)
        needed = {name for key in plan for name in self._needs(key.courseID) if name in self.courses}
        return InventedStudent(
            user_id=FIRST_USER_ID + index,
            plan=tuple(section.key for section in plan),
            taken=tuple(sorted(needed)),
            uses_password=rng.random() < password_share,
            arrival=rng.random(),
            reaction_seconds=min(rng.expovariate(1 / REACTION_SECONDS), MAX_REACTION_SECONDS),
        )

    def _plan(self, rng: Random) -> list[Section]:
        """Choose courses of the student's subject and others, by demand, until there are enough credits."""
        subject = rng.choices(self.subjects, self.subject_weights)[0] if self.subjects else ""
        names, cumulated = self._weighted(subject)
        wanted = rng.uniform(*CREDIT_SHARES) * self.term.max_credits
        plan: dict[str, Section] = {}
        credits = 0.0
        for courseID in (rng.choices(names, cum_weights=cumulated)[0] for _ in range(MAX_CHOICES if names else 0)):
            together = [one for one in (courseID, *self._together(courseID)) if one not in plan]
            more = sum(self.courses[one].credits for one in together)
            if courseID in plan or credits + more > self.term.max_credits or self._depends(together, plan):
                continue
            for one in together:
                plan[one] = self._choose_section(one, list(plan.values()), rng)
            credits += more
            if credits >= wanted or len(plan) >= MAX_COURSES_PER_PLAN:
                break
        return list(plan.values())

    def _weighted(self, subject: str) -> tuple[list[str], list[float]]:
        if subject not in self._by_subject:
            weights = {
                one: weight * (OWN_SUBJECT_FACTOR if _subject(self.courses[one]) == subject else 1)
                for one, weight in self.weights.items()
            }
            self._by_subject[subject] = list(weights), list(accumulate(weights.values()))
        return self._by_subject[subject]

    def _choose_section(self, courseID: str, plan: Sequence[Section], rng: Random) -> Section:
        """Choose a section; most students prefer one that fits the rest of the plan, if there is one."""
        sections = self.sections[courseID]
        fitting = [one for one in sections if not any(rules.overlap(one, other) for other in plan)]
        among = fitting if fitting and rng.random() < CAREFUL_PROBABILITY else sections
        return rng.choices(among, [max(1, one.capacity) for one in among])[0]

    def _needs(self, courseID: str) -> set[str]:
        """Return what the student must have taken: prerequisites, and corequisites that aren't offered."""
        course = self.courses[courseID]
        return {*course.prerequisite_courses, *(one for one in course.corequisites if one not in self.sections)}

    def _together(self, courseID: str) -> list[str]:
        return [one for one in self.courses[courseID].corequisites if one in self.sections]

    def _depends(self, together: Sequence[str], plan: Mapping[str, Section]) -> bool:
        """Return whether one of the courses is a prerequisite of a planned one, or the reverse."""
        needed = {name for one in plan for name in self._needs(one)}
        return any(one in needed or self._needs(one) & (plan.keys() | {*together}) for one in together)


def _subject(course: Course) -> str:
    """Return the course's subject, or else the letters with which its number begins."""
    return course.subject or (re.match(r"[A-Za-z]*", course.courseID) or [""])[0]
