"""The schemas of sections as staff see and change them."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.api.v1.schemas import (
    OPEN_SEATS,
    ConsentName,
    CourseID,
    Cursor,
    Flag,
    Limit,
    MeetingSchema,
    Next,
    PoolSchema,
    RestrictionText,
    SectionNumber,
    Text,
    UserID,
)
from quart_enroll.domain import models
from quart_enroll.domain.models import Course, SectionKey
from quart_enroll.domain.pools import MAX_POOLS
from quart_enroll.services.catalog.import_results import FieldChange
from quart_enroll.services.staff.cancellation import CancelledStudent
from quart_enroll.services.staff.catalog_edits import audit_change
from quart_enroll.services.staff.seat_previews import GainedSeat
from quart_enroll.services.staff.section_effects import Effects

StoredTerm = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=50,
        description="The full name of a term.",
        examples=["Fall 2026"],
        extra={"sentence": "Send the full name of a term, such as Fall 2026."},
    ),
]
StoredSection = Annotated[SectionNumber, Meta(min_length=1)]
Seats = Annotated[int, Meta(ge=0, le=100_000, extra={"sentence": "Send a whole number from 0 to 100000."})]
Revision = Annotated[
    int,
    Meta(
        ge=0,
        description="The `revision` that you have read; if the section has changed since then, nothing is stored.",
        extra={"sentence": "Send the revision of the section that you have read."},
    ),
]
DryRun = Annotated[Flag, Meta(description="Change nothing, and return what would happen.")]
EditedStatus = Annotated[
    Literal["active", "tentative", "closed"],
    Meta(
        description="Only staff see a tentative section; nobody can get a seat in a closed one.",
        extra={"sentence": "Send active, tentative or closed."},
    ),
]
WrittenRestriction = Annotated[
    RestrictionText, Meta(max_length=500, extra={"sentence": "Send text of at most 500 characters."})
]
ShortText = Annotated[str, Meta(max_length=100, extra={"sentence": "Send text of at most 100 characters."})]
UserIDs = Annotated[
    list[UserID],
    Meta(max_length=50, description="The user_ids of people.", extra={"sentence": "Send a list of user_ids."}),
]
Meetings = Annotated[
    list[MeetingSchema], Meta(max_length=50, extra={"sentence": "Send a list of objects with days, start and end."})
]


class PoolBody(Struct, frozen=True):
    """Seats to reserve for a group of students."""

    name: ShortText
    seats: Seats
    restriction: WrittenRestriction
    release: ShortText = ""


Pools = Annotated[
    list[PoolBody],
    Meta(
        max_length=MAX_POOLS,
        description="Students take seats from the first pool that admits them. A pool keeps the students who have its "
        "seats as long as its name stays the same.",
        extra={"sentence": "Send a list of objects with name, seats, restriction and, optionally, release."},
    ),
]

SECTION_EXAMPLE = {"term": "Fall 2026", "courseID": "1111", "section": "01"}
"""How examples of requests name a section."""


class StaffSectionSchema(Struct, frozen=True):
    """A section with everything that staff see."""

    term: str
    courseID: str
    section: str
    title: str
    subject: str
    capacity: int
    seats_taken: int
    open_seats: Annotated[int, Meta(description=OPEN_SEATS)]
    waitlist_capacity: int
    waiting: int
    meetings: list[MeetingSchema]
    instructor: Annotated[str, Meta(description="The name that students see.")]
    instructors: Annotated[list[int], Meta(description="The user_ids of the people who see the roster.")]
    room: str
    status: Literal["active", "tentative", "closed", "cancelled"]
    restriction: RestrictionText
    consent: ConsentName
    pools: list[PoolSchema]
    revision: Annotated[int, Meta(description="Increases with each edit; send it with your edit.")]

    @classmethod
    def of(cls, course: Course, section: models.Section) -> Self:
        own = [name for name in cls.__struct_fields__ if name not in ("title", "subject")]
        facts: dict[str, Any] = {name: getattr(section, name) for name in own}
        return cls(
            **facts
            | {
                "title": course.title,
                "subject": course.subject,
                "meetings": MeetingSchema.all(section.meetings),
                "pools": PoolSchema.all(section.pools),
                "instructors": list(section.instructors),
                "status": str(section.status),
            }
        )


class StaffSectionPage(Struct, frozen=True):
    """A page of sections, sorted by courseID and section number."""

    sections: list[StaffSectionSchema]
    next: Next = None


class StaffSectionQuery(Struct, frozen=True):
    """Filters for the sections of a term."""

    term: Annotated[Text, Meta(description="A term, or a season for the next one; by default the current term.")] = ""
    q: Annotated[Text, Meta(description="All of these words in number, title, instructor or room.")] = ""
    courseID: CourseID | UnsetType = UNSET
    subject: Text = ""
    status: Literal["", "active", "tentative", "closed", "cancelled"] = ""
    seats: Annotated[
        Literal["", "open", "full", "waiting"],
        Meta(description="Only sections with open seats, full ones, or those with students waiting."),
    ] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class SectionKeyQuery(Struct, frozen=True):
    """The section, by its unique name."""

    term: StoredTerm
    courseID: CourseID
    section: StoredSection

    @property
    def key(self) -> SectionKey:
        return SectionKey(self.term, self.courseID, self.section)


class NewSectionBody(Struct, frozen=True):
    """A new section; its number must never have been used in the term."""

    example: ClassVar = {
        "term": "Fall 2026",
        "courseID": "1111",
        "section": "05",
        "capacity": 24,
        "meetings": [{"days": "MWF", "start": "09:00", "end": "09:50"}],
        "room": "Turing Hall 101",
    }

    term: StoredTerm
    courseID: CourseID
    section: StoredSection
    capacity: Seats
    waitlist_capacity: Seats | UnsetType = UNSET
    meetings: Meetings = []
    instructor: ShortText = ""
    instructors: UserIDs = []
    room: ShortText = ""
    status: EditedStatus = "active"
    restriction: WrittenRestriction = ""
    consent: ConsentName = "none"
    pools: Pools = []


class EditSectionBody(SectionKeyQuery, frozen=True, kw_only=True):
    """The section, and the fields to change; fields that you don't send keep their values."""

    example: ClassVar = {
        "term": "Fall 2026",
        "courseID": "1111",
        "section": "01",
        "revision": 0,
        "capacity": 30,
        "dry_run": True,
    }

    revision: Revision
    capacity: Seats | UnsetType = UNSET
    waitlist_capacity: Seats | UnsetType = UNSET
    meetings: Meetings | UnsetType = UNSET
    instructor: ShortText | UnsetType = UNSET
    instructors: UserIDs | UnsetType = UNSET
    room: ShortText | UnsetType = UNSET
    status: EditedStatus | UnsetType = UNSET
    restriction: WrittenRestriction | UnsetType = UNSET
    consent: ConsentName | UnsetType = UNSET
    pools: Pools | UnsetType = UNSET
    dry_run: DryRun = False


