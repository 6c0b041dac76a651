"""The request and response schemas, whose fields have their stored names; the OpenAPI document is made from them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.domain import models
from quart_enroll.domain.email_settings import EmailSettings
from quart_enroll.domain.models import SectionKey, SectionRequest, User
from quart_enroll.domain.pools import Pool
from quart_enroll.domain.roles import Role, in_order

# Types of values in requests. The description is for the document; the sentence answers a request with a wrong value.
CourseID = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=20,
        description="The course number.",
        examples=["1111"],
        extra={"sentence": "Send the course number, such as 1111, as text of at most 20 characters."},
    ),
]
TermName = Annotated[
    str,
    Meta(
        max_length=100,
        description="The full name of a term, such as Fall 2026, or a season, such as Fall, for the next one.",
        examples=["Fall 2026"],
        extra={"sentence": "Send a term as text, such as Fall 2026."},
    ),
]
SectionNumber = Annotated[
    str,
    Meta(
        max_length=10,
        description="The section number.",
        examples=["01"],
        extra={"sentence": "Send a section as text, such as 01, of at most 10 characters."},
    ),
]
UserID = Annotated[
    int,
    Meta(ge=0, le=10**18, description="The number of an account.", examples=[1], extra={"sentence": "Send a user_id."}),
]
Text = Annotated[str, Meta(max_length=100, extra={"sentence": "Send text of at most 100 characters."})]
Credits = Annotated[float, Meta(ge=0, le=30, extra={"sentence": "Send a number from 0 to 30."})]
Flag = Annotated[bool, Meta(extra={"sentence": "Send true or false."})]
Cursor = Annotated[
    str,
    Meta(
        max_length=500,  # for a section it contains the term, the courseID and the section number
        description="`next` of the previous page; omit it for the first page.",
        extra={"sentence": "Send the value of next from the previous page."},
    ),
]
Limit = Annotated[
    int,
    Meta(
        ge=1,
        le=100,
        description="The maximum number of items on a page.",
        extra={"sentence": "Send a whole number from 1 to 100."},
    ),
]
Next = Annotated[str | None, Meta(description="The cursor of the next page; null on the last page.")]
IdempotencyKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="Random text that you choose for each change: repeats within 24 hours get the first response.",
        extra={"sentence": "A key has 1 to 255 printable ASCII characters and no spaces."},
    ),
]


END_OF_DAY = "A deadline at the end of a day is the start of the next day in the school’s time zone."


class TermSchema(Struct, frozen=True):
    """A term and its deadlines, in UTC."""

    term: Annotated[str, Meta(examples=["Fall 2026", "2026FA"], description="The school’s own name for the term.")]
    season: Annotated[str | None, Meta(description="For terms named like Fall 2026; null for other names.")]
    year: Annotated[int | None, Meta(description="For terms named like Fall 2026; null for other names.")]
    opens_at: Annotated[datetime, Meta(tz=True, description="When enrollment opens.")]
    add_deadline: Annotated[datetime, Meta(tz=True, description=f"When adding courses ends. {END_OF_DAY}")]
    drop_deadline: Annotated[datetime, Meta(tz=True, description=f"Drops before this leave no trace. {END_OF_DAY}")]
    withdraw_deadline: Annotated[datetime, Meta(tz=True, description=f"When withdrawing ends. {END_OF_DAY}")]
    max_credits: float
    timezone: Annotated[str, Meta(description="The school’s time zone.")]
    starts_on: Annotated[date | None, Meta(description="The first day of class; null if the school has not set it.")]
    ends_on: Annotated[date | None, Meta(description="The last day of class; null if the school has not set it.")]
    open_enrollment_at: Annotated[
        datetime | None,
        Meta(description="From when appointments no longer matter; null if they do all the time."),
    ]
    in_progress_counts: Annotated[
        bool, Meta(description="Courses of earlier terms count as requisites before their grades are recorded.")
    ]

    @classmethod
    def of(cls, term: models.Term) -> Self:
        return cls(**{name: getattr(term, name) for name in cls.__struct_fields__})


RestrictionText = Annotated[
    str,
    Meta(
        examples=["program: Nursing, Biology; not level: First-year"],
        description="Which students may enroll; empty for everybody.",
    ),
]


RepeatAction = Literal["refuse", "warn"]
REPEAT_ACTION = "What happens after `max_attempts`: the student is refused with `repeat_limit`, or only warned."

ConsentName = Annotated[
    Literal["none", "instructor", "department"],
    Meta(
        description="Whose consent a student needs to enroll or to join the waitlist.",
        extra={"sentence": "Send none, instructor or department."},
    ),
]


class CourseSchema(Struct, frozen=True):
    """A course in the catalog; `term` lists the seasons or terms in which it is offered."""

    courseID: str
    title: str
    description: str
    credits: float
    term: Annotated[str, Meta(examples=["Fall, Spring"])]
    subject: str
    prerequisites: list[str]
    corequisites: list[str]
    requisite: Annotated[
        str,
        Meta(
            examples=["(MAT115 or MAT120) and ENG101"],
            description="Prerequisites with alternatives, in addition to `prerequisites`; empty for none.",
        ),
    ]
    restriction: RestrictionText
    max_attempts: Annotated[
        int | None, Meta(description="In how many terms a student can take it; null for any number.")
    ]
    withdrawals_count: Annotated[bool, Meta(description="A withdrawal counts as an attempt.")]
    repeat_action: Annotated[RepeatAction, Meta(description=REPEAT_ACTION)]
    equivalents: Annotated[list[str], Meta(description="Courses that count as well where this one is required.")]

    @classmethod
    def of(cls, course: models.Course) -> Self:
        facts: dict[str, Any] = {name: getattr(course, name) for name in cls.__struct_fields__}
        facts |= {name: list(facts[name]) for name in ("prerequisites", "corequisites", "equivalents")}
        return cls(**facts | {"max_attempts": course.max_attempts or None})


class MeetingSchema(Struct, frozen=True):
    """A weekly meeting."""

    days: Annotated[str, Meta(description="Letters of MTWRFSU; R is Thursday, U is Sunday.", examples=["MWF"])]
    start: Annotated[str, Meta(examples=["09:00"])]
    end: Annotated[str, Meta(examples=["09:50"])]

    @classmethod
    def all(cls, meetings: tuple[models.Meeting, ...]) -> list[Self]:
        return [cls(meeting.days, meeting.start, meeting.end) for meeting in meetings]


class PoolSchema(Struct, frozen=True):
    """Seats of a section that are reserved for a group of students."""

    name: str
    seats: int
    restriction: Annotated[
        str, Meta(description="The group, written like the restriction of a section.", examples=["program: Nursing"])
    ]
    release: Annotated[
        str,
        Meta(
            description="When the seats are released: a day, which they stay reserved on, or a time, both by the clock "
            "of the term. Empty for never.",
            examples=["2026-08-15", "2026-08-15 12:00"],
        ),
    ] = ""
    seats_left: Annotated[
        int, Meta(description="Reserved seats that no student has taken; 0 once they are released.")
    ] = 0

    @classmethod
    def all(cls, pools: tuple[Pool, ...]) -> list[Self]:
        return [cls(one.name, one.seats, one.restriction, one.release, one.seats_left) for one in pools]


OPEN_SEATS = "Seats that are open to everybody; students may also take those left in the `pools` that admit them."


class SectionSchema(Struct, frozen=True):
    """One offering of a course in a term: its times, place, instructor and seats."""

    term: str
    courseID: str
    section: str
    capacity: int
    seats_taken: int
    open_seats: Annotated[int, Meta(description=OPEN_SEATS)]
    waitlist_capacity: int
    waiting: int
    meetings: list[MeetingSchema]
    instructor: str
    room: str
    status: Annotated[
        Literal["active", "closed"], Meta(description="A closed section has no open seats, and no waitlist to join.")
    ]
    restriction: RestrictionText
    consent: ConsentName
    pools: list[PoolSchema]

    @classmethod
    def of(cls, section: models.Section) -> Self:
        facts: dict[str, Any] = {name: getattr(section, name) for name in cls.__struct_fields__}
        lists = {"meetings": MeetingSchema.all(section.meetings), "pools": PoolSchema.all(section.pools)}
        return cls(**facts | lists)


class TermList(Struct, frozen=True):
    """The terms that are not over, in chronological order."""

    terms: list[TermSchema]


class CoursePage(Struct, frozen=True):
    """A page of courses, sorted by courseID."""

    courses: list[CourseSchema]
    next: Next = None


class SectionPage(Struct, frozen=True):
    """A page of sections, sorted by term, courseID and section number."""

    sections: list[SectionSchema]
    next: Next = None


class CourseQuery(Struct, frozen=True):
    """Filters for courses."""

    q: Annotated[
        Text,
        Meta(
            description="Courses with all of these words in number, title, description, subject or instructor. Other "
            "forms, beginnings and common synonyms of a word count too; a word that nothing has is looked for in its "
            "nearest spelling.",
            examples=["python"],
        ),
    ] = ""
    term: TermName = ""
    subject: Annotated[Text, Meta(description="Only courses in this subject.")] = ""
    credits: Annotated[Credits, Meta(description="Only courses with this number of credits.")] | UnsetType = UNSET
    open_seats: (
        Annotated[Flag, Meta(description="Only courses with open seats, or only those without.")] | UnsetType
    ) = UNSET
    limit: Limit = 50
    cursor: Cursor = ""


class SectionQuery(Struct, frozen=True):
    """Filters for sections."""

    term: TermName = ""
    courseID: CourseID | UnsetType = UNSET
    open_seats: Annotated[Flag, Meta(description="Only sections with open seats, or full ones.")] | UnsetType = UNSET
    limit: Limit = 50
    cursor: Cursor = ""


class EmailSettingsSchema(Struct, frozen=True):
    """Which emails the user gets `at_once`, in the `daily` digest, or not at all (`off`). All others are mandatory."""

    confirmation: Annotated[str, Meta(description="Confirmations of the user's own changes.")]
    waitlist: Annotated[str, Meta(description="A seat opened, but the user couldn't be enrolled.")]
    alert: Annotated[str, Meta(description="Seat alerts; never `daily`.")]
    section_change: Annotated[str, Meta(description="Changes to the user's sections.")]

    @classmethod
    def of(cls, settings: EmailSettings) -> Self:
        return cls(settings.confirmation, settings.waitlist, settings.alert, settings.section_change)


class UserSchema(Struct, frozen=True):
    """The user whose token or password the request has."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    role: Annotated[str, Meta(description="`registrar` for registrars, `student` for all others; use `roles`.")]
    roles: Annotated[list[str], Meta(description=f"Any of {', '.join(Role)}.")]
    email_settings: EmailSettingsSchema

    @classmethod
    def of(cls, user: User) -> "UserSchema":
        """Describe the user."""
        roles = [str(role) for role in in_order(user.roles)]
        settings = EmailSettingsSchema.of(user.email_settings)
        return cls(user.user_id, user.email, user.first_name, user.last_name, user.role, roles, settings)


