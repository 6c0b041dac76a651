"""The schemas of the audit log and the access log."""

from datetime import UTC, datetime
from typing import Annotated, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.api.v1.schemas import Cursor, Limit, Next, UserID
from quart_enroll.domain.audit import ACTIONS, AccessEntry, AuditEntry, LogFilter
from quart_enroll.domain.errors import WrongFields
from quart_enroll.services.staff.named_entries import NamedEntry

TIME_SENTENCE = "Send a time with its offset, such as 2026-09-01T00:00:00Z."
Time = Annotated[
    datetime,
    Meta(
        tz=True,
        examples=["2026-09-01T00:00:00Z"],
        extra={"sentence": TIME_SENTENCE},
    ),
]


class AccessQuery(Struct, frozen=True):
    """Filters for the access log."""

    actor: Annotated[UserID, Meta(description="Only actions of this person.")] | UnsetType = UNSET
    user_id: Annotated[UserID, Meta(description="Only entries about this person.")] | UnsetType = UNSET
    begins: Annotated[Time, Meta(description="Only entries from this time on.")] | UnsetType = UNSET
    ends: (
        Annotated[Time, Meta(examples=["2026-12-01T00:00:00Z"], description="Only entries before this time.")]
        | UnsetType
    ) = UNSET
    limit: Limit = 50
    cursor: Cursor = ""

    def wanted(self, action: str = "") -> LogFilter:
        """Return the filter."""
        return LogFilter(
            actor=None if self.actor is UNSET else self.actor,
            user_id=None if self.user_id is UNSET else self.user_id,
            action=action,
            begins=to_utc("begins", self.begins),
            ends=to_utc("ends", self.ends),
        )


def to_utc(field: str, moment: datetime | UnsetType) -> datetime | None:
    """Return the moment in UTC, which those at the ends of the calendar don't have; then raise WrongFields."""
    try:
        return None if moment is UNSET else moment.astimezone(UTC)
    except OverflowError:
        raise WrongFields({field: TIME_SENTENCE}) from None


class AuditQuery(AccessQuery, frozen=True, kw_only=True):
    """Filters for the audit log."""

    action: Annotated[
        str,
        Meta(
            max_length=50,
            description=f"One of {', '.join(ACTIONS)}.",
            extra={"sentence": "Send an action as text, such as section.edit."},
        ),
    ] = ""


class AboutSchema(Struct, frozen=True):
    """What a change is about; fields that don't apply are empty."""

    kind: Annotated[str, Meta(examples=["section"])]
    term: str
    courseID: str
    section: str
    name: str


class AuditedChange(Struct, frozen=True):
    """A field with its value before and after, as text."""

    field: str
    old: str
    new: str


class AuditEntrySchema(Struct, frozen=True):
    """A change that staff made."""

    at: Annotated[datetime, Meta(tz=True)]
    actor: Annotated[int, Meta(description="The user_id of the person who did it.")]
    actor_name: Annotated[str, Meta(description="Empty for a deleted account.")]
    action: str
    about: AboutSchema
    user_id: Annotated[int | None, Meta(description="The person it concerns, if any.")]
    person_name: str
    reason: str
    overrides: list[str]
    changes: list[AuditedChange]

    @classmethod
    def of(cls, named: NamedEntry[AuditEntry]) -> Self:
        entry, about = named.entry, named.entry.about
        return cls(
            entry.at,
            entry.actor,
            named.actor_name,
            entry.action,
            AboutSchema(about.kind, about.term, about.courseID, about.section, about.name),
            entry.user_id,
            named.person_name,
            entry.reason,
            list(entry.overrides),
            [AuditedChange(one.field, one.old, one.new) for one in entry.changes],
        )


class AuditPage(Struct, frozen=True):
    """A page of the audit log, the latest first."""

    entries: list[AuditEntrySchema]
    next: Next = None


class AccessEntrySchema(Struct, frozen=True):
    """An opened student record or roster."""

    at: Annotated[datetime, Meta(tz=True)]
    actor: int
    actor_name: str
    user_id: int | None
    person_name: str
    page: Annotated[str, Meta(description="The page or the operation that showed it.", examples=["staff_student"])]

    @classmethod
    def of(cls, named: NamedEntry[AccessEntry]) -> Self:
        entry = named.entry
        return cls(entry.at, entry.actor, named.actor_name, entry.user_id, named.person_name, entry.page)


class AccessPage(Struct, frozen=True):
    """A page of the access log, the latest first."""

    entries: list[AccessEntrySchema]
    next: Next = None
