"""The schemas of terms and courses as staff see and change them."""

from datetime import date
from typing import Annotated, ClassVar, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.api.v1.schemas import (
    REPEAT_ACTION,
    CourseID,
    CourseSchema,
    Credits,
    Cursor,
    Flag,
    Limit,
    RepeatAction,
    TermSchema,
    Text,
)
from quart_enroll.api.v1.staff.section_schemas import (
    ChangeSchema,
    DryRun,
    GainedSeatSchema,
    StoredTerm,
    WrittenRestriction,
)
from quart_enroll.domain.models import Course, Term
from quart_enroll.services.catalog.import_results import ImportResult

Moment = Annotated[
    str,
    Meta(
        max_length=40,
        description="A date, or a date and time; without an offset, in the `timezone`. A deadline includes its day.",
        examples=["2026-09-14", "2026-08-01T09:00", "2026-08-01T13:00:00Z"],
        extra={"sentence": "Send a date such as 2026-08-01, or a date and time such as 2026-08-01T09:00."},
    ),
]
Day = Annotated[
    str,
    Meta(
        max_length=10,
        description="A date, or an empty string for none; a term has both dates or neither.",
        examples=["2026-08-31"],
        extra={"sentence": "Send a date such as 2026-08-31, or an empty string."},
    ),
]
MaxCredits = Annotated[float, Meta(ge=0, le=100, extra={"sentence": "Send a number from 0 to 100."})]
Timezone = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=50,
        examples=["America/New_York"],
        extra={"sentence": "Send a timezone such as America/New_York."},
    ),
]
Title = Annotated[str, Meta(min_length=1, max_length=100, extra={"sentence": "Send a title of 1 to 100 characters."})]
Description = Annotated[str, Meta(max_length=2000, extra={"sentence": "Send text of at most 2,000 characters."})]
OfferedIn = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        description="Seasons or terms, separated by commas.",
        examples=["Fall, Spring"],
        extra={"sentence": "Send seasons or terms such as Fall, Spring."},
    ),
]
Subject = Annotated[str, Meta(max_length=50, extra={"sentence": "Send text of at most 50 characters."})]
WrittenRequisite = Annotated[
    str,
    Meta(
        max_length=500,
        examples=["(MAT115 or MAT120) and ENG101"],
        extra={"sentence": "Send text of at most 500 characters."},
    ),
]
MaxAttempts = Annotated[
    Annotated[int, Meta(ge=1, le=20)] | None,
    Meta(
        description="In how many terms a student can take it; null for any number.",
        extra={"sentence": "Send a whole number from 1 to 20, or null."},
    ),
]
WrittenRepeatAction = Annotated[
    RepeatAction, Meta(description=REPEAT_ACTION, extra={"sentence": "Send refuse or warn."})
]
CourseIDs = Annotated[list[CourseID], Meta(max_length=50, extra={"sentence": "Send a list of course numbers."})]


class StaffTermSchema(TermSchema, frozen=True):
    """A term with its deadlines, in UTC, and the days on which courses meet."""

    starts_on: date | None
    ends_on: date | None


class StaffTermList(Struct, frozen=True):
    """All terms, past ones included, in chronological order."""

    terms: list[StaffTermSchema]


class TermQuery(Struct, frozen=True):
    """The term."""

    term: StoredTerm


class NewTermBody(Struct, frozen=True):
    """A new term."""

    example: ClassVar = {
        "term": "Fall 2027",
        "opens_at": "2027-04-12T09:00",
        "add_deadline": "2027-09-13",
        "drop_deadline": "2027-09-20",
        "withdraw_deadline": "2027-11-05",
        "max_credits": 18,
        "timezone": "America/New_York",
        "starts_on": "2027-08-30",
        "ends_on": "2027-12-17",
        "open_enrollment_at": "2027-05-03T09:00",
    }

    term: StoredTerm
    opens_at: Moment
    add_deadline: Moment
    drop_deadline: Moment
    withdraw_deadline: Moment
    max_credits: MaxCredits
    timezone: Timezone
    starts_on: Day = ""
    ends_on: Day = ""
    open_enrollment_at: Moment = ""
    in_progress_counts: Flag = True


