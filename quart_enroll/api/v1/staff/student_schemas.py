"""The schemas of students as staff see them, and of the changes that staff make for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType, field

from quart_enroll.api.v1.schemas import (
    CourseID,
    Cursor,
    EnrollmentSchema,
    Flag,
    Limit,
    Next,
    Text,
    WaitlistPlaces,
    WaitlistPlaceSchema,
)
from quart_enroll.api.v1.staff.section_schemas import DryRun, SectionKeyQuery
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import PlannedSection, Registration, SectionKey, User, WaitlistEntry
from quart_enroll.domain.rules import Rule
from quart_enroll.domain.student_attributes import StudentAttributes
from quart_enroll.services.enrollment.staff_changes import StaffAction, StaffChange

Override = Literal[
    "closed_term",
    "appointment",
    "full",
    "requisites",
    "restriction",
    "repeat",
    "consent",
    "time_conflict",
    "credit_limit",
    "section_closed",
    "reserved_seats",
]

StatusName = Literal["active", "leave", "graduated", "inactive"]


class StudentAttributesSchema(Struct, frozen=True):
    """What the school has recorded about a student; empty or null where it hasn't."""

    programs: list[str]
    level: str
    standing: str
    cohorts: list[str]
    campus: str
    earned_credits: float | None
    placements: Annotated[list[str], Meta(description="Placement tests with their scores.", examples=[["Math 70"]])]
    status: Annotated[StatusName, Meta(description="Only active students can enroll or join waitlists.")]

    @classmethod
    def of(cls, attributes: StudentAttributes) -> Self:
        return cls(
            list(attributes.programs),
            attributes.level,
            attributes.standing,
            list(attributes.cohorts),
            attributes.campus,
            attributes.earned_credits,
            list(attributes.placements),
            attributes.status.value,
        )


class StudentSchema(Struct, frozen=True):
    """A student's account."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    preferred_name: Annotated[str, Meta(description="What to call the student instead of the first name, or empty.")]
    pronouns: Annotated[str, Meta(description="As the student wrote them, such as they/them, or empty.")]
    advisors: Annotated[list[int], Meta(description="The user_ids of the student's advisors.")]
    directory_opt_out: Annotated[
        bool, Meta(description="The student opted out of the directory: don't pass on the name and the email.")
    ]
    attributes: StudentAttributesSchema

    @classmethod
    def of(cls, student: User) -> Self:
        return cls(
            student.user_id,
            student.email,
            student.first_name,
            student.last_name,
            student.preferred_name,
            student.pronouns,
            list(student.advisors),
            student.directory_opt_out,
            StudentAttributesSchema.of(student.attributes),
        )


class StudentPage(Struct, frozen=True):
    """A page of students, sorted by user_id."""

    students: list[StudentSchema]
    next: Next = None


class StudentQuery(Struct, frozen=True):
    """Filters for students."""

    q: Annotated[Text, Meta(description="Each word begins one of a name or the email, or is the user_id.")] = ""
    opted_out: Annotated[Flag, Meta(description="Include students who opted out of the directory.")] = False
    limit: Limit = 50
    cursor: Cursor = ""


class PlannedSectionSchema(Struct, frozen=True):
    """A section in a student's plan."""

    term: str
    courseID: str
    section: str
    place: Annotated[int, Meta(description="Sections are tried in this order, from 1.")]
    added_at: Annotated[datetime, Meta(tz=True)]

    @classmethod
    def of(cls, planned: PlannedSection) -> Self:
        key = planned.key
        return cls(key.term, key.courseID, key.section, planned.place, planned.added_at)


class StudentRecord(Struct, frozen=True):
    """A student with the schedule of every term, the places on waitlists and the plan."""

    student: StudentSchema
    enrollments: list[EnrollmentSchema]
    waitlist: list[WaitlistPlaceSchema]
    plan: list[PlannedSectionSchema]

    @classmethod
    def of(
        cls, student: User, seats: Sequence[Registration], places: WaitlistPlaces, plan: Sequence[PlannedSection]
    ) -> Self:
        return cls(
            StudentSchema.of(student),
            [EnrollmentSchema.of(one) for one in seats],
            places.waitlist,
            [PlannedSectionSchema.of(one) for one in plan],
        )


