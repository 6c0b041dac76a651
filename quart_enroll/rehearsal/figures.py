"""The figures of a rehearsal, which the advice and the report are made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from quart_enroll.domain.models import SectionKey


@dataclass(frozen=True, slots=True)
class Setup:
    """The conditions of the rehearsal: its size, the settings that matter, and the machine."""

    term: str
    students: int
    students_source: str
    password_students: int
    seed: int
    minutes: float
    demand_source: str
    processes: int
    hash_slots: int
    hash_seconds: float
    hash_megabytes: int
    password_method: str
    machine: str
    cores: int
    memory: int
    database_is_here: bool
    database_version: str
    courses: int
    sections: int
    seats: int
    app_env: str


@dataclass(frozen=True, slots=True)
class StepFigures:
    """The responses to one kind of step: how many, the times in seconds, and how many of each kind."""

    step: str
    number: int
    median: float
    p99: float
    longest: float
    refused: int
    server_errors: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The state at one moment, in seconds from the opening; CPU in cores, memory in bytes, None where unknown.

    `machine_cores` are those of all programs on the machine together.
    """

    at: float
    taken: int
    waiting: int
    full: frozenset[SectionKey]
    site_cores: float | None
    database_cores: float | None
    students_cores: float | None
    machine_cores: float | None
    largest_process: int | None
    site_memory: int | None
    database_memory: int | None


@dataclass(frozen=True, slots=True)
class SectionFigures:
    """A section after the rehearsal: the students who planned it, and when it was full, in seconds or None."""

    courseID: str
    title: str
    section: str
    capacity: int
    planned: int
    taken: int
    waiting: int
    waitlist_capacity: int
    full_after: float | None


@dataclass(frozen=True, slots=True)
class CourseFigures:
    """A course with the seats of all its sections, and the students who planned it."""

    courseID: str
    title: str
    capacity: int
    planned: int


@dataclass(frozen=True, slots=True)
class Settling:
    """How the students fared: times in seconds since the opening, None if too few got so far.

    `whole_plan` got everything at the first press, `settled` have tried everything; `longest_press` are the seconds
    between a student's press and the response.
    """

    pressed: int
    whole_plan: int
    settled: int
    half_settled_after: float | None
    all_settled_after: float | None
    planned_seats: int
    planned_seats_got: int


@dataclass(frozen=True, slots=True)
class PlanConflict:
    """Two sections that meet at the same time, and how many students planned both."""

    one: str
    other: str
    students: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that was measured."""

    setup: Setup
    steps: Sequence[StepFigures]
    moments: Sequence[Moment]
    responses_per_second: Sequence[tuple[float, int, float]]
    sections: Sequence[SectionFigures]
    courses: Sequence[CourseFigures]
    settling: Settling
    adds: int
    adds_per_second_peak: float
    seconds_until_90_percent: float | None
    conflict_students: int
    conflicts: Sequence[PlanConflict]
    discrepancies: Sequence[str]
    catalog_discrepancies: int
    uncopied_rows: int

    @property
    def server_errors(self) -> int:
        """The responses with 5xx."""
        return sum(step.server_errors for step in self.steps)

    @property
    def unanswered(self) -> int:
        """The requests without a response."""
        return sum(step.unanswered for step in self.steps)

    @property
    def succeeded(self) -> bool:
        """Whether every request was answered properly and all seats are right."""
        return not (self.server_errors or self.unanswered or self.discrepancies)

    def step(self, name: str) -> StepFigures | None:
        """Return the figures of one kind of step, if there were any."""
        return next((one for one in self.steps if one.step == name), None)