class CancelSectionBody(SectionKeyQuery, frozen=True, kw_only=True):
    """The section to cancel, and why."""

    example: ClassVar = {
        "term": "Fall 2026",
        "courseID": "1111",
        "section": "01",
        "revision": 0,
        "reason": "Too few students",
        "dry_run": True,
    }

    revision: Revision
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="Kept in the audit log; students don't see it.",
            extra={"sentence": "Send the reason as text of 1 to 200 characters."},
        ),
    ]
    dry_run: DryRun = False


class ChangeSchema(Struct, frozen=True):
    """A field with its value before and after, as text."""

    field: str
    old: str
    new: str

    @classmethod
    def all(cls, changes: "list[FieldChange] | tuple[FieldChange, ...]") -> list[Self]:
        return [cls(one.field, one.old, one.new) for one in map(audit_change, changes)]


class GainedSeatSchema(Struct, frozen=True):
    """A student who gets a seat from a waitlist."""

    user_id: int
    term: str
    courseID: str
    section: str

    @classmethod
    def all(cls, gained: Iterable[GainedSeat]) -> list[Self]:
        return [cls(one.user_id, one.key.term, one.key.courseID, one.key.section) for one in gained]


class ConflictSchema(Struct, frozen=True):
    """A student who gets a time conflict."""

    user_id: int
    is_waiting: bool
    detail: str


class SectionEdit(Struct, frozen=True):
    """What an edit of a section changed, and its effects on people; with `dry_run`, what it would do."""

    section: StaffSectionSchema
    changes: list[ChangeSchema]
    gained: list[GainedSeatSchema]
    conflicts: list[ConflictSchema]
    notified: Annotated[int, Meta(description="The number of students who are notified of the change.")]
    overbooked: Annotated[
        int, Meta(description="The number of students beyond the new capacity, who keep their seats.")
    ]
    dry_run: bool

    @classmethod
    def of(cls, course: Course, effects: Effects, *, dry_run: bool) -> Self:
        return cls(
            StaffSectionSchema.of(course, effects.section),
            ChangeSchema.all(list(effects.changes)),
            GainedSeatSchema.all(effects.gained),
            [ConflictSchema(one.user_id, one.is_waiting, str(one.sentence)) for one in effects.conflicts],
            effects.notified,
            effects.overbooked,
            dry_run,
        )


class LostPlaceSchema(Struct, frozen=True):
    """A student who loses a seat or a place on the waitlist, and the numbers of the other sections that fit."""

    user_id: int
    is_waiting: bool
    alternatives: list[str]


class SectionCancellation(Struct, frozen=True):
    """The students who lost their places; with `dry_run`, those who would."""

    students: list[LostPlaceSchema]
    dry_run: bool

    @classmethod
    def of(cls, lost: list[CancelledStudent], *, dry_run: bool) -> Self:
        return cls([LostPlaceSchema(one.user_id, one.is_waiting, list(one.alternatives)) for one in lost], dry_run)
