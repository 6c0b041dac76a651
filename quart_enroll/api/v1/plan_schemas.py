"""The schemas of the operations on a student's plan."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.api.v1.schemas import CourseID, MeetingSchema, SectionBody, SectionNumber, TermName
from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import SectionRequest
from quart_enroll.domain.plan_fit import ANY_SECTION, MAX_ALTERNATIVES
from quart_enroll.services.enrollment.enroll_plan import Outcome
from quart_enroll.services.enrollment.plan import MAX_PLANNED_COURSES
from quart_enroll.services.enrollment.plan_view import PlanEntry

Alternatives = Annotated[
    list[SectionNumber],
    Meta(
        max_length=MAX_ALTERNATIVES,
        description=f"The sections to take if the planned one can't be taken, best first; {ANY_SECTION} stands for all "
        "others.",
        extra={"sentence": f"Send a list of at most {MAX_ALTERNATIVES} section numbers."},
    ),
]
Position = Annotated[
    int,
    Meta(
        ge=1,
        le=MAX_PLANNED_COURSES,
        description="The position in the plan, counted from 1.",
        extra={"sentence": f"Send a whole number from 1 to {MAX_PLANNED_COURSES}."},
    ),
]
PlanTerm = Annotated[TermName, Meta(min_length=1, extra={"sentence": "Send a term as text, such as Fall 2026."})]


class PlanSectionSchema(Struct, frozen=True):
    """A section in a student's plan."""

    courseID: str
    section: str
    title: Annotated[str, Meta(description="The same as `courseID` if the school no longer has the course.")]
    credits: Annotated[float | None, Meta(description="Null if the course is no longer offered.")]
    state: Annotated[
        Literal["planned", "enrolled", "waiting", "not_offered"],
        Meta(description="`enrolled` if the student has the course; `waiting` if on this section's waitlist."),
    ]
    meetings: list[MeetingSchema]
    alternatives: Alternatives
    substitute: Annotated[
        str | None,
        Meta(description="The section that the student would get instead now; null if it is the planned one."),
    ]
    open_to_you: Annotated[
        int | None, Meta(description="Seats that are open to you in the section, or in its substitute.")
    ]
    problems: Annotated[list[str], Meta(description="Why the student can't enroll in it as things stand.")]
    last_refusal: Annotated[str | None, Meta(description="Why the last attempt to enroll failed.")]

    @classmethod
    def of(cls, entry: PlanEntry, catalog: Catalog) -> Self:
        planned, candidate = entry.planned, entry.candidate
        course = candidate.offering.course if candidate else catalog.find(planned.key.courseID)
        return cls(
            courseID=planned.key.courseID,
            section=planned.key.section,
            title=course.title if course else planned.key.courseID,
            credits=candidate.offering.course.credits if candidate else None,
            state=entry.state,  # type: ignore[arg-type]  # one of these
            meetings=MeetingSchema.all(candidate.offering.section.meetings) if candidate else [],
            alternatives=list(planned.alternatives),
            substitute=entry.substitute.section if entry.substitute else None,
            open_to_you=candidate.offering.section.open_seats if candidate else None,
            problems=list(map(str, entry.problems)),
            last_refusal=str(planned.because) if planned.because else None,
        )


class PlanSchema(Struct, frozen=True):
    """A student's plan for a term, in the order in which its sections are taken."""

    term: str
    sections: list[PlanSectionSchema]


class PlanQuery(Struct, frozen=True):
    """The term of a plan."""

    term: PlanTerm


class PlanBody(SectionBody, frozen=True):
    """The section to plan: by default, a section in the next term that offers the course."""

    example: ClassVar = {"courseID": "1111", "term": "Fall 2026", "section": "01"}


class PlannedQuery(Struct, frozen=True):
    """A planned course; if a section is given, only if that section is planned."""

    courseID: CourseID
    term: PlanTerm
    section: SectionNumber = ""

    def request(self) -> SectionRequest:
        return SectionRequest(self.courseID, self.term, self.section)


class PlanEdit(PlannedQuery, frozen=True, kw_only=True):
    """The changes to a planned course; anything you omit stays the same."""

    example: ClassVar = {"courseID": "1111", "term": "Fall 2026", "position": 1, "alternatives": ["02", "*"]}

    alternatives: Alternatives | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class EnrollPlanBody(Struct, frozen=True):
    """The term whose planned sections to enroll in."""

    example: ClassVar = {"term": "Fall 2026"}

    term: PlanTerm


class PlanOutcome(Struct, frozen=True):
    """The outcome for a planned section."""

    courseID: str
    section: str
    result: Annotated[str, Meta(description="`enrolled`, or the code of the refusal.")]
    detail: Annotated[str | None, Meta(description="Why the student didn't get the section.")] = None
    instead_of: Annotated[str | None, Meta(description="The planned section, if an alternative was taken.")] = None

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        key, refusal = outcome.key, outcome.refusal
        instead_of = outcome.instead_of.section if outcome.instead_of else None
        if refusal is None:
            return cls(key.courseID, key.section, "enrolled", None, instead_of)
        return cls(key.courseID, key.section, refusal.code, refusal.text)


class PlanOutcomes(Struct, frozen=True):
    """The outcome for each planned section; sections that the student got are no longer in the plan."""

    term: str
    outcomes: list[PlanOutcome]

    @classmethod
    def of(cls, term: str, outcomes: Iterable[Outcome]) -> Self:
        return cls(term, [PlanOutcome.of(one) for one in outcomes if one.enrolled or one.refusal])
