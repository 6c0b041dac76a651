"""What the API sends and takes: each field with its name as stored. The OpenAPI document is made of these."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.domain import models
from quart_enroll.domain.models import SectionKey, SectionRequest

# What may be sent. The description tells programmers; the sentence answers who sends something else.
CourseID = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=20,
        description="The number of the course.",
        examples=["1111"],
        extra={"sentence": "Which course? Send its number, such as 1111, as text of at most 20 characters."},
    ),
]
TermName = Annotated[
    str,
    Meta(
        max_length=100,
        description="The full name of a term, such as Fall 2026, or a season, such as Fall, for the next one.",
        examples=["Fall 2026"],
        extra={"sentence": "A term is text like Fall 2026."},
    ),
]
SectionNumber = Annotated[
    str,
    Meta(
        max_length=10,
        description="The number of the section.",
        examples=["01"],
        extra={"sentence": "A section is text like 01, of at most 10 characters."},
    ),
]
Text = Annotated[str, Meta(max_length=100, extra={"sentence": "This is text of at most 100 characters."})]
Number = Annotated[float, Meta(ge=0, le=30, extra={"sentence": "This is a number from 0 to 30."})]
YesOrNo = Annotated[bool, Meta(extra={"sentence": "This is true or false."})]
Cursor = Annotated[
    str,
    Meta(
        max_length=500,  # for a section it contains the term, the courseID and the section number
        description="`next` of the page before; without it the first page.",
        extra={"sentence": "A cursor is what the page before gave as next."},
    ),
]
Limit = Annotated[
    int,
    Meta(
        ge=1,
        le=100,
        description="How many a page has at most.",
        extra={"sentence": "This is a whole number from 1 to 100."},
    ),
]
Next = Annotated[str | None, Meta(description="The cursor of the next page; null on the last one.")]
IdempotencyKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="A random text of your own for each change: a repeat within 24 hours is told what the first was.",
        extra={"sentence": "A key has 1 to 255 letters, digits and signs of ASCII, and no blanks."},
    ),
]


UNTIL = "A deadline at the end of a day is given as the start of the next day in the school’s time zone."


class Term(Struct, frozen=True):
    """A term, and from when to when students may do what, in UTC."""

    term: Annotated[str, Meta(examples=["Fall 2026", "2026FA"], description="The school’s own name for the term.")]
    season: Annotated[str | None, Meta(description="For terms named like Fall 2026; null for other names.")]
    year: Annotated[int | None, Meta(description="For terms named like Fall 2026; null for other names.")]
    opens_at: Annotated[datetime, Meta(tz=True, description="From now on seats can be taken.")]
    add_deadline: Annotated[datetime, Meta(tz=True, description=f"When adding ends. {UNTIL}")]
    drop_deadline: Annotated[datetime, Meta(tz=True, description=f"Dropping before this leaves no trace. {UNTIL}")]
    withdraw_deadline: Annotated[datetime, Meta(tz=True, description=f"When withdrawing ends. {UNTIL}")]
    max_credits: float
    timezone: Annotated[str, Meta(description="The school’s clock.")]

    @classmethod
    def of(cls, term: models.Term) -> Self:
        return cls(**{name: getattr(term, name) for name in cls.__struct_fields__})


class Course(Struct, frozen=True):
    """A course of the catalog; `term` lists the seasons or terms in which it is taught."""

    courseID: str
    title: str
    description: str
    credits: float
    term: Annotated[str, Meta(examples=["Fall, Spring"])]
    subject: str
    prerequisites: list[str]
    corequisites: list[str]

    @classmethod
    def of(cls, course: models.Course) -> Self:
        facts: dict[str, Any] = {name: getattr(course, name) for name in cls.__struct_fields__}
        return cls(**facts | {name: list(facts[name]) for name in ("prerequisites", "corequisites")})


class Meeting(Struct, frozen=True):
    """A weekly meeting."""

    days: Annotated[str, Meta(description="Of MTWRFSU; R is Thursday, U is Sunday.", examples=["MWF"])]
    start: Annotated[str, Meta(examples=["09:00"])]
    end: Annotated[str, Meta(examples=["09:50"])]

    @classmethod
    def all(cls, meetings: tuple[models.Meeting, ...]) -> list[Self]:
        return [cls(one.days, one.start, one.end) for one in meetings]


class Section(Struct, frozen=True):
    """A course as it is taught in a term: when, by whom, where, and how many seats are open."""

    term: str
    courseID: str
    section: str
    capacity: int
    seats_taken: int
    open_seats: int
    waitlist_capacity: int
    waiting: int
    meetings: list[Meeting]
    instructor: str
    room: str

    @classmethod
    def of(cls, section: models.Section) -> Self:
        facts: dict[str, Any] = {name: getattr(section, name) for name in cls.__struct_fields__}
        return cls(**facts | {"meetings": Meeting.all(section.meetings)})


class Terms(Struct, frozen=True):
    """The terms in which something can still be done, in the order of time."""

    terms: list[Term]


class Courses(Struct, frozen=True):
    """A page of the catalog, in the order of courseID."""

    courses: list[Course]
    next: Next = None


class Sections(Struct, frozen=True):
    """A page of the sections, in the order of term, courseID and number."""

    sections: list[Section]
    next: Next = None


class CourseQuery(Struct, frozen=True):
    """Which courses."""

    q: Annotated[Text, Meta(description="Only courses with all of these words in number, title or description.")] = ""
    term: TermName = ""
    subject: Annotated[Text, Meta(description="Only courses of this subject.")] = ""
    credits: Annotated[Number, Meta(description="Only courses with so many credits.")] | UnsetType = UNSET
    open_seats: Annotated[YesOrNo, Meta(description="Only courses with a seat, or only those without.")] | UnsetType = (
        UNSET
    )
    limit: Limit = 50
    cursor: Cursor = ""


class SectionQuery(Struct, frozen=True):
    """Which sections."""

    term: TermName = ""
    courseID: CourseID | UnsetType = UNSET
    open_seats: Annotated[YesOrNo, Meta(description="Only sections with a seat, or only full ones.")] | UnsetType = (
        UNSET
    )
    limit: Limit = 50
    cursor: Cursor = ""


class Me(Struct, frozen=True):
    """Who asks."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    role: Literal["student", "registrar"]