class EnrollmentSchema(Struct, frozen=True):
    """A course on a student's schedule."""

    courseID: str
    title: str
    credits: float
    term: Annotated[str, Meta(description="The term in which the student takes the course.")]
    section: str
    status: Literal["enrolled", "withdrawn"]
    meetings: list[MeetingSchema]
    instructor: str
    room: str

    @classmethod
    def of(cls, registration: models.Registration) -> Self:
        course, section = registration.course, registration.section
        return cls(
            courseID=course.courseID,
            title=course.title,
            credits=course.credits,
            term=section.term,
            section=section.section,
            status=registration.status,  # type: ignore[arg-type]  # one of the two
            meetings=MeetingSchema.all(section.meetings),
            instructor=section.instructor,
            room=section.room,
        )


class EnrollmentList(Struct, frozen=True):
    """The student's enrollments, sorted by courseID."""

    enrollments: list[EnrollmentSchema]


class SectionBody(Struct, frozen=True):
    """A section: by default, one in the next term that offers the course."""

    courseID: CourseID
    term: TermName = ""
    section: SectionNumber = ""

    def request(self) -> SectionRequest:
        return SectionRequest(self.courseID, self.term, self.section)


class EnrollBody(SectionBody, frozen=True):
    """The section to enroll in: by default an open one, in the next term that offers the course.

    `with_corequisites` also enrolls in every corequisite that you neither have nor have taken: in all of them or none.
    """

    example: ClassVar = {"courseID": "1111", "term": "Fall 2026", "section": "01"}

    with_corequisites: bool = False


