"""The schemas of rosters, and of dropping no-shows."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from msgspec import Meta, Struct

from quart_enroll.api.v1.schemas import Cursor, Flag, Limit, Next, UserID
from quart_enroll.api.v1.staff.section_schemas import SECTION_EXAMPLE, DryRun, GainedSeatSchema, SectionKeyQuery
from quart_enroll.domain.models import Event
from quart_enroll.services.staff.no_show import MAX_STUDENTS_AT_ONCE, NoShowDrop
from quart_enroll.services.staff.roster import RosterRow


class RosterQuery(SectionKeyQuery, frozen=True, kw_only=True):
    """The section, and which of its students."""

    standing: Annotated[
        Literal["", "enrolled", "waiting", "withdrawn", "left"], Meta(description="Only students with this standing.")
    ] = ""
    opted_out: Annotated[Flag, Meta(description="Include students who opted out of the directory.")] = False
    limit: Limit = 50
    cursor: Cursor = ""


class DepartureSchema(Struct, frozen=True):
    """How a student left the section."""

    at: Annotated[datetime, Meta(tz=True)]
    action: Annotated[str, Meta(description="drop, withdraw, swap, cancelled, or what else the history calls it.")]
    by: Annotated[
        Literal["student", "staff", "automatic"],
        Meta(description="Who did it; automatic is what followed from something else, such as a promotion."),
    ]
    author: Annotated[str, Meta(description="The name of the staff member; otherwise empty.")]
    reason: Annotated[str, Meta(description="Why staff did it; otherwise empty.")]
    moved_to: Annotated[str, Meta(description="The section to which the student moved; otherwise empty.")]

    @classmethod
    def of(cls, event: Event, author: str) -> Self:
        by: Literal["student", "staff", "automatic"] = "staff" if author else "automatic"
        if event.actor == event.user_id:
            by, author = "student", ""
        moved_to = event.section if event.from_section else ""
        return cls(event.at, event.action, by, author, event.reason, moved_to)


class RosterStudentSchema(Struct, frozen=True):
    """A student on a roster; for a removed account, the texts are empty."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    preferred_name: Annotated[str, Meta(description="What to call the student instead of the first name, or empty.")]
    pronouns: Annotated[str, Meta(description="As the student wrote them, such as they/them, or empty.")]
    directory_opt_out: Annotated[bool, Meta(description="The name and the email are not to be passed on.")]
    standing: Annotated[
        Literal["enrolled", "waiting", "withdrawn", "left"],
        Meta(description="left: the student dropped the section, or lost or moved the seat, without a W."),
    ]
    since: Annotated[datetime, Meta(tz=True)] | None
    position: Annotated[int | None, Meta(description="The position on the waitlist, from 1; null off it.")]
    departure: DepartureSchema | None

    @classmethod
    def of(cls, row: RosterRow) -> Self:
        student, departure = row.student, row.departure
        return cls(
            student.user_id,
            student.email,
            student.first_name,
            student.last_name,
            student.preferred_name,
            student.pronouns,
            student.directory_opt_out,
            row.standing.value,
            row.since,
            row.position or None,
            None if departure is None else DepartureSchema.of(departure, row.author),
        )


class RosterPage(Struct, frozen=True):
    """A page of a roster.

    First come the enrolled by name, then the waiting in their order, the withdrawn by name, and those who left in the
    order in which they did.
    """

    students: list[RosterStudentSchema]
    next: Next = None


class NoShowBody(SectionKeyQuery, frozen=True, kw_only=True):
    """The section, and the students who didn't attend."""

    example: ClassVar = {**SECTION_EXAMPLE, "students": [1, 2], "dry_run": True}

    students: Annotated[
        list[UserID],
        Meta(
            min_length=1,
            max_length=MAX_STUDENTS_AT_ONCE,
            description="Their user_ids; those who are not enrolled are ignored.",
            extra={"sentence": "Send a list of 1 to 500 user_ids."},
        ),
    ]
    dry_run: DryRun = False


class NoShowResult(Struct, frozen=True):
    """The students who were dropped, and those who got their seats; with `dry_run`, those who would."""

    dropped: list[int]
    gained: list[GainedSeatSchema]
    dry_run: bool

    @classmethod
    def of(cls, done: NoShowDrop, *, dry_run: bool) -> Self:
        return cls(list(done.dropped), GainedSeatSchema.all(done.gained), dry_run)