class RuleSchema(Struct, frozen=True):
    """How a rule applies: `code` and `detail` say what the student sees if it is not met."""

    rule: Annotated[str, Meta(description=f"One of {', '.join(one.name.lower() for one in Rule)}.")]
    is_met: bool
    code: str | None = None
    detail: str | None = None
    override: Annotated[str | None, Meta(description="How staff override it; null if that is impossible.")] = None

    @classmethod
    def of(cls, rule: Rule, refusal: Refused | None) -> Self:
        if refusal is None:
            return cls(rule.name.lower(), is_met=True)
        override = None if refusal.override is None else str(refusal.override)
        return cls(rule.name.lower(), False, refusal.code, refusal.text, override)


class RuleList(Struct, frozen=True):
    """Every rule for enrolling in the section now, in the order in which they are checked."""

    rules: list[RuleSchema]

    @classmethod
    def of(cls, found: Mapping[Rule, Refused | None]) -> Self:
        return cls([RuleSchema.of(*one) for one in found.items()])


class ActBody(SectionKeyQuery, frozen=True, kw_only=True):
    """What to do for the student in the section, and why."""

    example: ClassVar = {
        "term": "Fall 2026",
        "courseID": "1111",
        "section": "01",
        "action": "enroll",
        "reason": "The dean agreed.",
        "overrides": ["full"],
    }

    action: Annotated[
        Literal["enroll", "drop", "withdraw", "swap", "join", "leave", "reorder"],
        Meta(extra={"sentence": "Send enroll, drop, withdraw, swap, join, leave or reorder."}),
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=300,
            pattern=r"\S",
            description="The student sees it in a notice and in the history.",
            examples=["The dean agreed."],
            extra={"sentence": "Send the reason as text of 1 to 300 characters."},
        ),
    ]
    overrides: Annotated[
        list[Override],
        Meta(max_length=20, description="The rules to override.", extra={"sentence": "Send a list of overrides."}),
    ] = field(default_factory=list)
    dropped: Annotated[CourseID, Meta(description="The course that a swap drops.")] | UnsetType = UNSET
    position: Annotated[
        int,
        Meta(
            ge=1,
            le=9999,
            description="The new position on the waitlist, from 1, for `reorder`.",
            extra={"sentence": "Send a position from 1."},
        ),
    ] = 1
    dry_run: DryRun = False

    @property
    def change(self) -> StaffChange:
        dropped = "" if self.dropped is UNSET else self.dropped
        return StaffChange(StaffAction(self.action), self.key, dropped, self.position)


class ActResult(Struct, frozen=True):
    """What the student has in the course now; after a dry run that was not refused, the same as before."""

    user_id: int
    action: str
    term: str
    courseID: str
    section: Annotated[str, Meta(description="The section that the student is in; empty if none.")]
    standing: Literal["enrolled", "withdrawn", "waiting", "none"]
    position: Annotated[int | None, Meta(description="The position on the waitlist, from 1; null if not on it.")]
    dry_run: bool

    @classmethod
    def of(
        cls,
        user_id: int,
        body: ActBody,
        seats: Sequence[Registration],
        entry: WaitlistEntry | None,
        positions: Mapping[SectionKey, tuple[int, int]],
    ) -> Self:
        section, standing, position = "", "none", None
        if entry is not None and entry.key in positions:
            section, standing, position = entry.key.section, "waiting", positions[entry.key][0]
        for seat in seats:
            if seat.courseID == body.courseID and standing != "enrolled":
                section, standing, position = seat.section.section, seat.status, None
        return cls(user_id, body.action, body.term, body.courseID, section, standing, position, body.dry_run)  # type: ignore[arg-type]  # one of the four