class Enrollment(Struct, frozen=True):
    """A course on a student's schedule."""

    courseID: str
    title: str
    credits: float
    term: Annotated[str, Meta(description="The one term in which the student takes it.")]
    section: str
    status: Literal["enrolled", "withdrawn"]
    meetings: list[Meeting]
    instructor: str
    room: str

    @classmethod
    def of(cls, course: models.Course, section: models.Section, status: Any) -> Self:
        return cls(
            courseID=course.courseID,
            title=course.title,
            credits=course.credits,
            term=section.term,
            section=section.section,
            status=status,
            meetings=Meeting.all(section.meetings),
            instructor=section.instructor,
            room=section.room,
        )


class Enrollments(Struct, frozen=True):
    """What the student has, in the order of courseID."""

    enrollments: list[Enrollment]


class EnrollBody(Struct, frozen=True):
    """Which seat; without a term the next one in which the course is taught, without a section any with a seat.

    `with_corequisites` takes one in each corequisite too that you neither have nor have taken before: all of them or
    none.
    """

    courseID: CourseID
    term: TermName = ""
    section: SectionNumber = ""
    with_corequisites: bool = False

    def wish(self) -> SectionRequest:
        return SectionRequest(self.courseID, self.term, self.section)


class SwapBody(Struct, frozen=True):
    """The course to give back, and the one to take instead."""

    drop: CourseID
    add: Annotated[CourseID, Meta(examples=["3333"])]
    term: TermName = ""
    section: SectionNumber = ""

    def wish(self) -> SectionRequest:
        return SectionRequest(self.add, self.term, self.section)


