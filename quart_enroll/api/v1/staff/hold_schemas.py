"""The schemas of holds and their types."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType

from quart_enroll.api.v1.schemas import Cursor, Limit, Next, Text, UserID
from quart_enroll.api.v1.staff.log_schemas import Time, to_utc
from quart_enroll.domain.errors import WrongFields
from quart_enroll.domain.holds import MAX_TEXT_LENGTH, Hold, HoldFilter, HoldType, RecordedHold, can_take_effect

Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TEXT_LENGTH,
        pattern=r"\S",
        examples=["Fees are unpaid"],
        extra={"sentence": f"Send the reason as text of 1 to {MAX_TEXT_LENGTH} characters."},
    ),
]
Blocks = Annotated[list[str], Meta(description="Some of enroll, waitlist, drop and swap.", examples=[["enroll"]])]


class HoldTypeSchema(Struct, frozen=True):
    """A type of hold."""

    name: str
    office: str
    contact: Annotated[str, Meta(description="How students reach the office.")]
    blocks: Blocks

    @classmethod
    def of(cls, type: HoldType) -> Self:
        return cls(type.name, type.office, type.contact, sorted(type.blocks))


class HoldTypeList(Struct, frozen=True):
    """All types of holds, sorted by name."""

    types: list[HoldTypeSchema]


class HoldQuery(Struct, frozen=True):
    """Filters for holds."""

    user_id: Annotated[UserID, Meta(description="Only holds of this student.")] | UnsetType = UNSET
    type: Annotated[Text, Meta(description="Only holds of this type.")] = ""
    state: Annotated[
        Literal["", "current", "lifted"],
        Meta(
            description="Only holds that are not lifted, or only those that are.",
            extra={"sentence": "Send current or lifted."},
        ),
    ] = ""
    limit: Limit = 50
    cursor: Cursor = ""

    @property
    def wanted(self) -> HoldFilter:
        """The filter."""
        return HoldFilter.of(None if self.user_id is UNSET else self.user_id, self.type, self.state)


class HoldSchema(Struct, frozen=True):
    """A hold on a student, lifted or not."""

    hold_id: str
    user_id: int
    type: str
    office: str
    reason: Annotated[str, Meta(description="The student reads it.")]
    contact: str
    blocks: Blocks
    begins_at: Annotated[datetime | None, Meta(description="From when on it blocks, if not at once.")]
    ends_at: Annotated[datetime | None, Meta(description="From when on it blocks nothing, if not lifted before.")]
    placed_at: Annotated[datetime, Meta(tz=True)]
    placed_by: Annotated[int, Meta(description="The user_id of the person who placed it.")]
    lifted_at: datetime | None
    lifted_by: Annotated[int | None, Meta(description="Null if it ended on its date.")]
    lift_reason: str

    @classmethod
    def of(cls, one: RecordedHold) -> Self:
        hold = one.hold
        return cls(
            one.hold_id,
            one.user_id,
            hold.type,
            hold.office,
            hold.reason,
            hold.contact,
            sorted(hold.blocks),
            hold.begins_at,
            hold.ends_at,
            one.placed_at,
            one.placed_by,
            one.lifted_at,
            one.lifted_by,
            one.lift_reason,
        )


class HoldPage(Struct, frozen=True):
    """A page of holds, the latest first."""

    holds: list[HoldSchema]
    next: Next = None


class PlaceHoldBody(Struct, frozen=True, kw_only=True):
    """A hold to place on a student."""

    example: ClassVar = {"type": "Bursar hold", "reason": "Fees are unpaid", "ends_at": "2026-12-01T00:00:00Z"}

    type: Annotated[Text, Meta(description="The name of a type.", examples=["Bursar hold"])]
    reason: Annotated[Reason, Meta(description="The student reads it.")]
    begins_at: Annotated[Time, Meta(description="By default, it blocks at once.")] | UnsetType = UNSET
    ends_at: Annotated[Time, Meta(description="By default, it blocks until it is lifted.")] | UnsetType = UNSET

    def hold(self, type: HoldType | None, now: datetime) -> Hold:
        """Return the hold; raise WrongFields for an unknown type, or if it would end before it begins."""
        if type is None:
            raise WrongFields({"type": "Send the name of one of the types of holds."})
        begins_at, ends_at = to_utc("begins_at", self.begins_at), to_utc("ends_at", self.ends_at)
        if not can_take_effect(begins_at, ends_at, now):
            raise WrongFields({"ends_at": "Send a time in the future, after the beginning."})
        return type.hold(self.reason.strip(), begins_at, ends_at)


class LiftHoldBody(Struct, frozen=True, kw_only=True):
    """A hold to lift."""

    example: ClassVar = {"hold_id": "65a000000000000000000001", "reason": "Paid"}

    hold_id: Annotated[Text, Meta(examples=["65a000000000000000000001"])]
    reason: Annotated[Reason, Meta(description="Only staff read it.", examples=["Paid"])]