class SwapBody(Struct, frozen=True):
    """The course to drop, and the one to enroll in instead."""

    example: ClassVar = {"drop": "1111", "add": "3333", "term": "Fall 2026"}

    drop: CourseID
    add: Annotated[CourseID, Meta(examples=["3333"])]
    term: TermName = ""
    section: SectionNumber = ""

    def request(self) -> SectionRequest:
        return SectionRequest(self.add, self.term, self.section)


class WaitlistBody(SectionBody, frozen=True):
    """The waitlist to join; the course `drop_if_enrolled` is dropped at the moment when you get the seat."""

    example: ClassVar = {"courseID": "3333", "term": "Fall 2026", "drop_if_enrolled": "1111"}

    drop_if_enrolled: CourseID | None = None


class LeaveQuery(Struct, frozen=True):
    """One of the student's courses; the term may be omitted if the student has it in one term only."""

    courseID: CourseID
    term: TermName = ""

    def request(self) -> SectionRequest:
        return SectionRequest(self.courseID, self.term)


class DropQuery(LeaveQuery, frozen=True):
    """The course to drop; `with_corequisites` also drops the courses that need it."""

    with_corequisites: Flag = False


class EnrollmentQuery(Struct, frozen=True):
    """Filters for enrollments."""

    term: TermName = ""
    courseID: CourseID | UnsetType = UNSET


