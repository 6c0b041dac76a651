"""Computes the figures from the records of a rehearsal."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from quart_enroll.domain.models import Course, Section, SectionKey
from quart_enroll.rehearsal.browser import NO_RESPONSE, Sample
from quart_enroll.rehearsal.cast import Cast
from quart_enroll.rehearsal.figures import (
    CourseFigures,
    Figures,
    Moment,
    PlanConflict,
    SectionFigures,
    Settling,
    Setup,
    StepFigures,
)
from quart_enroll.rehearsal.invention import InventedStudent, find_conflicts
from quart_enroll.rehearsal.student import StudentOutcome
from quart_enroll.services.maintenance.rehearsal import SchoolFacts

EXPECTED_STATUSES = frozenset({200, 303, 304, 409, 429})
"""Statuses that belong to an ordinary day: 409 is a refusal by the rules, 429 the limit for impatient clicking."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a rehearsal: every response, every second, the outcomes, and the database at the end.

    `seated` and `waiting` are pairs of user_id and courseID. `discrepancies` are new, `known_discrepancies` counts
    those that the catalog had before.
    """

    opened_at: float
    samples: Sequence[Sample]
    moments: Sequence[Moment]
    outcomes: Sequence[StudentOutcome]
    sections: Sequence[Section]
    seated: set[tuple[int, str]]
    waiting: set[tuple[int, str]]
    discrepancies: Sequence[str]
    known_discrepancies: int
    uncopied_rows: int


def summarize(facts: SchoolFacts, cast: Cast, records: Records, setup: Setup) -> Figures:
    """Return the figures."""
    courses = {course.courseID: course for course in facts.courses}
    sections = summarize_sections(records.sections, courses, cast.students, records.moments)
    conflicts = find_conflicts(cast.students, records.sections)
    told = check_outcomes(records.outcomes, records.seated, records.waiting)
    return Figures(
        setup=setup,
        steps=summarize_steps(records.samples),
        moments=records.moments,
        responses_per_second=responses_per_second(records.samples, records.opened_at),
        sections=sections,
        courses=summarize_courses(sections),
        settling=summarize_settling(cast.students, records.outcomes, records.seated, records.opened_at),
        adds=len(records.seated),
        adds_per_second_peak=peak_adds_per_second(records.moments),
        seconds_until_90_percent=seconds_until(records.moments, 0.9),
        conflict_students=conflicts.students,
        conflicts=[
            PlanConflict(_name(one, courses), _name(other, courses), number) for one, other, number in conflicts.pairs
        ],
        discrepancies=[*records.discrepancies, *told, *find_unexpected(records.samples)],
        catalog_discrepancies=records.known_discrepancies,
        uncopied_rows=records.uncopied_rows,
    )


def _name(key: SectionKey, courses: Mapping[str, Course]) -> str:
    course = courses.get(key.courseID)
    return f"{course.title if course else key.courseID}, section {key.section}"


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share of the `ordered` values lies; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def summarize_steps(samples: Iterable[Sample]) -> list[StepFigures]:
    """Return the figures of each kind of step, in the order in which students took the first of each."""
    by_step: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_step[sample.step].append(sample)
    return [_summarize(step, found) for step, found in by_step.items()]


def _summarize(step: str, samples: Sequence[Sample]) -> StepFigures:
    seconds = sorted(sample.seconds for sample in samples)
    statuses = Counter(sample.status for sample in samples)
    return StepFigures(
        step=step,
        number=len(samples),
        median=percentile(seconds, 0.5),
        p99=percentile(seconds, 0.99),
        longest=seconds[-1],
        refused=sum(number for status, number in statuses.items() if 400 <= status < 500),
        server_errors=sum(number for status, number in statuses.items() if status >= 500),
        unanswered=statuses[NO_RESPONSE],
    )


def find_unexpected(samples: Iterable[Sample]) -> list[str]:
    """Return a sentence for each step and status that should not occur and is neither a 5xx nor a lost response."""
    found = Counter(
        (sample.step, sample.status)
        for sample in samples
        if NO_RESPONSE < sample.status < 500 and sample.status not in EXPECTED_STATUSES
    )
    return [f"{number} × {step}: the site answered with {status}." for (step, status), number in sorted(found.items())]


def responses_per_second(samples: Iterable[Sample], opened_at: float) -> list[tuple[float, int, float]]:
    """Return for each second, counted from the opening, the number of responses and the 99th percentile in seconds."""
    seconds: defaultdict[int, list[float]] = defaultdict(list)
    for sample in samples:
        seconds[int((sample.sent_at + sample.seconds - opened_at) // 1)].append(sample.seconds)
    if not seconds:
        return []
    return [
        (float(second), len(seconds[second]), percentile(sorted(seconds[second]), 0.99))
        for second in range(min(seconds), max(seconds) + 1)
    ]


def summarize_sections(
    sections: Iterable[Section],
    courses: Mapping[str, Course],
    students: Iterable[InventedStudent],
    moments: Iterable[Moment],
) -> list[SectionFigures]:
    """Return the figures of each section, those that were full first."""
    planned = Counter(key for student in students for key in student.plan)
    full_after: dict[SectionKey, float] = {}
    for moment in moments:
        for key in moment.full:
            full_after.setdefault(key, max(0.0, moment.at))
    found = [
        SectionFigures(
            courseID=section.courseID,
            title=courses[section.courseID].title if section.courseID in courses else section.courseID,
            section=section.section,
            capacity=section.capacity,
            planned=planned[section.key],
            taken=section.seats_taken,
            waiting=section.waiting,
            waitlist_capacity=section.waitlist_capacity,
            full_after=full_after.get(section.key) if section.capacity else None,
        )
        for section in sections
    ]
    never = float("inf")
    return sorted(found, key=lambda one: (never if one.full_after is None else one.full_after, -one.planned))


def summarize_courses(sections: Iterable[SectionFigures]) -> list[CourseFigures]:
    """Return the courses, those that lack most seats first."""
    by_course: defaultdict[str, list[SectionFigures]] = defaultdict(list)
    for section in sections:
        by_course[section.courseID].append(section)
    found = [
        CourseFigures(name, of[0].title, sum(one.capacity for one in of), sum(one.planned for one in of))
        for name, of in by_course.items()
    ]
    return sorted(found, key=lambda one: (one.capacity - one.planned, one.courseID))


def summarize_settling(
    students: Sequence[InventedStudent],
    outcomes: Sequence[StudentOutcome],
    seated: set[tuple[int, str]],
    opened_at: float,
) -> Settling:
    """Return how the students fared."""
    settled = sorted(one.settled_at - opened_at for one in outcomes if one.settled_at is not None)
    planned = [(student.user_id, key.courseID) for student in students for key in student.plan]
    return Settling(
        pressed=sum(one.pressed_at is not None for one in outcomes),
        whole_plan=sum(one.got_whole_plan for one in outcomes),
        settled=len(settled),
        half_settled_after=settled[len(outcomes) // 2] if len(settled) > len(outcomes) // 2 else None,
        all_settled_after=settled[-1] if settled and len(settled) == len(outcomes) else None,
        planned_seats=len(planned),
        planned_seats_got=sum(one in seated for one in planned),
    )


def peak_adds_per_second(moments: Sequence[Moment]) -> float:
    """Return the highest number of seats taken per second between two moments."""
    rates = [(later.taken - one.taken) / (later.at - one.at) for one, later in pairwise(moments) if later.at > one.at]
    return max(rates, default=0.0)


def seconds_until(moments: Sequence[Moment], share: float) -> float | None:
    """Return when that share of the highest number of taken seats was reached, in seconds from the opening."""
    most = max((moment.taken for moment in moments), default=0)
    return next((max(0.0, one.at) for one in moments if most and one.taken >= share * most), None)


def check_outcomes(
    outcomes: Sequence[StudentOutcome], seated: set[tuple[int, str]], waiting: set[tuple[int, str]]
) -> list[str]:
    """Return a sentence for each student who was told something that the database does not hold."""
    return [
        *(
            f"Student {one.user_id} was told to be enrolled in {courseID}, and has no seat."
            for one in outcomes
            for courseID in sorted(one.enrolled - one.uncertain)
            if (one.user_id, courseID) not in seated
        ),
        *(
            f"Student {one.user_id} was told to be on the waitlist of {courseID}, and is not."
            for one in outcomes
            for courseID in sorted(one.waiting - one.uncertain - one.enrolled)
            if (one.user_id, courseID) not in seated | waiting
        ),
    ]