class WaitBody(Struct, frozen=True):
    """Which line; `drop_if_enrolled` is the course that is given back in the moment in which the seat comes."""

    courseID: CourseID
    term: TermName = ""
    section: SectionNumber = ""
    drop_if_enrolled: CourseID | None = None

    def wish(self) -> SectionRequest:
        return SectionRequest(self.courseID, self.term, self.section)


class WhichCourse(Struct, frozen=True):
    """Which course of the student; without a term the one in which the student has it."""

    courseID: CourseID
    term: TermName = ""

    def wish(self) -> SectionRequest:
        return SectionRequest(self.courseID, self.term)


class WhichDrop(WhichCourse, frozen=True):
    """Which course to give back; `with_corequisites` says yes to what goes along with it."""

    with_corequisites: YesOrNo = False


class WhichEnrollments(Struct, frozen=True):
    """Which enrollments."""

    term: TermName = ""
    courseID: CourseID | UnsetType = UNSET


class GivenBack(Struct, frozen=True):
    """What was given back; nothing when the student did not have it."""

    term: str
    action: Annotated[
        Literal["drop", "withdraw", "nothing"], Meta(description="A withdrawn course stays on the schedule.")
    ]
    courses: list[str]


class Place(Struct, frozen=True):
    """A place in a line, or the seat that came of it."""

    courseID: str
    term: str
    section: str
    status: Literal["waiting", "enrolled"]
    position: Annotated[int | None, Meta(description="From 1; null for who has the seat.")] = None
    of: Annotated[int | None, Meta(description="How many wait.")] = None
    joined_at: Annotated[datetime, Meta(tz=True)] | None = None
    drop_if_enrolled: str | None = None
    skipped_because: Annotated[str | None, Meta(description="Why a seat went on to the next in line.")] = None

    @classmethod
    def waiting(cls, one: models.WaitlistEntry, position: tuple[int, int]) -> Self:
        return cls(
            one.key.courseID,
            one.key.term,
            one.key.section,
            "waiting",
            *position,
            one.joined_at,
            one.drop_if_enrolled,
            None if one.skipped_because is None else str(one.skipped_because),
        )

    @classmethod
    def taken(cls, key: SectionKey) -> Self:
        return cls(key.courseID, key.term, key.section, "enrolled")


class Places(Struct, frozen=True):
    """Where the student waits."""

    waitlist: list[Place]


class Left(Struct, frozen=True):
    """The line that was left; `nothing` when the student was in none."""

    courseID: str
    action: Literal["leave", "nothing"]


class Event(Struct, frozen=True):
    """What happened to a seat of the student."""

    at: Annotated[datetime, Meta(tz=True)]
    actor: Annotated[int, Meta(description="The user_id of who did it.")]
    user_id: int
    action: Literal["enroll", "drop", "withdraw", "swap", "join", "leave", "promote", "skip", "moved"]
    courseID: str
    term: str
    section: str
    result: Annotated[str, Meta(description="ok, or the code of the refusal.")]
    count: Annotated[int, Meta(description="How many times the same refusal occurred that day; 1 for anything else.")]
    last_at: Annotated[datetime, Meta(tz=True, description="The last time, for a repeated refusal; else same as `at`.")]

    @classmethod
    def of(cls, event: models.Event) -> Self:
        facts = {name: getattr(event, name) for name in cls.__struct_fields__}
        return cls(**facts | {"last_at": event.last_at or event.at})


class Events(Struct, frozen=True):
    """A page of what happened, the latest first."""

    events: list[Event]
    next: Next = None


class PageQuery(Struct, frozen=True):
    """Which page."""

    limit: Limit = 50
    cursor: Cursor = ""


class RepeatHeaders(Struct, frozen=True):
    """What makes a change safe to send again."""

    idempotency_key: IdempotencyKey | UnsetType = UNSET