class DropResult(Struct, frozen=True):
    """The courses that were dropped; none if the student did not have the course."""

    term: str
    action: Annotated[
        Literal["drop", "withdraw", "nothing"], Meta(description="A withdrawn course stays on the schedule.")
    ]
    courses: list[str]


class WaitlistPlaceSchema(Struct, frozen=True):
    """A place on a waitlist, or the seat that the student got from it."""

    courseID: str
    term: str
    section: str
    status: Literal["waiting", "enrolled"]
    position: Annotated[int | None, Meta(description="Counted from 1; null for an enrolled student.")] = None
    of: Annotated[int | None, Meta(description="The number of students on the waitlist.")] = None
    joined_at: Annotated[datetime, Meta(tz=True)] | None = None
    drop_if_enrolled: str | None = None
    skipped_because: Annotated[
        str | None, Meta(description="Why an open seat went to the next student on the waitlist.")
    ] = None

    @classmethod
    def waiting(cls, entry: models.WaitlistEntry, position: tuple[int, int]) -> Self:
        return cls(
            entry.key.courseID,
            entry.key.term,
            entry.key.section,
            "waiting",
            *position,
            entry.joined_at,
            entry.drop_if_enrolled,
            None if entry.skipped_because is None else str(entry.skipped_because),
        )

    @classmethod
    def enrolled(cls, key: SectionKey) -> Self:
        return cls(key.courseID, key.term, key.section, "enrolled")


class WaitlistPlaces(Struct, frozen=True):
    """The student's places on waitlists."""

    waitlist: list[WaitlistPlaceSchema]

    @classmethod
    def of(cls, entries: Sequence[models.WaitlistEntry], positions: Mapping[SectionKey, tuple[int, int]]) -> Self:
        """Describe the entries; one without a position has just left its waitlist."""
        return cls([WaitlistPlaceSchema.waiting(one, positions[one.key]) for one in entries if one.key in positions])


class LeaveResult(Struct, frozen=True):
    """The waitlist that was left; `nothing` if the student was on none."""

    courseID: str
    action: Literal["leave", "nothing"]


class EventSchema(Struct, frozen=True):
    """A change to one of the student's seats, or a refused attempt."""

    at: Annotated[datetime, Meta(tz=True)]
    actor: Annotated[int, Meta(description="The user_id of the person who did it.")]
    user_id: int
    action: Literal[
        "enroll", "drop", "withdraw", "swap", "join", "leave", "promote", "skip", "moved", "reorder", "cancelled"
    ]
    courseID: str
    term: str
    section: str
    result: Annotated[str, Meta(description="ok, or the code of the refusal.")]
    count: Annotated[int, Meta(description="How many times the same refusal occurred that day; 1 for anything else.")]
    last_at: Annotated[datetime, Meta(tz=True, description="The last time of a repeated refusal; else equal to `at`.")]
    reason: Annotated[str, Meta(description="Why staff did it; empty if the student did.")]
    overrides: Annotated[list[str], Meta(description="The rules that staff overrode.")]
    changes: Annotated[str, Meta(description="The changes to the section if the action is `moved`; otherwise empty.")]

    @classmethod
    def of(cls, event: models.Event) -> Self:
        facts = {name: getattr(event, name) for name in cls.__struct_fields__}
        texts = {"overrides": list(event.overrides), "changes": str(event.changes or "")}
        return cls(**facts | texts | {"last_at": event.last_at or event.at})


class EventPage(Struct, frozen=True):
    """A page of events, the latest first."""

    events: list[EventSchema]
    next: Next = None


class PageQuery(Struct, frozen=True):
    """A page of a list."""

    limit: Limit = 50
    cursor: Cursor = ""


class IdempotencyHeaders(Struct, frozen=True):
    """The headers that make a change return the same response when repeated."""

    idempotency_key: IdempotencyKey | UnsetType = UNSET