class EditTermBody(Struct, frozen=True):
    """The term, and the fields to change; fields that you don't send keep their values."""

    example: ClassVar = {"term": "Fall 2026", "withdraw_deadline": "2026-11-06", "dry_run": True}

    term: StoredTerm
    opens_at: Moment | UnsetType = UNSET
    add_deadline: Moment | UnsetType = UNSET
    drop_deadline: Moment | UnsetType = UNSET
    withdraw_deadline: Moment | UnsetType = UNSET
    max_credits: MaxCredits | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    starts_on: Day | UnsetType = UNSET
    ends_on: Day | UnsetType = UNSET
    open_enrollment_at: Moment | UnsetType = UNSET
    in_progress_counts: Flag | UnsetType = UNSET
    dry_run: DryRun = False


class StaffCourseQuery(Struct, frozen=True):
    """Filters for courses."""

    q: Annotated[Text, Meta(description="All of these words in number, title or description.")] = ""
    subject: Text = ""
    limit: Limit = 50
    cursor: Cursor = ""


class CourseKeyQuery(Struct, frozen=True):
    """The course."""

    courseID: CourseID


class NewCourseBody(Struct, frozen=True):
    """A new course."""

    example: ClassVar = {
        "courseID": "6666",
        "title": "RUS 101",
        "credits": 3,
        "term": "Fall",
        "description": "Introduction to Rust",
    }

    courseID: CourseID
    title: Title
    credits: Credits
    term: OfferedIn
    description: Description = ""
    subject: Subject = ""
    prerequisites: CourseIDs = []
    corequisites: CourseIDs = []
    requisite: WrittenRequisite = ""
    restriction: WrittenRestriction = ""
    max_attempts: MaxAttempts = None
    withdrawals_count: Flag = False
    repeat_action: WrittenRepeatAction = "refuse"
    equivalents: CourseIDs = []


class EditCourseBody(Struct, frozen=True):
    """The course, and the fields to change; fields that you don't send keep their values."""

    example: ClassVar = {"courseID": "1111", "description": "Python for beginners", "dry_run": True}

    courseID: CourseID
    title: Title | UnsetType = UNSET
    credits: Credits | UnsetType = UNSET
    term: OfferedIn | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    subject: Subject | UnsetType = UNSET
    prerequisites: CourseIDs | UnsetType = UNSET
    corequisites: CourseIDs | UnsetType = UNSET
    requisite: WrittenRequisite | UnsetType = UNSET
    restriction: WrittenRestriction | UnsetType = UNSET
    max_attempts: MaxAttempts | UnsetType = UNSET
    withdrawals_count: Flag | UnsetType = UNSET
    repeat_action: WrittenRepeatAction | UnsetType = UNSET
    equivalents: CourseIDs | UnsetType = UNSET
    dry_run: DryRun = False


class TermEdit(Struct, frozen=True):
    """What an edit of a term changed, and who got a seat; with `dry_run`, what it would do."""

    term: StaffTermSchema
    changes: list[ChangeSchema]
    gained: list[GainedSeatSchema]
    dry_run: bool

    @classmethod
    def of(cls, term: Term, result: ImportResult, *, dry_run: bool) -> Self:
        return cls(StaffTermSchema.of(term), changes_of(result), gained_by(result), dry_run)


class CourseEdit(Struct, frozen=True):
    """What an edit of a course changed, and who got a seat; with `dry_run`, what it would do."""

    course: CourseSchema
    changes: list[ChangeSchema]
    gained: list[GainedSeatSchema]
    dry_run: bool

    @classmethod
    def of(cls, course: Course, result: ImportResult, *, dry_run: bool) -> Self:
        return cls(CourseSchema.of(course), changes_of(result), gained_by(result), dry_run)


def changes_of(result: ImportResult) -> list[ChangeSchema]:
    """Return what changed in the only row."""
    return ChangeSchema.all([change for row in result.changes for change in row.fields])


def gained_by(result: ImportResult) -> list[GainedSeatSchema]:
    """Return who got a seat."""
    return [GainedSeatSchema(one.user_id, one.term, one.courseID, one.section) for one in result.promoted]
